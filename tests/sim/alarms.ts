/** Whether a run ended as it may: alarms exactly when it was lied to, failures for a reason. */
import { PAST_COMMANDS } from "./past_commands.ts";
import type { Report } from "./report.ts";
import type { Outcome, RunOfProgram } from "./run_of_program.ts";

/** What is said when the store is no longer believed. */
const ALARMS: readonly string[] = ["rolled-back", "forked", "incomplete", "damaged"];
/** What may be said instead: a vault that is withheld as a whole is not there. */
/** What commands say that are asked for something that is not there, or not in that way. */
const UNFIT: readonly string[] = ["not-found", "ambiguous", "usage"];
const ABSENT: readonly string[] = ["store-unreachable", "no-vault"];

/** Judges a run that has ended by itself. */
export function judge(
  run: RunOfProgram,
  outcome: Outcome,
  isQuiet: boolean,
  report: Report,
): void {
  const codes = [outcome.code, ...outcome.failures.map(({ code }) => code)]
    .filter((code) => code !== null);
  const alarms = codes.filter((code) => ALARMS.includes(code));
  for (const code of new Set(alarms)) report.alarm(code);
  const who = `${run.name} ${run.command} ${run.number}`;
  const { lies, mustNotice, isReordered } = run.exposure;
  const unexplained = alarms.filter((code) => !(code === "incomplete" && isReordered));
  if (unexplained.length > 0 && lies.size === 0) {
    report.violation("no false alarm", `${who}: ${describe(outcome)}`);
    return;
  }
  // What fails after the sync itself, as tidying up, is told at the next start.
  const hasSaid = run.hasTold || run.notes.some((note) => note.includes("it is left out"));
  const isHook = run.command.startsWith("hook-");
  // Who joins takes nothing from the logs: one entry that opens proves the key, whatever the others
  // are. The first look at the vault is the one that must notice.
  const [missed] = run.command === "join" ? [] : mustNotice.values();
  if (missed !== undefined && codes.length === 0 && !hasSaid) {
    report.violation("no missed alarm", `${who} was done in spite of ${missed}`);
    return;
  }
  if (lies.size > 0) return;
  for (const code of codes) {
    if (isExcused(code, run, isQuiet, isHook)) continue;
    report.violation("no failure without a reason", `${who}: ${code}: ${describe(outcome)}`);
    return;
  }
}

function isExcused(
  code: string,
  run: RunOfProgram,
  isQuiet: boolean,
  isHook: boolean,
): boolean {
  if (isQuiet) return false;
  if (ALARMS.includes(code)) return true;
  if (ABSENT.includes(code) && run.exposure.hasFailed) return true;
  if (UNFIT.includes(code) && Object.hasOwn(PAST_COMMANDS, run.command)) return true;
  if (code === "busy" || code === "interrupted") return true;
  if (run.controller.signal.aborted) return true;
  if (["no-space", "local-io"].includes(code) && run.wasDiskBroken) return true;
  // A file that a client writes while it is read fails alone.
  if (code === "local-io" && run.touched.size > 0) return true;
  // Of the background half only the record of the run is to be seen.
  return isHook && ["partial", "unknown"].includes(code);
}

function describe({ code, error, failures }: Outcome): string {
  const said = error instanceof Error ? `${error.message} ${trail(error)}` : "";
  return `${code ?? ""} ${said} ${JSON.stringify(failures)}`.trim();
}

function trail(error: Error): string {
  const isOwn = "code" in error;
  return isOwn ? String((error as { objectName?: string }).objectName ?? "") : error.stack ?? "";
}
