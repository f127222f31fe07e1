/** Whether a run ended as it may: alarms exactly when it was lied to, failures for a reason. */
import { PAST_COMMANDS } from "./past_commands.ts";
import type { Report } from "./report.ts";
import type { Outcome, RunOfProgram } from "./run_of_program.ts";

/** What is said when the store is no longer believed. */
const ALARMS: readonly string[] = ["rolled-back", "forked", "incomplete", "damaged"];
/** What commands say that are asked for something that is not there, or not in that way. */
const UNFIT: readonly string[] = ["not-found", "ambiguous", "usage"];
/** What may be said instead of an alarm: a vault that is withheld as a whole is not there. */
const ABSENT: readonly string[] = ["store-unreachable", "no-vault"];

/** Judges a run that has ended by itself. */
export function judge(
  run: RunOfProgram,
  outcome: Outcome,
  isQuiet: boolean,
  report: Report,
): void {
  const codes = codesOf(outcome);
  const alarms = codes.filter((code) => ALARMS.includes(code));
  for (const code of new Set(alarms)) report.alarm(code);
  if (codes.includes("interrupted") && !run.controller.signal.aborted) {
    report.count("runs given up after a long sleep");
  }
  const who = `${run.name} ${run.command} ${run.number}`;
  const { lies, mustNotice } = run.exposure;
  if (alarms.length > 0 && lies.size === 0) {
    report.violation("no false alarm", `${who}: ${describe(outcome)}`);
    return;
  }
  // Who joins takes nothing from the logs: one entry that opens proves the key, whatever the others
  // are. The first look at the vault is the one that must notice.
  const [missed] = run.command === "join" ? [] : mustNotice.values();
  if (missed !== undefined && !hasNoticed(run, outcome)) {
    const said = describe(outcome);
    report.violation("no missed alarm", `${who} was done in spite of ${missed}: ${said}`);
    return;
  }
  for (const code of codes) {
    // Nothing goes wrong any more that would be a reason.
    if (!isQuiet && isExcused(code, run)) continue;
    report.violation("no failure without a reason", `${who}: ${code}: ${describe(outcome)}`);
    return;
  }
}

function codesOf({ code, failures }: Outcome): string[] {
  return [code, ...failures.map((failure) => failure.code)].filter((each) => each !== null);
}

/** Whether the run has said of a lie that something is wrong with the store, or could not. */
function hasNoticed(run: RunOfProgram, outcome: Outcome): boolean {
  const codes = codesOf(outcome);
  if (codes.some((code) => ALARMS.includes(code))) return true;
  if (run.exposure.isVaultHidden && codes.some((code) => ABSENT.includes(code))) return true;
  // What fails after the sync itself, as tidying up, is told at the next start.
  if (run.hasTold || run.notes.some((note) => note.includes("it is left out"))) return true;
  // It had to end before it came to that, and did nothing of what it was asked.
  const end = isHook(run) ? codes[0] : outcome.code;
  return typeof end === "string" && !UNFIT.includes(end) && isExcused(end, run);
}

function isHook({ command }: RunOfProgram): boolean {
  return command.startsWith("hook-");
}

/** Whether there was a reason for the code. */
function isExcused(code: string, run: RunOfProgram): boolean {
  if (ALARMS.includes(code)) return true;
  const { hasFailed, isVaultHidden } = run.exposure;
  if (ABSENT.includes(code) && (hasFailed || isVaultHidden)) return true;
  if (UNFIT.includes(code) && Object.hasOwn(PAST_COMMANDS, run.command)) return true;
  if (code === "busy" || code === "interrupted") return true;
  if (["no-space", "local-io"].includes(code) && run.wasDiskBroken) return true;
  // A file that a client writes while it is read fails alone.
  if (code === "local-io" && run.touched.size > 0) return true;
  // Of the background half only the record of the run is to be seen.
  return isHook(run) && ["partial", "unknown"].includes(code);
}

function describe({ code, error, failures }: Outcome): string {
  const said = error instanceof Error ? `${error.message} ${trail(error)}` : "";
  return `${code ?? ""} ${said} ${JSON.stringify(failures)}`.trim();
}

function trail(error: Error): string {
  const isOwn = "code" in error;
  return isOwn ? String((error as { objectName?: string }).objectName ?? "") : error.stack ?? "";
}
