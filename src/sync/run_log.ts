/**
 * Remembers how the last push and pull ended, for `status` and for the notice at the next session's
 * start, and keeps the journal that `log` shows.
 */
import { utf8 } from "../base/bytes.ts";
import { type ErrorCode, isClaudeSyncError } from "../errors.ts";
import { writeFileAtomic } from "../platform/atomic_file.ts";
import type { Failure, RunRecord, SyncContext } from "./api.ts";
import type { JournalRecord } from "./history_api.ts";
import { homePaths, readRuns, type Runs, writeRuns } from "./home.ts";
import { appendJournal } from "./journal.ts";

const NOT_RECORDED: readonly ErrorCode[] = [
  "usage",
  "not-set-up",
  "key-missing",
  "not-found",
  "ambiguous",
  "busy",
];

/** What was run, and for whom. */
export interface RunKind {
  readonly command: JournalRecord["command"];
  readonly by: RunRecord["by"];
}

/** What a run came to. */
export interface RunOutcome
  extends Pick<JournalRecord, "sentSessions" | "receivedSessions" | "bytes"> {
  readonly failure: RunFailure | null;
}

interface RunFailure {
  readonly code: string;
  readonly message: string;
}

/** What failures of single sessions make of a run; null without any. */
export function partialFailure(failures: readonly Failure[]): RunFailure | null {
  const [first] = failures;
  return first === undefined ? null : { code: "partial", message: first.message };
}

/** Of a run that moved no session's bytes. */
export const NOTHING_DONE = {
  sentSessions: 0,
  receivedSessions: 0,
  bytes: { sent: 0, received: 0, written: 0 },
};

/**
 * Runs `work` and records its outcome under `kind`, unless it was only asked what it would do;
 * passes its result or error on.
 */
export async function recorded<Result>(
  context: SyncContext,
  request: { readonly dryRun: boolean },
  kind: RunKind,
  work: () => Promise<Result>,
  outcomeOf: (result: Result) => RunOutcome,
): Promise<Result> {
  if (request.dryRun) return await work();
  const { clock } = context.platform;
  const startMs = clock.monotonicMs();
  const note = (outcome: RunOutcome) =>
    recordQuietly(context, kind, outcome, Math.round(clock.monotonicMs() - startMs));
  try {
    const result = await work();
    note(outcomeOf(result));
    return result;
  } catch (error) {
    const known = isClaudeSyncError(error);
    // What the user mistyped or has still to set up says nothing about the state of the vault.
    const isOfUser = isClaudeSyncError(error, ...NOT_RECORDED);
    if (!isOfUser) {
      const failure = context.signal.aborted
        ? { code: "interrupted", message: "Interrupted" }
        : known
        ? { code: error.code, message: error.message }
        : { code: "bug", message: "Unexpected failure" };
      note({ ...NOTHING_DONE, failure });
    }
    throw error;
  }
}

function record(
  context: SyncContext,
  { command, by }: RunKind,
  { failure, ...done }: RunOutcome,
  ms: number,
): void {
  const { platform } = context;
  const paths = homePaths(context.home);
  const ending = {
    by,
    atMs: platform.clock.nowMs(),
    ok: failure === null,
    code: failure?.code ?? null,
    message: failure?.message ?? null,
  };
  // Who interrupts a run knows; and only what moves everything tells how the vault stands.
  const isSync = command === "push" || command === "pull" || command === "sync";
  if (isSync && !context.signal.aborted) {
    const run: RunRecord = { kind: command, ...ending };
    const { told, ...before } = readRuns(platform, paths);
    const after: Runs = {
      ...before,
      ...(told === undefined || failure === null ? {} : { told }),
      ...(command === "pull" ? {} : { lastPush: run }),
      ...(command === "push" ? {} : { lastPull: run }),
    };
    writeRuns(platform, paths, after);
  }
  appendJournal(platform, paths, { command, ...ending, ms, ...done });
}

function recordQuietly(
  context: SyncContext,
  kind: RunKind,
  outcome: RunOutcome,
  ms: number,
): void {
  try {
    record(context, kind, outcome, ms);
  } catch (error) {
    // How the run ended matters more than that it cannot be noted.
    if (!isClaudeSyncError(error)) throw error;
  }
}

/** A failure that stays is said again after this time: a day. */
export const SAY_AGAIN_MS = 24 * 60 * 60 * 1000;

/**
 * Leaves a message for the user that the next session's start shows once. One that was left before
 * is not repeated while the failure lasts, but for once a day.
 */
export function leaveNotice(context: SyncContext, message: string): void {
  const { fs, random, clock } = context.platform;
  const paths = homePaths(context.home);
  const runs = readRuns(context.platform, paths);
  const atMs = clock.nowMs();
  const { told } = runs;
  const isTold = told?.message === message && atMs >= told.atMs && atMs - told.atMs < SAY_AGAIN_MS;
  if (isTold) return;
  writeFileAtomic(fs, random, paths.notice, utf8(JSON.stringify({ message })));
  writeRuns(context.platform, paths, { ...runs, told: { message, atMs } });
}

/** Takes the message back: what it said is no longer so. */
export function withdrawNotice(context: SyncContext): void {
  context.platform.fs.removeFile(homePaths(context.home).notice);
}
