/**
 * One writer at a time per profile. The lock is an exclusive transaction on a small SQLite file:
 * the only lock both runtimes have that a crash, kill -9 or a closed laptop cannot leave behind.
 */
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ClaudeSyncError } from "../errors.ts";
import type { Clock } from "../platform/types.ts";

/** A held lock. `release` is idempotent. */
export interface Lock {
  release(): void;
}

const POLL_MS = 25;
/** SQLite's SQLITE_BUSY. */
const SQLITE_BUSY = 5;
/** SQLite's SQLITE_FULL. */
const SQLITE_FULL = 13;

/**
 * Takes the lock, waiting up to `waitMs`. Errors: `busy` when another process keeps it that long,
 * `local-io`.
 */
export async function acquireLock(
  clock: Clock,
  path: string,
  waitMs: number,
  signal: AbortSignal,
): Promise<Lock> {
  const deadlineMs = clock.monotonicMs() + waitMs;
  for (;;) {
    const lock = tryLock(path);
    if (lock !== null) return lock;
    if (clock.monotonicMs() >= deadlineMs) {
      throw new ClaudeSyncError("busy", "Another claude-sync is at work on this machine", { path });
    }
    await clock.sleep(POLL_MS, signal);
  }
}

/** Takes the lock if it is free; null when it is held. Errors: `local-io`, `no-space`. */
export function tryLock(path: string): Lock | null {
  let database: DatabaseSync;
  try {
    database = new DatabaseSync(path);
  } catch (cause) {
    throw new ClaudeSyncError("local-io", `Cannot open the lock file "${path}"`, { path, cause });
  }
  try {
    database.exec("PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE");
  } catch (cause) {
    database.close();
    // Deno's errors carry no SQLite code; there, a lock that cannot be taken counts as held.
    if ((sqliteCode(cause) ?? SQLITE_BUSY) === SQLITE_BUSY) return null;
    throw lockFailure(path, cause);
  }
  let held: DatabaseSync | null = database;
  return {
    release() {
      held?.close();
      held = null;
    },
  };
}

/**
 * The error for a lock file that cannot be written for another reason than that it is held:
 * `no-space` or `local-io`.
 */
export function lockFailure(path: string, cause: unknown): ClaudeSyncError {
  const folder = dirname(path);
  if (sqliteCode(cause) === SQLITE_FULL) {
    return new ClaudeSyncError("no-space", `No space left in "${folder}"`, { path, cause });
  }
  return new ClaudeSyncError("local-io", `Cannot write in "${folder}"`, { path, cause });
}

function sqliteCode(error: unknown): number | null {
  if (typeof error !== "object" || error === null) return null;
  const { errcode } = error as { errcode?: unknown };
  return typeof errcode === "number" ? errcode & 0xff : null;
}
