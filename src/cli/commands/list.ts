/** `list`. */
import type { SessionRow } from "../../sync/api.ts";
import type { Platform } from "../../platform/types.ts";
import type { Answer, CommandDeps } from "../answer.ts";
import type { InvocationOf } from "../command_line.ts";
import { agoText, bytesText, countText } from "../humanise.ts";
import { tableLines, terminalText } from "../terminal_text.ts";
import { shortId } from "./traffic.ts";

const PLACES = {
  here: "here, not pushed",
  vault: "vault",
  both: "both",
  "here-newer": "both, newer here",
  "vault-newer": "both, newer in the vault",
} as const satisfies Record<SessionRow["where"], string>;

/** What the cells of one row take while they are made, about. */
const CELLS_BYTES = 2048;
const TITLE_COLUMN = 3;
const TITLE_GRAPHEMES_MAX = 60;
const PROJECT_GRAPHEMES_MAX = 30;

/** All sessions, newest first; or what is forgotten. */
export async function list(
  deps: CommandDeps,
  { forgotten, json }: InvocationOf<"list">,
): Promise<Answer> {
  if (forgotten) return await listForgotten(deps);
  const rows = await deps.service.list(deps.context);
  // Of a hundred thousand sessions the table is as large as they are.
  if (json) return { json: { sessions: rows }, talk: emptyNote(rows) };
  const { world } = deps;
  const columns = await world.streams.isTerminal("stdout") ? world.streams.columns() : null;
  const data = rows.length === 0 ? [] : listLines(rows, world.platform, columns ?? Infinity);
  return {
    json: { sessions: rows },
    data,
    talk: emptyNote(rows),
  };
}

function emptyNote(rows: readonly SessionRow[]): string[] {
  return rows.length === 0
    ? ["No sessions yet, neither here nor in what was read of the vault."]
    : [];
}

/** The table with its heading, newest first. */
function listLines(
  rows: readonly SessionRow[],
  { clock, memory }: Pick<Platform, "clock" | "memory">,
  columns: number,
): string[] {
  const nowMs = clock.nowMs();
  const newestFirst = rows.toSorted((a, b) =>
    (b.lastActivityMs ?? 0) - (a.lastActivityMs ?? 0) || (a.id < b.id ? -1 : 1)
  );
  const cells = {
    *[Symbol.iterator]() {
      yield ["ID", "WHEN", "PROJECT", "TITLE", "SIZE", "WHERE"];
      for (const row of newestFirst) {
        memory.passed(CELLS_BYTES);
        yield [
          shortId(row.id),
          row.lastActivityMs === null ? "-" : agoText(row.lastActivityMs, nowMs),
          terminalText(row.project ?? "-", PROJECT_GRAPHEMES_MAX),
          terminalText(row.title ?? "(no title)", TITLE_GRAPHEMES_MAX),
          bytesText(row.sizeBytes),
          placeText(row),
        ];
      }
    },
  };
  return tableLines(cells, TITLE_COLUMN, columns);
}

/** What can still be brought back, the last forgotten first. */
async function listForgotten(deps: CommandDeps): Promise<Answer> {
  const rows = await deps.service.listForgotten(deps.context);
  const { world } = deps;
  const columns = await world.streams.isTerminal("stdout") ? world.streams.columns() : null;
  const nowMs = world.platform.clock.nowMs();
  const heading = ["ID", "FORGOTTEN", "PROJECT", "TITLE", "SIZE", "BY", "KEPT FOR"];
  const body = rows.map((row) => [
    shortId(row.id),
    agoText(row.forgottenMs, nowMs),
    terminalText(row.project ?? "-", PROJECT_GRAPHEMES_MAX),
    terminalText(row.title ?? "(no title)", TITLE_GRAPHEMES_MAX),
    bytesText(row.sizeBytes),
    terminalText(row.by, PROJECT_GRAPHEMES_MAX),
    row.daysLeft === 0 ? "until the next gc" : countText(row.daysLeft, "more day"),
  ]);
  return {
    json: { sessions: rows },
    data: rows.length === 0
      ? []
      : tableLines([heading, ...body], TITLE_COLUMN, columns ?? Infinity),
    talk: [rows.length === 0 ? "Nothing is forgotten that could be brought back." : BRING_BACK],
  };
}

const BRING_BACK = "Bring one back: claude-sync restore ID";

function placeText(row: SessionRow): string {
  if (row.forgotten) return row.live ? "here, forgotten  ● open" : "here, forgotten";
  const archived = row.archived && row.where === "vault" ? "vault (archived)" : PLACES[row.where];
  return row.live ? `${archived}  ● open` : archived;
}
