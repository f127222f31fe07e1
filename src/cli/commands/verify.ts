/** `verify`. */
import type { VerifyReport } from "../../sync/api.ts";
import type { Answer, CommandDeps } from "../answer.ts";
import type { InvocationOf } from "../command_line.ts";
import { CONSEQUENCES, EXIT } from "../error_report.ts";
import { bytesText, countText, durationText } from "../humanise.ts";
import { terminalText } from "../terminal_text.ts";

const PROBLEMS_SHOWN_MAX = 50;

/** Checks the vault. */
export async function verify(
  deps: CommandDeps,
  invocation: InvocationOf<"verify">,
): Promise<Answer> {
  const report = await deps.service.verify(deps.context, { readData: invocation.readData });
  const answer: Answer = { json: { ...report }, data: verifyLines(report) };
  if (report.problems.length === 0) return answer;
  return {
    ...answer,
    failure: {
      code: "damaged",
      exit: EXIT.damaged,
      message: `The vault has ${countText(report.problems.length, "problem")}`,
      facts: [],
      why: [],
      hint: report.readData
        ? "Nothing local was changed. Push from a machine that has the sessions, or restore the " +
          "store from a backup"
        : CONSEQUENCES.damaged.hint,
      stack: null,
    },
  };
}

/** What was checked, and every problem. */
function verifyLines(report: VerifyReport): string[] {
  const read = report.readData
    ? `${countText(report.sessions, "session")} and ${countText(report.files, "file")} ` +
      `read and authenticated (${bytesText(report.bytes.read)})`
    : `${countText(report.sessions, "session")}, ${countText(report.files, "file")}`;
  const lines = [
    `Checked ${countText(report.machines, "machine")}, ` +
    `${countText(report.entries, "log entry", "log entries")}, ` +
    `${countText(report.packs, "pack")}, ${bytesText(report.bytes.stored)} stored; ${read}.  ` +
    `(${countText(report.requests, "request")}, ${durationText(report.ms)})`,
  ];
  const { unreferenced, replaced } = report;
  if (replaced > 0) {
    const maybe = unreferenced > 0 ? " (or left by an interrupted push)" : "";
    lines.push(
      `${
        countText(replaced + unreferenced, "object")
      } replaced by a compaction${maybe}: harmless; ` +
        "deleted when all machines have had the time to see it.",
    );
  } else if (unreferenced > 0) {
    lines.push(
      `${countText(unreferenced, "object")} of interrupted pushes: harmless; claude-sync gc on ` +
        "the machine that sent them deletes them after some days.",
    );
  }
  if (report.problems.length === 0) {
    lines.push(report.readData ? "No damage." : "No damage seen; --read-data checks every byte.");
  }
  for (const problem of report.problems.slice(0, PROBLEMS_SHOWN_MAX)) {
    const where = problem.objectName === null ? "" : `${terminalText(problem.objectName)}  `;
    lines.push(`  ${where}${terminalText(problem.message)}   [${terminalText(problem.code)}]`);
  }
  const more = report.problems.length - PROBLEMS_SHOWN_MAX;
  return more > 0 ? [...lines, `  ${more} more`] : lines;
}
