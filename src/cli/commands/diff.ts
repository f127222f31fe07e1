/** `diff`. */
import { ClaudeSyncError } from "../../errors.ts";
import type { DiffResult } from "../../sync/history_api.ts";
import type { Answer, CommandDeps } from "../answer.ts";
import type { InvocationOf } from "../command_line.ts";
import { bytesText, countText } from "../humanise.ts";
import { tableLines, terminalText } from "../terminal_text.ts";
import { timeText } from "../time_text.ts";
import { shortId } from "./traffic.ts";

/** Records that are shown of each list; `--json` has all. */
const RECORDS_SHOWN_MAX = 20;
const TITLE_GRAPHEMES_MAX = 60;
const KIND_GRAPHEMES_MAX = 24;
const TEXT_COLUMN = 3;
const TEXT_GRAPHEMES_MAX = 80;

type Records = DiffResult["onlyHere"];

/** Compares a session's file here with the vault. */
export async function diff(deps: CommandDeps, invocation: InvocationOf<"diff">): Promise<Answer> {
  if (invocation.queries.length === 0) {
    throw new ClaudeSyncError("usage", "Which session is to be compared?", {
      hint: "Give its id; see: claude-sync list",
    });
  }
  const result = await deps.service.diff(deps.context, invocation.queries);
  const { streams } = deps.world;
  const columns = await streams.isTerminal("stdout") ? streams.columns() : null;
  return { json: { ...result }, data: diffLines(result, columns ?? Infinity) };
}

/** What only one side has. */
function diffLines(result: DiffResult, columns: number): string[] {
  const { here, vault, common, onlyHere, onlyVault } = result;
  const title = terminalText(result.title ?? "(no title)", TITLE_GRAPHEMES_MAX);
  const lines = [`${terminalText(result.id)}  "${title}"`];
  if (here === null) lines.push("It is not on this machine: claude-sync restore brings it.");
  if (result.isForgotten) {
    lines.push(
      `It is forgotten in the vault: claude-sync restore ${shortId(result.id)} undoes it.`,
    );
  } else if (vault === null) {
    lines.push("The vault has nothing of it yet: claude-sync push sends it.");
  }
  if (here !== null && vault !== null) {
    const isSame = onlyHere.length + onlyVault.length === 0;
    const both = `${countText(common, "record")} (${bytesText(here.sizeBytes)} here, ` +
      `${bytesText(vault.sizeBytes)} in the vault)`;
    lines.push(isSame ? `The same here and in the vault: ${both}` : `In both: ${both}`);
  }
  lines.push(...recordLines("Only here", onlyHere, columns));
  lines.push(...recordLines("Only in the vault", onlyVault, columns));
  for (const branch of result.branches) {
    const name = terminalText(branch.title ?? "(no title)", TITLE_GRAPHEMES_MAX);
    lines.push(
      ...recordLines(`Said only in ${shortId(branch.id)} "${name}"`, branch.said, columns),
    );
  }
  return lines;
}

function recordLines(heading: string, records: Records, columns: number): string[] {
  if (records.length === 0) return [];
  const size = records.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  // The newest say most about where one is.
  const shown = records.slice(-RECORDS_SHOWN_MAX);
  const more = records.length - shown.length;
  const rows = shown.map(({ kind, atMs, text, sizeBytes }) => [
    ` ${terminalText(kind, KIND_GRAPHEMES_MAX)}`,
    atMs === null ? "-" : timeText(atMs),
    bytesText(sizeBytes),
    terminalText(text, TEXT_GRAPHEMES_MAX),
  ]);
  return [
    `${heading}: ${countText(records.length, "record")}, ${bytesText(size)}`,
    ...(more > 0 ? [` ${countText(more, "earlier record")}; --json shows them all`] : []),
    ...tableLines(rows, TEXT_COLUMN, columns),
  ];
}
