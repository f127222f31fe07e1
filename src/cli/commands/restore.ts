/** `restore`. */
import type { RestoredSession, RestoreResult, VersionList } from "../../sync/history_api.ts";
import type { Answer, CommandDeps } from "../answer.ts";
import type { InvocationOf } from "../command_line.ts";
import { bytesText, countText, durationText } from "../humanise.ts";
import { terminalText } from "../terminal_text.ts";
import { timeText } from "../time_text.ts";
import { isFileText, restoreNamedFile } from "./restore_file.ts";
import {
  checkVersionFlags,
  listsOne,
  versionAndPlace,
  versionLines,
  wrong,
} from "./restore_versions.ts";
import { failureLines, partialFailure, shortId } from "./traffic.ts";

/** Sessions that are told one by one; the rest is counted. */
const SESSIONS_SHOWN_MAX = 20;
const TITLE_GRAPHEMES_MAX = 60;

/** Brings sessions, plans and memories back, or shows their versions. */
export async function restore(
  deps: CommandDeps,
  invocation: InvocationOf<"restore">,
): Promise<Answer> {
  const [file, ...others] = invocation.queries;
  if (file !== undefined && isFileText(file, deps.world.platform.host.os)) {
    if (others.length > 0 || invocation.archived) {
      throw wrong(
        "A plan or a file of a memory is restored alone",
        "Give its name and nothing else",
      );
    }
    return await restoreNamedFile(deps, invocation, file);
  }
  checkFlags(invocation);
  const { queries, project, archived, list } = invocation;
  if (list) {
    const versions = await deps.service.restoreVersions(deps.context, queries);
    return { json: { ...versions }, data: sessionVersionLines(versions) };
  }
  const result = await deps.service.restore(deps.context, {
    queries,
    project: project ?? null,
    archived,
    ...versionAndPlace(deps, invocation),
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
  const { queries, project, archived, list } = invocation;
  const isMany = project !== undefined || archived;
  if (queries.length === 0 && !isMany) {
    throw wrong("Which session is to be restored?", "Give its id, or --project, or --archived");
  }
  if (queries.length > 0 && isMany) {
    throw wrong(
      "Sessions are named, or chosen by --project and --archived",
      "Leave one of them out",
    );
  }
  if (list && isMany) throw listsOne();
  checkVersionFlags(invocation);
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

function sessionVersionLines({ id, title, versions }: VersionList): string[] {
  const shown = terminalText(title ?? "(no title)", TITLE_GRAPHEMES_MAX);
  return [`${terminalText(id)}  "${shown}"`, ...versionLines(versions)];
}
