/** Lines about transfers that push, pull and sync share. */
import type { Failure, MadeBranch, PullResult, PushResult } from "../../sync/api.ts";
import { CONSEQUENCES, type ErrorReport } from "../error_report.ts";
import { bytesText, countText, durationText, numberText } from "../humanise.ts";
import { shellWord } from "../shell_quote.ts";
import { terminalText } from "../terminal_text.ts";
import type { Host } from "../../platform/types.ts";

/** Failures that are listed one by one; the rest is counted. */
const FAILURES_SHOWN_MAX = 10;
const ID_CHARS = 8;

/** The part of a session id that is shown to people. */
export function shortId(id: string): string {
  return terminalText(id.slice(0, ID_CHARS));
}

function cost(traffic: { readonly requests: number; readonly ms: number }): string {
  return `(${countText(traffic.requests, "request")}, ${durationText(traffic.ms)})`;
}

/** Sessions, and plans and memories when there are any. */
function moved(sessions: number, otherFiles: number): string {
  const parts = sessions > 0 || otherFiles === 0 ? [countText(sessions, "session")] : [];
  if (otherFiles > 0) parts.push(countText(otherFiles, "plan or memory file"));
  return parts.join(", ");
}

/** What a push did. */
export function pushLines(result: PushResult): string[] {
  const { pushed, otherFiles, bytes, requests, ms } = result;
  const lines: string[] = [];
  if (result.dryRun) {
    lines.push(
      pushed + otherFiles === 0
        ? "Would push nothing: the vault has everything."
        : `Would push ${moved(pushed, otherFiles)}  +${bytesText(bytes.plain)}  ` +
          "(nothing was sent)",
    );
  } else if (pushed + otherFiles > 0) {
    lines.push(
      `Pushed ${moved(pushed, otherFiles)}  +${bytesText(bytes.plain)} -> ` +
        `${bytesText(bytes.sent)} in ${countText(requests, "request")}  (${durationText(ms)})`,
    );
  } else if (result.failed === 0) {
    const all = result.sessions === 0
      ? `there are no ${result.excluded > 0 ? "other " : ""}sessions here.`
      : result.forgotten === result.sessions
      ? `what is here (${countText(result.sessions, "session")}) is forgotten in the vault.`
      : result.forgotten > 0
      ? `of ${countText(result.sessions, "session")} here, ${numberText(result.forgotten)} ` +
        `${result.forgotten === 1 ? "is" : "are"} forgotten in the vault.`
      : result.sessions === 1
      ? "the one session here is in the vault."
      : `all ${countText(result.sessions, "session")} are in the vault.`;
    lines.push(`Nothing to push: ${all}${excludedText(result)}  ${cost(result)}`);
  }
  if (result.tornTails > 0) {
    lines.push(
      `${countText(result.tornTails, "half-written last line")} will follow when complete.`,
    );
  }
  return lines;
}

function excludedText({ excluded }: PushResult): string {
  if (excluded === 0) return "";
  const verb = excluded === 1 ? "is" : "are";
  return `  ${countText(excluded, "session")} of excluded projects ${verb} left out.`;
}

/** What a pull did, and what it needs from the user. */
export function pullLines(result: PullResult, os: Host["os"]): string[] {
  const { pulled, otherFiles, bytes, requests, ms } = result;
  const lines: string[] = [];
  const from = result.from.length === 0 ? "" : ` from ${result.from.map(machine).join(", ")}`;
  const projects = result.byProject.length === 0
    ? ""
    : `  (${result.byProject.map((p) => `${terminalText(p.name)} ${p.sessions}`).join(", ")})`;
  if (result.dryRun) {
    lines.push(
      pulled + otherFiles === 0
        ? "Would pull nothing."
        : `Would pull ${moved(pulled, otherFiles)}${from}${projects}  (nothing was written)`,
    );
  } else if (pulled + otherFiles > 0) {
    lines.push(
      `Pulled ${moved(pulled, otherFiles)}${from}${projects}  ${bytesText(bytes.received)} -> ` +
        `${bytesText(bytes.written)} in ${countText(requests, "request")}  (${durationText(ms)})`,
    );
  } else if (result.failures.length === 0) {
    const isComplete = result.unplaced === 0 && result.waiting === 0;
    const state = isComplete ? "this machine is up to date" : "no news that can be placed now";
    lines.push(`Nothing to pull: ${state}.  ${cost(result)}`);
  }
  return [...lines, ...pullRemarks(result, os)];
}

const HOW_MADE = {
  machines: "was continued on more than one machine",
  import: "went on in another way in what was imported",
  forgotten: "went on elsewhere without what was forgotten",
  apart: "was continued in two ways",
} as const satisfies Record<MadeBranch["how"], string>;

/** What `unplacedProjects` has for sessions of no project; all keys of projects have a colon. */
const UNKNOWN_PROJECT = "unknown";

function pullRemarks(result: PullResult, os: Host["os"]): string[] {
  const lines: string[] = [];
  const names = result.unplacedProjects.map((project) => project.name);
  for (const project of result.unplacedProjects) {
    if (project.key === UNKNOWN_PROJECT) {
      const waits = project.sessions === 1 ? "waits" : "wait";
      lines.push(
        `${countText(project.sessions, "session")} of no known project ${waits} in the vault` +
          "      claude-sync pull --all",
      );
      continue;
    }
    const isUnique = names.filter((name) => name === project.name).length === 1;
    const word = shellWord(os, terminalText(isUnique ? project.name : project.key));
    const verb = project.sessions === 1 ? "needs" : "need";
    lines.push(
      `${countText(project.sessions, "session")} ${verb} a folder here: ` +
        `"${terminalText(project.name)}"      claude-sync project map ${word} DIR`,
    );
  }
  for (const branch of result.branchSessions) {
    lines.push(
      `1 ${HOW_MADE[branch.how]}: "${terminalText(branch.title)}"      ` +
        `both kept: ${shortId(branch.of)}, ${shortId(branch.id)}`,
    );
  }
  if (result.waiting > 0) {
    const ids = result.waitingIds.map(shortId).join(", ");
    const what = result.waiting === 1 ? "session is open" : "sessions are open";
    const when = result.waiting === 1 ? "it ends" : "they end";
    lines.push(
      `${result.waiting} ${what} in Claude Code; new turns arrive when ${when}: ${ids}`,
    );
  }
  if (result.sentFirstIds.length > 0) {
    const ids = result.sentFirstIds.map(shortId).join(", ");
    const what = countText(result.sentFirstIds.length, "session");
    lines.push(`${what} went on here, too, and would be sent first: ${ids}`);
  }
  if (result.archived > 0) {
    const verb = result.archived === 1 ? "stays" : "stay";
    lines.push(
      `${countText(result.archived, "session")}, old or deleted here, ${verb} in the vault only` +
        "      claude-sync resume ID",
    );
  }
  return lines;
}

function machine(name: string): string {
  return terminalText(name);
}

/** One line a failure, for standard error. */
export function failureLines(failures: readonly Failure[]): string[] {
  const lines = failures.slice(0, FAILURES_SHOWN_MAX).map((failure) => {
    const path = failure.path ?? "";
    const where = failure.sessionId !== null
      ? shortId(failure.sessionId)
      // Messages mostly name the path already.
      : failure.message.includes(path)
      ? ""
      : terminalText(path);
    const message = terminalText(failure.message);
    return `failed: ${where === "" ? "" : `${where}  `}${message}   [${
      terminalText(failure.code)
    }]`;
  });
  const more = failures.length - lines.length;
  return more > 0 ? [...lines, `failed: ${more} more`] : lines;
}

/** What makes an answer partial: empty when nothing failed. `of`: what `failed` counts. */
export function partialFailure(
  failed: number,
  of: "session" | "file" = "session",
): { readonly failure?: ErrorReport } {
  if (failed === 0) return {};
  return {
    failure: {
      code: "partial",
      exit: CONSEQUENCES.partial.exit,
      message: `${countText(failed, of)} failed`,
      facts: [],
      why: [],
      hint: CONSEQUENCES.partial.hint,
      stack: null,
    },
  };
}
