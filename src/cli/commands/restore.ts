/** `restore`. */
import { ClaudeSyncError } from "../../errors.ts";
import type {
  RestoredSession,
  RestoreResult,
  VersionList,
  VersionRow,
} from "../../sync/history_api.ts";
import type { Answer, CommandDeps } from "../answer.ts";
import type { InvocationOf } from "../command_line.ts";
import { absolute } from "../home_folder.ts";
import { bytesText, countText, durationText } from "../humanise.ts";
import { tableLines, terminalText } from "../terminal_text.ts";
import { parseTime, timeText } from "../time_text.ts";
import { failureLines, partialFailure, shortId } from "./traffic.ts";

/** Sessions that are told one by one; the rest is counted. */
const SESSIONS_SHOWN_MAX = 20;
/** Versions that are shown; `--json` has all. */
const VERSIONS_SHOWN_MAX = 100;
const VERSION_CHARS = 8;
const TITLE_GRAPHEMES_MAX = 60;
const MACHINE_GRAPHEMES_MAX = 40;

const KINDS = {
  newest: "newest",
  earlier: "",
  branch: "branch",
  rewritten: "before it was rewritten",
} as const satisfies Record<VersionRow["kind"], string>;

/** Brings sessions back, or shows their versions. */
export async function restore(
  deps: CommandDeps,
  invocation: InvocationOf<"restore">,
): Promise<Answer> {
  checkFlags(invocation);
  const { queries, project, archived, at, pick, list, to, force, dryRun } = invocation;
  if (list) {
    const versions = await deps.service.restoreVersions(deps.context, queries);
    return { json: { ...versions }, data: versionLines(versions) };
  }
  const { clock, host } = deps.world.platform;
  const atMs = at === undefined ? null : parseTime(at, clock.nowMs(), "last");
  if (at !== undefined && atMs === null) {
    throw new ClaudeSyncError("usage", `"${at}" is no time`, {
      hint: "Write it as 2026-01-15, 2026-01-15 12:30, 36h or 7d",
    });
  }
  const result = await deps.service.restore(deps.context, {
    queries,
    project: project ?? null,
    archived,
    atMs,
    version: pick ?? null,
    to: to === undefined ? null : absolute(host, to),
    force,
    dryRun,
  });
  const missed = result.sessions.filter(({ outcome }) => outcome === "open").length;
  const failed = new Set(result.failures.map(({ sessionId, path }) => sessionId ?? path)).size;
  return {
    json: { ...result },
    result: restoreLines(result),
    talk: failureLines(result.failures),
    ...partialFailure(failed + missed),
  };
}

function checkFlags(invocation: InvocationOf<"restore">): void {
  const { queries, project, archived, at, pick, list, to, force } = invocation;
  const isMany = project !== undefined || archived;
  const wrong = (message: string, hint: string) => {
    throw new ClaudeSyncError("usage", message, { hint });
  };
  if (queries.length === 0 && !isMany) {
    wrong("Which session is to be restored?", "Give its id, or --project, or --archived");
  }
  if (queries.length > 0 && isMany) {
    wrong("Sessions are named, or chosen by --project and --archived", "Leave one of them out");
  }
  if (list && (isMany || at !== undefined || pick !== undefined || to !== undefined)) {
    wrong("--list shows the versions of one session", "Give an id and nothing else");
  }
  if (at !== undefined && pick !== undefined) {
    wrong("--at and --pick both say which version", "Leave one of them out");
  }
  if (force && to === undefined) {
    wrong(
      "--force goes with --to",
      "In Claude Code's own folder nothing is replaced that the vault has not",
    );
  }
}

/** What was restored, and how to go on. */
function restoreLines(result: RestoreResult): string[] {
  const lines = result.recalled.map((id) => `${shortId(id)} is no longer forgotten`);
  const told = result.sessions.filter(({ outcome }) => outcome !== "failed");
  for (const session of told.slice(0, SESSIONS_SHOWN_MAX)) {
    lines.push(...sessionLines(session, result.dryRun));
  }
  if (result.otherFiles > 0) {
    const files = countText(result.otherFiles, "file");
    lines.push(`${result.dryRun ? "Would restore" : "Restored"} ${files} of plans and memories`);
  }
  const more = told.length - SESSIONS_SHOWN_MAX;
  if (more > 0) lines.push(`${countText(more, "more session")}; --json tells them all`);
  if (result.sessions.length === 0) {
    lines.push("Nothing to restore: no such session is in the vault.");
  } else if (result.sessions.length > 1 || result.dryRun) {
    const what = countText(result.restored, "session");
    lines.push(
      result.dryRun
        ? `Would restore ${what}  ${bytesText(result.bytes.written)}  (nothing was written)`
        : `Restored ${what}  ${bytesText(result.bytes.received)} -> ` +
          `${bytesText(result.bytes.written)} in ${countText(result.requests, "request")}  ` +
          `(${durationText(result.ms)})`,
    );
  }
  return lines;
}

function sessionLines(session: RestoredSession, dryRun: boolean): string[] {
  const { id, outcome, as, atMs, sizeBytes, path } = session;
  const title = terminalText(session.title ?? "(no title)", TITLE_GRAPHEMES_MAX);
  const name = `${shortId(session.of)}  "${title}"`;
  const time = atMs === null ? "" : `, ${timeText(atMs)}`;
  const where = path === null ? "" : `\n  ${terminalText(path)}`;
  if (outcome === "open") {
    return [`${name} is open in Claude Code and was left alone; try again when it ends`];
  }
  if (outcome === "unchanged") {
    return [`${name} is here already: nothing to do${where}`];
  }
  const verb = dryRun ? "Would restore" : "Restored";
  const how = as === "copy" ? " as a session of its own" : "";
  const facts = `(${bytesText(sizeBytes)}${time})`;
  const line = session.title === null && dryRun
    ? `${verb} ${shortId(session.of)}${how}  ${facts}`
    : `${verb} ${name}${how}  ${facts}${where}`;
  return dryRun || as === "files" ? [line] : [line, `  Continue: claude-sync resume ${id}`];
}

/** The versions as a table, newest first. */
function versionLines(list: VersionList): string[] {
  const title = terminalText(list.title ?? "(no title)", TITLE_GRAPHEMES_MAX);
  const shown = list.versions.slice(0, VERSIONS_SHOWN_MAX);
  const rows = shown.map((row) => [
    row.version.slice(0, VERSION_CHARS),
    timeText(row.atMs),
    bytesText(row.sizeBytes),
    terminalText(row.machine, MACHINE_GRAPHEMES_MAX),
    KINDS[row.kind],
  ]);
  const more = list.versions.length - shown.length;
  return [
    `${terminalText(list.id)}  "${title}"`,
    ...tableLines([["VERSION", "TIME", "SIZE", "MACHINE", ""], ...rows]),
    ...(more > 0 ? [`${countText(more, "older version")}; --json shows them all`] : []),
  ];
}
