/**
 * Remembers how the last push and pull ended, for `status` and for the notice at the next session's
 * start.
 */
import { utf8 } from "../base/bytes.ts";
import { type ErrorCode, isClaudeSyncError } from "../errors.ts";
import { writeFileAtomic } from "../platform/atomic_file.ts";
import type { RunRecord, SyncContext } from "./api.ts";
import { homePaths, readRuns, type Runs, writeRuns } from "./home.ts";

const NOT_RECORDED: readonly ErrorCode[] = [
  "usage",
  "not-set-up",
  "key-missing",
  "not-found",
  "ambiguous",
  "busy",
];

/**
 * Runs `work` and records its outcome under `kind`, unless it was only asked what it would do;
 * passes its result or error on.
 */
export async function recorded<Result>(
  context: SyncContext,
  request: { readonly dryRun: boolean },
  kind: RunRecord["kind"],
  by: RunRecord["by"],
  work: () => Promise<Result>,
  failureIn: (result: Result) => { code: string; message: string } | null,
): Promise<Result> {
  if (request.dryRun) return await work();
  try {
    const result = await work();
    recordQuietly(context, kind, by, failureIn(result));
    return result;
  } catch (error) {
    const known = isClaudeSyncError(error);
    // What the user mistyped or has still to set up says nothing about the state of the vault.
    const isOfUser = isClaudeSyncError(error, ...NOT_RECORDED);
    if (!isOfUser && !context.signal.aborted) {
      const failure = known
        ? { code: error.code, message: error.message }
        : { code: "bug", message: "Unexpected failure" };
      recordQuietly(context, kind, by, failure);
    }
    throw error;
  }
}

function record(
  context: SyncContext,
  kind: RunRecord["kind"],
  by: RunRecord["by"],
  failure: { code: string; message: string } | null,
): void {
  const { platform } = context;
  const paths = homePaths(context.home);
  const run: RunRecord = {
    kind,
    by,
    atMs: platform.clock.nowMs(),
    ok: failure === null,
    code: failure?.code ?? null,
    message: failure?.message ?? null,
  };
  const { told, ...before } = readRuns(platform, paths);
  const after: Runs = {
    ...before,
    ...(told === undefined || failure === null ? {} : { told }),
    ...(kind === "pull" ? {} : { lastPush: run }),
    ...(kind === "push" ? {} : { lastPull: run }),
  };
  writeRuns(platform, paths, after);
}

function recordQuietly(
  context: SyncContext,
  kind: RunRecord["kind"],
  by: RunRecord["by"],
  failure: { code: string; message: string } | null,
): void {
  try {
    record(context, kind, by, failure);
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
