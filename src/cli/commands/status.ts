/** `status`. */
import type { RunRecord, StatusReport } from "../../sync/api.ts";
import { ClaudeSyncError, type ErrorCode } from "../../errors.ts";
import type { Answer, CommandDeps } from "../answer.ts";
import { CONSEQUENCES, reportOf } from "../error_report.ts";
import { agoText, bytesText, countText, numberText } from "../humanise.ts";
import { tableLines, terminalText } from "../terminal_text.ts";

const MACHINES_SHOWN_MAX = 8;

/** Says whether all is safe, and what needs the user. */
export async function status(deps: CommandDeps): Promise<Answer> {
  const report = await deps.service.status(deps.context);
  const data = [verdictLine(report, deps.paint)];
  if (report.verdict !== "not-set-up") data.push("", ...detailLines(report));
  const missing = missingOf(report);
  if (missing === null) return { json: { ...report }, data };
  return { json: { ...report }, data, failure: reportOf(missing), isExplained: true };
}

function missingOf(report: StatusReport): ClaudeSyncError | null {
  if (report.verdict === "not-set-up") {
    return new ClaudeSyncError("not-set-up", "This machine is not set up");
  }
  if (report.verdict === "needs-key") {
    return new ClaudeSyncError("key-missing", "The vault's key is not on this machine");
  }
  return null;
}

/** The one sentence that matters. */
function verdictLine(report: StatusReport, paint: CommandDeps["paint"]): string {
  const { nowMs, lastPush, lastPull } = report;
  const since = `last push ${whenText(lastPush, nowMs)}, last pull ${whenText(lastPull, nowMs)}`;
  switch (report.verdict) {
    case "ok":
      if (report.unreceived > 0) {
        const have = report.unreceived === 1 ? "session has" : "sessions have";
        return `${paint("good", "✓")} All here is safe - ${numberText(report.unreceived)} ` +
          `${have} news in the vault      claude-sync pull`;
      }
      if (lastPull === null && lastPush === null) {
        return `${paint("warning", "!")} The vault was not read yet      claude-sync sync`;
      }
      return `${paint("good", "✓")} In sync - ${since}`;
    case "waiting": {
      const verb = report.unsent === 1 ? "is" : "are";
      return `${paint("warning", "!")} ${countText(report.unsent, "session")} ${verb} waiting - ` +
        `not in the vault yet, ${since}      claude-sync push`;
    }
    case "failing":
      return failingLine(report, paint);
    case "needs-key":
      return `${paint("bad", "✗")} Not syncing - the vault's key is not on this machine      ` +
        "claude-sync key import";
    case "not-set-up":
      return `${paint("bad", "✗")} Not set up on this machine      claude-sync help init`;
  }
}

function failingLine(report: StatusReport, paint: CommandDeps["paint"]): string {
  const failed = [report.lastPush, report.lastPull]
    .filter((run) => run !== null && !run.ok)
    .sort((a, b) => (b?.atMs ?? 0) - (a?.atMs ?? 0))[0];
  if (failed === undefined || failed === null) {
    return `${paint("bad", "✗")} Not syncing      claude-sync sync`;
  }
  const hint = failed.code !== null && isErrorCode(failed.code)
    ? CONSEQUENCES[failed.code].hint
    : null;
  const waiting = report.unsent > 0 ? `, ${countText(report.unsent, "session")} waiting` : "";
  const why = failed.message === null ? "" : `: ${terminalText(failed.message)}`;
  return `${paint("bad", "✗")} Not syncing - the last ${failed.kind} failed ` +
    `${agoText(failed.atMs, report.nowMs)}${waiting}${why}${hint === null ? "" : `\n  ${hint}`}`;
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(CONSEQUENCES, code);
}

function whenText(run: RunRecord | null, nowMs: number): string {
  if (run === null) return "never";
  return `${agoText(run.atMs, nowMs)}${run.ok ? "" : " (failed)"}`;
}

function detailLines(report: StatusReport): string[] {
  const here = [
    `${terminalText(report.machineName ?? "this machine")} (this machine)`,
    `${countText(report.localSessions, "session")}, ${bytesText(report.localBytes)}`,
    `${numberText(report.unsent)} waiting`,
  ];
  if (report.archived > 0) here.push(`${numberText(report.archived)} only in the vault`);
  const rows: [string, string][] = [
    [
      "Vault",
      `${terminalText(report.store ?? "none")} · ${countText(report.vaultSessions, "session")}, ` +
      `${bytesText(report.vaultBytesStored)} stored`,
    ],
    ["Here", here.join(" · ")],
    ["Machines", machinesText(report)],
    ["Hooks", hooksText(report)],
    ["Key", report.keyFingerprint === null ? "missing" : terminalText(report.keyFingerprint)],
    ["Retention", retentionText(report)],
  ];
  if (report.unplaced > 0) {
    const verb = report.unplaced === 1 ? "needs" : "need";
    rows.push([
      "Projects",
      `${countText(report.unplaced, "project")} ${verb} a folder here      ` +
      "claude-sync project list",
    ]);
  }
  if (report.withoutProject > 0) {
    const verb = report.withoutProject === 1 ? "waits" : "wait";
    const what = `${countText(report.withoutProject, "session")} of no known project ${verb}`;
    rows.push(["Unplaced", `${what} in the vault      claude-sync pull --all`]);
  }
  return tableLines(rows).map((line) => `  ${line}`);
}

function machinesText(report: StatusReport): string {
  const others = report.machines.filter((machine) => !machine.thisOne);
  if (others.length === 0) return "no other yet";
  const shown = [...others]
    .sort((a, b) => b.lastSeenMs - a.lastSeenMs)
    .slice(0, MACHINES_SHOWN_MAX)
    .map((machine) => `${terminalText(machine.name)} ${agoText(machine.lastSeenMs, report.nowMs)}`);
  const more = others.length - shown.length;
  return [...shown, ...(more > 0 ? [`${more} more`] : [])].join(" · ");
}

function hooksText(report: StatusReport): string {
  switch (report.hooks) {
    case "global":
      return "installed for all projects";
    case "project":
      return "installed for the project in this folder";
    case "none":
      return "not installed      claude-sync install --global";
  }
}

function retentionText(report: StatusReport): string {
  const after = `Claude Code deletes local sessions after ${report.cleanupPeriodDays} days`;
  if (report.unsent === 0) return `${after}; the vault keeps them`;
  return `${after}; ${numberText(report.unsent)} not safe in the vault yet`;
}
