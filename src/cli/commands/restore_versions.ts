/** What `restore` of sessions and of other files have in common: versions, times and places. */
import { ClaudeSyncError } from "../../errors.ts";
import type { RestoreRequest, VersionRow } from "../../sync/history_api.ts";
import type { CommandDeps } from "../answer.ts";
import type { InvocationOf } from "../command_line.ts";
import { absolute } from "../home_folder.ts";
import { bytesText, countText } from "../humanise.ts";
import { tableLines, terminalText } from "../terminal_text.ts";
import { parseTime, timeText } from "../time_text.ts";

/** Versions that are shown; `--json` has all. */
const VERSIONS_SHOWN_MAX = 100;
const VERSION_CHARS = 8;
const MACHINE_GRAPHEMES_MAX = 40;

const KINDS = {
  newest: "newest",
  earlier: "",
  branch: "branch",
  rewritten: "before it was rewritten",
} as const satisfies Record<VersionRow["kind"], string>;

/** Flags that do not go together. */
export function wrong(message: string, hint: string): ClaudeSyncError {
  return new ClaudeSyncError("usage", message, { hint });
}

/** `--list` with something that it does not go with. */
export function listsOne(): ClaudeSyncError {
  return wrong(
    "--list shows the versions of one session or FILE",
    "Give its name and nothing else",
  );
}

/** Throws `usage` when flags that say which version and where contradict each other. */
export function checkVersionFlags({ list, at, pick, to, force }: InvocationOf<"restore">): void {
  if (list && (at !== undefined || pick !== undefined || to !== undefined)) throw listsOne();
  if (at !== undefined && pick !== undefined) {
    throw wrong("--at and --pick both say which version", "Leave one of them out");
  }
  if (force && to === undefined) {
    throw wrong(
      "--force goes with --to",
      "In Claude Code's own folder nothing is replaced that the vault has not",
    );
  }
}

/** What the flags say. Errors: `usage` for what is no time. */
export function versionAndPlace(
  { world }: CommandDeps,
  { at, pick, to, force, dryRun }: InvocationOf<"restore">,
): Pick<RestoreRequest, "atMs" | "version" | "to" | "force" | "dryRun"> {
  const { clock, host } = world.platform;
  const atMs = at === undefined ? null : parseTime(at, clock.nowMs(), "last");
  if (at !== undefined && atMs === null) {
    throw wrong(`"${at}" is no time`, "Write it as 2026-01-15, 2026-01-15 12:30, 36h or 7d");
  }
  const place = to === undefined ? null : absolute(host, to);
  return { atMs, version: pick ?? null, to: place, force, dryRun };
}

/** A version's time, size and machine, for a table. */
export function versionCells({ atMs, sizeBytes, machine }: VersionRow): string[] {
  return [timeText(atMs), bytesText(sizeBytes), terminalText(machine, MACHINE_GRAPHEMES_MAX)];
}

/** The versions as a table, newest first. */
export function versionLines(versions: readonly VersionRow[]): string[] {
  const shown = versions.slice(0, VERSIONS_SHOWN_MAX);
  const rows = shown.map((row) => [shortVersion(row), ...versionCells(row), KINDS[row.kind]]);
  const more = versions.length - shown.length;
  return [
    ...tableLines([["VERSION", "TIME", "SIZE", "MACHINE", ""], ...rows]),
    ...(more > 0 ? [`${countText(more, "older version")}; --json shows them all`] : []),
  ];
}

/** The part of a version that is shown, and that `--pick` takes. */
export function shortVersion({ version }: Pick<VersionRow, "version">): string {
  return version.slice(0, VERSION_CHARS);
}
