/**
 * Counts on how many days this machine has looked at the vault and found something there, or not:
 * what a grace is measured with (FORMAT.md section 12). Kept in the state database; to lose it only
 * begins the counting anew.
 */
import type { DatabaseSync } from "node:sqlite";
import type { MachineRow } from "./segment_index.ts";
import { Statements } from "./state_db.ts";

/** A day counts at most once in this time of our clock. */
export const DAY_MS = 24 * 60 * 60 * 1000;

/** Days that a checkpoint must have stood before what it replaces is deleted. */
export const GRACE_DAYS = 7;

/** The counted days of everything that is waited for. */
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
    this.#statements.prepare(
      "UPDATE watched SET days = days + 1, last_ms = ?1 WHERE last_ms <= ?1 - ?2",
    ).run(nowMs, DAY_MS);
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
