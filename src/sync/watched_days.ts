/**
 * Counts on how many days this machine has looked at the vault and found something there, or not:
 * what a grace is measured with (FORMAT.md section 12), that of replaced objects and that of
 * forgotten text. A day counts at a look at least 24 hours after the last one that counted, and
 * only as long as the clock does not show a time before it: then it has not been. So when the clock
 * is right nothing counts of what it showed while it was ahead, however often that was, and no more
 * days have been counted than have passed, unless it was behind when the count began or was set
 * back to before that. From then on, and while it is ahead, each time that it was set forward by a
 * day or more may count as a day: no clock tells that of a machine that was not used. (A rule that
 * never counts it would never end where the clock was ahead at first.) Kept in the state
 * database; to lose it only begins the counting anew.
 */
import type { DatabaseSync } from "node:sqlite";
import { CLOCK_SET_FROM_MS } from "./clock_set.ts";
import type { MachineRow } from "./segment_index.ts";
import { Statements } from "./state_db.ts";

/** A day counts at most once in this time of our clock. */
export const DAY_MS = 24 * 60 * 60 * 1000;

/** Days that a checkpoint must have stood before what it replaces is deleted. */
export const GRACE_DAYS = 7;

/** Days for which what is forgotten can be recalled. */
export const FORGET_DAYS = 30;

/**
 * Where days are counted: `since_ms` is when the count began, `days` how many there are, `at` the
 * times of them as JSON, `last_ms` the last of these times.
 */
type DayTable = "watched" | "forget_day";

/** Days of one count that are remembered: nothing waits for more. */
const DAYS_MAX = Math.max(GRACE_DAYS, FORGET_DAYS);

/** A count that begins with the next look by a clock that was set. */
const NOT_YET_MS = Number.MAX_SAFE_INTEGER;

/** A time to begin at. */
function beginning(nowMs: number): number {
  return nowMs < CLOCK_SET_FROM_MS ? NOT_YET_MS : Math.floor(nowMs);
}

/** Counts a day for everything whose last one is 24 hours ago, and none that is still to come. */
function countDay(statements: Statements, table: DayTable, clockMs: number): void {
  if (clockMs < CLOCK_SET_FROM_MS) return;
  const nowMs = Math.floor(clockMs);
  statements.prepare(
    `UPDATE ${table} SET since_ms = ?1, last_ms = ?1, days = 0, at = '[]' WHERE since_ms > ?1`,
  ).run(nowMs);
  statements.prepare(
    `UPDATE ${table} SET at =
       (SELECT json_group_array(value) FROM json_each(${table}.at) WHERE value <= ?1)
     WHERE last_ms > ?1`,
  ).run(nowMs);
  statements.prepare(
    `UPDATE ${table} SET days = json_array_length(at),
       last_ms = coalesce(json_extract(at, '$[#-1]'), since_ms)
     WHERE last_ms > ?1`,
  ).run(nowMs);
  statements.prepare(
    `UPDATE ${table} SET days = days + 1, last_ms = ?1, at = json_insert(at, '$[#]', ?1)
     WHERE last_ms <= ?1 - ?2 AND days < ?3`,
  ).run(nowMs, DAY_MS, DAYS_MAX);
}

/** The counted days of everything that is waited for, but for forgets. */
export class WatchedDays {
  readonly #statements: Statements;

  constructor(database: DatabaseSync) {
    this.#statements = new Statements(database);
  }

  /** Begins to count for `what`, unless it is counted already. */
  watch(what: string, nowMs: number): void {
    this.#statements.prepare("INSERT OR IGNORE INTO watched VALUES (?1, ?2, 0, '[]', ?2)")
      .run(what, beginning(nowMs));
  }

  /** To be called after every look at the vault. */
  count(nowMs: number): void {
    countDay(this.#statements, "watched", nowMs);
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

/** Begins what is counted for every pack of a push that this machine has given up. */
export const LEFT_PACKS = "left ";

/** A pack that this machine has sent, of which `entry` will never be put: nothing will name it. */
export function watchedPack(pack: string, entry: string): string {
  return `${LEFT_PACKS}${pack} ${entry}`;
}

/** Both names of a `watchedPack`. */
export function leftPackOf(what: string): { readonly pack: string; readonly entry: string } {
  const [pack = "", entry = ""] = what.slice(LEFT_PACKS.length).split(" ");
  return { pack, entry };
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
    this.#statements.prepare(
      "INSERT OR IGNORE INTO forget_day SELECT DISTINCT id, ?1, 0, '[]', ?1 FROM forget",
    ).run(beginning(nowMs));
    countDay(this.#statements, "forget_day", nowMs);
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
