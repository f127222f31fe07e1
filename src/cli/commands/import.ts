/** `import`. */
import { ClaudeSyncError } from "../../errors.ts";
import type { ImportResult } from "../../sync/history_api.ts";
import type { Answer, CommandDeps } from "../answer.ts";
import type { InvocationOf } from "../command_line.ts";
import { absolute } from "../home_folder.ts";
import { bytesText, countText, durationText } from "../humanise.ts";
import { failureLines, partialFailure, pullLines } from "./traffic.ts";

/** Takes sessions from elsewhere. */
export async function importSessions(
  deps: CommandDeps,
  invocation: InvocationOf<"import">,
): Promise<Answer> {
  const { host } = deps.world.platform;
  const { all, dryRun } = invocation;
  if (invocation.paths.length === 0) {
    throw new ClaudeSyncError("usage", "What is to be imported?", {
      hint: "Give a folder like ~/.claude, or transcripts (.jsonl)",
    });
  }
  const paths = invocation.paths.map((path) => absolute(host, path));
  const result = await deps.service.import(deps.context, { paths, all, dryRun });
  const failures = [...result.failures, ...result.pull?.failures ?? []];
  return {
    json: { ...result },
    result: [
      ...importLines(result),
      ...(result.pull === null ? [] : pullLines(result.pull, host.os)),
    ],
    talk: failureLines(failures),
    ...partialFailure(new Set(failures.map(({ sessionId, path }) => sessionId ?? path)).size),
  };
}

/** What was taken in. */
function importLines(result: ImportResult): string[] {
  const { found, imported, otherFiles, bytes, requests, ms } = result;
  const failed = new Set(result.failures.flatMap(({ sessionId }) => sessionId ?? [])).size;
  const known = Math.max(0, found - imported - failed);
  const rest = known === 0 ? "" : `; ${countText(known, "other")} had nothing new`;
  const files = otherFiles === 0 ? "" : `, ${countText(otherFiles, "plan or memory file")}`;
  const what = `${countText(imported, "session")}${files}`;
  if (found === 0) return ["Nothing to import: there are no sessions in it."];
  if (result.dryRun) {
    return [
      imported + otherFiles === 0
        ? "Would import nothing: the vault has everything."
        : `Would import ${what}  +${bytesText(bytes.plain)}${rest}  (nothing was sent)`,
    ];
  }
  if (imported + otherFiles === 0) {
    if (result.failures.length > 0) return [];
    return [`Nothing to import: the vault has all of it (${countText(found, "session")}).`];
  }
  return [
    `Imported ${what}  +${bytesText(bytes.plain)} -> ${bytesText(bytes.sent)} in ` +
    `${countText(requests, "request")}${rest}  (${durationText(ms)})`,
  ];
}
