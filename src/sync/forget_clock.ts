/**
 * Counts the days for which this machine has known a `forget` (FORMAT.md section 12): text may be
 * left out of a checkpoint once 30 have been counted. A day counts when the machine has looked at
 * the vault at least 24 hours after the last one that counted, so a clock that is set forward takes
 * away one day and no more.
 */
import type { DatabaseSync } from "node:sqlite";

/** Days for which what is forgotten can be recalled. */
export const FORGET_DAYS = 30;
const DAY_MS = 24 * 60 * 60 * 1000;

/** Notes that the vault was looked at, and that all its forgets were still there. */
export function countForgetDays(database: DatabaseSync, nowMs: number): void {
  // Most vaults have none, and a disk that is full or read-only need not be asked then.
  if (database.prepare("SELECT 1 FROM forget LIMIT 1").get() === undefined) return;
  const now = Math.floor(nowMs);
  database.prepare("INSERT OR IGNORE INTO forget_day SELECT DISTINCT id, 0, ? FROM forget")
    .run(now);
  database.prepare(
    "UPDATE forget_day SET days = days + 1, counted_ms = ?1 WHERE ?1 - counted_ms >= ?2",
  ).run(now, DAY_MS);
  // A clock that was far ahead once must not stop the count for ever.
  database.prepare("UPDATE forget_day SET counted_ms = ?1 WHERE counted_ms > ?1").run(now);
}

/** Ids of the forgets whose text may be deleted by this machine now. */
export function dueForgets(database: DatabaseSync): ReadonlySet<string> {
  const rows = database.prepare("SELECT id FROM forget_day WHERE days >= ?").all(FORGET_DAYS);
  return new Set((rows as { id: string }[]).map(({ id }) => id));
}

/** Days that are left, at least, until this machine may delete what `id` forgot. */
export function daysLeft(database: DatabaseSync, id: string): number {
  const row = database.prepare("SELECT days FROM forget_day WHERE id = ?").get(id) as
    | { days: number }
    | undefined;
  return Math.max(0, FORGET_DAYS - (row?.days ?? 0));
}
