/**
 * Counts on how many days this machine has looked at the vault and found something there, or not:
 * what a grace is measured with (FORMAT.md section 12), that of replaced objects and that of
 * forgotten text. A day counts at a look at least 24 hours after the last one that counted, so a
 * clock that is set forward takes away one day and no more. Kept in the state database; to lose it
 * only begins the counting anew.
 */
import type { DatabaseSync } from "node:sqlite";
import type { MachineRow } from "./segment_index.ts";
import { Statements } from "./state_db.ts";

/** A day counts at most once in this time of our clock. */
export const DAY_MS = 24 * 60 * 60 * 1000;

/** Days that a checkpoint must have stood before what it replaces is deleted. */
export const GRACE_DAYS = 7;

/** Days for which what is forgotten can be recalled. */
const FORGET_DAYS = 30;

/** Where days are counted: the table, and its column for the time of the last day that counted. */
interface DayTable {
  readonly table: "watched" | "forget_day";
  readonly last: "last_ms" | "counted_ms";
}

const WATCHED: DayTable = { table: "watched", last: "last_ms" };
const FORGETS: DayTable = { table: "forget_day", last: "counted_ms" };

/** Counts a day for everything whose last one is 24 hours ago. */
function countDay(statements: Statements, { table, last }: DayTable, nowMs: number): void {
  statements.prepare(
    `UPDATE ${table} SET days = days + 1, ${last} = ?1 WHERE ${last} <= ?1 - ?2`,
  ).run(nowMs, DAY_MS);
}

/** The counted days of everything that is waited for, but for forgets. */
export class WatchedDays {
  readonly #statements: Statements;

  constructor(database: DatabaseSync) {
    this.#statements = new Statements(database);
  }

  /** Begins to count for `what`, unless it is counted already. */
  watch(what: string, nowMs: number): void {
    this.#statements.prepare("INSERT OR IGNORE INTO watched VALUES (?, 0, ?)").run(what, nowMs);
  }

  /**
   * To be called after every look at the vault. A clock that was a day or more ahead begins
   * everything anew: so a wrong one never makes the time shorter by more than the day that it
   * counted.
   */
  count(nowMs: number): void {
    this.#statements.prepare("UPDATE watched SET days = 0, last_ms = ?1 WHERE last_ms >= ?1 + ?2")
      .run(nowMs, DAY_MS);
    countDay(this.#statements, WATCHED, nowMs);
  }

  /** Counted days; null for what is not watched. */
  days(what: string): number | null {
    const row = this.#statements.prepare("SELECT days FROM watched WHERE what = ?").get(what);
    return (row as { days: number } | undefined)?.days ?? null;
  }

  /** What is watched and begins with `prefix`, in order. */
  all(prefix: string): { readonly what: string; readonly days: number }[] {
    return this.#statements.prepare(
      "SELECT what, days FROM watched WHERE substr(what, 1, length(?1)) = ?1 ORDER BY what",
    ).all(prefix) as unknown as { what: string; days: number }[];
  }

  /** Ends the counting for `what`. */
  end(what: string): void {
    this.#statements.prepare("DELETE FROM watched WHERE what = ?").run(what);
  }
}

/** What is waited for after a checkpoint: entries of the log `tag` below `base` may go then. */
export function watchedBase(tag: string, base: number): string {
  return `base ${tag}/${base}`;
}

/** The same for a log of another machine that was retired. */
export function watchedRetirement({ tag, base }: Pick<MachineRow, "tag" | "base">): string {
  return `retired ${tag}/${base}`;
}

/** A pack that no entry names. */
export function watchedPack(name: string): string {
  return `unnamed ${name}`;
}

/**
 * The days for which this machine has known each `forget`: text may be left out of a checkpoint
 * once 30 have been counted.
 */
export class ForgetDays {
  readonly #statements: Statements;

  constructor(database: DatabaseSync) {
    this.#statements = new Statements(database);
  }

  /** Notes that the vault was looked at, and that all its forgets were still there. */
  count(nowMs: number): void {
    // Most vaults have none, and a disk that is full or read-only need not be asked then.
    if (this.#statements.prepare("SELECT 1 FROM forget LIMIT 1").get() === undefined) return;
    const now = Math.floor(nowMs);
    this.#statements.prepare(
      "INSERT OR IGNORE INTO forget_day SELECT DISTINCT id, 0, ? FROM forget",
    ).run(now);
    countDay(this.#statements, FORGETS, now);
    // A clock that was far ahead once must not stop the count for ever. The days stay: what is to
    // be gone after a month should not wait for another one because of a battery.
    this.#statements.prepare("UPDATE forget_day SET counted_ms = ?1 WHERE counted_ms > ?1")
      .run(now);
  }

  /** Ids of the forgets whose text may be deleted by this machine now. */
  due(): ReadonlySet<string> {
    const rows = this.#statements.prepare("SELECT id FROM forget_day WHERE days >= ?")
      .all(FORGET_DAYS);
    return new Set((rows as { id: string }[]).map(({ id }) => id));
  }

  /** Days that are left, at least, until this machine may delete what `id` forgot. */
  left(id: string): number {
    const row = this.#statements.prepare("SELECT days FROM forget_day WHERE id = ?").get(id);
    return Math.max(0, FORGET_DAYS - ((row as { days: number } | undefined)?.days ?? 0));
  }
}
