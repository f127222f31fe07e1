/**
 * Decides from names alone what a look at `log/` means: which alarms it raises (FORMAT.md section
 * 11) and which entries are to be read. Pure: the same list, marks and cursors always give the same
 * plan.
 */
import { ClaudeSyncError } from "../errors.ts";
import type { ObjectInfo } from "../storage/object_store.ts";
import type { ObjectName } from "../storage/object_name.ts";
import { parseLogEntryName } from "./names.ts";

/** The newest accepted entry of one log. `hash` is the hex entry hash. */
export interface LogMark {
  readonly seq: number;
  readonly hash: string;
}

/** What this machine knows of one log, by tag. */
export interface KnownLog {
  /** High-water mark; null when none is remembered. */
  readonly mark: LogMark | null;
  /** Newest entry that the local index holds; null when the index is new. */
  readonly cursor: LogMark | null;
  /** Further entries that this machine has accepted: those that share their number with another. */
  readonly twins?: readonly LogMark[];
  /** Whether the local index holds an entry, or what says it again. Needed with a cursor. */
  readonly hasRead?: (entry: ListedEntry) => boolean;
  /** Number of the first entry that is needed (FORMAT.md section 12); missing: 1. */
  readonly base?: number;
  /** Whether another machine has taken over all before the base: nothing need be there then. */
  readonly isRetired?: boolean;
}

/** One entry as its name tells it. */
export interface ListedEntry {
  readonly tag: string;
  readonly seq: number;
  readonly hash8: string;
  readonly name: ObjectName;
}

/** What of one log is to be read. */
export interface PlannedLog {
  readonly tag: string;
  /** In order of `seq`. */
  readonly entries: readonly ListedEntry[];
  /** The log's base, when reading begins there and entries before it are left out; else null. */
  readonly from: number | null;
  /** Entries before `from`: read only where the checkpoint does not say them again. */
  readonly before: readonly ListedEntry[];
}

/** Entries to read, and what is wrong. */
export interface LogPlan {
  readonly logs: readonly PlannedLog[];
  /**
   * By log tag: `rolled-back`, `forked` or `incomplete`. Unless reading the other logs explains
   * one, nothing may be replaced or pushed.
   */
  readonly alarms: ReadonlyMap<string, ClaudeSyncError>;
}

/** Groups listed names by log; names that are no log entries are ignored. */
export function groupByLog(listed: Iterable<ObjectInfo>): Map<string, ListedEntry[]> {
  const logs = new Map<string, ListedEntry[]>();
  for (const { name } of listed) {
    const parsed = parseLogEntryName(name);
    if (parsed === null) continue;
    const entries = logs.get(parsed.tag) ?? [];
    entries.push({ ...parsed, name });
    logs.set(parsed.tag, entries);
  }
  for (const entries of logs.values()) {
    entries.sort((a, b) => a.seq - b.seq || (a.hash8 < b.hash8 ? -1 : 1));
  }
  return logs;
}

/** Plans reading. `known` is by tag. Pure. */
export function planLogRead(
  logs: ReadonlyMap<string, readonly ListedEntry[]>,
  known: ReadonlyMap<string, KnownLog>,
): LogPlan {
  const plan: PlannedLog[] = [];
  const alarms = new Map<string, ClaudeSyncError>();
  for (const tag of [...new Set([...known.keys(), ...logs.keys()])].sort()) {
    const entries = logs.get(tag) ?? [];
    const log = known.get(tag) ?? { mark: null, cursor: null };
    const alarm = checkSeries(tag, entries, log);
    if (alarm !== null) alarms.set(tag, alarm);
    const unread = unreadOf(tag, entries, log);
    if (unread.entries.length > 0) plan.push(unread);
  }
  return { logs: plan, alarms };
}

function newest(log: KnownLog): LogMark | null {
  if (log.mark === null || log.cursor === null) return log.mark ?? log.cursor;
  return log.mark.seq >= log.cursor.seq ? log.mark : log.cursor;
}

function unreadOf(tag: string, entries: readonly ListedEntry[], log: KnownLog): PlannedLog {
  const { cursor, base = 1 } = log;
  if (cursor === null || cursor.seq < base - 1) {
    const needed = entries.filter(({ seq }) => seq >= base);
    const before = entries.filter(({ seq }) => seq < base);
    return { tag, entries: needed, from: base > 1 ? base : null, before };
  }
  // Of a number that is there twice one may have been read; every other was read up to the cursor.
  const unread = entries.filter((entry, i) => {
    const isTwin = entries[i - 1]?.seq === entry.seq || entries[i + 1]?.seq === entry.seq;
    if (isMarked(entry, cursor)) return false;
    // Where its twin was deleted, a late one stands alone.
    return isTwin || entry.seq < base ? !log.hasRead?.(entry) : entry.seq > cursor.seq;
  });
  return { tag, entries: unread, from: null, before: [] };
}

function isMarked(entry: ListedEntry, mark: LogMark): boolean {
  return entry.seq === mark.seq && mark.hash.startsWith(entry.hash8);
}

function checkSeries(
  tag: string,
  entries: readonly ListedEntry[],
  log: KnownLog,
): ClaudeSyncError | null {
  const { base = 1, isRetired = false, twins = [] } = log;
  const mark = newest(log);
  let expected = base;
  for (const entry of entries) {
    // Two entries with one number: whether both are the machine's own shows when they are read.
    if (entry.seq < base || entry.seq === expected - 1) continue;
    if (entry.seq !== expected) {
      const lost = mark !== null && expected <= mark.seq;
      return new ClaudeSyncError(
        "incomplete",
        lost
          ? `Entry ${expected} of the log ${tag}, which this machine has read before, is gone`
          : `The log ${tag} has a gap: entry ${expected} is missing`,
        { objectName: entry.name },
      );
    }
    expected++;
  }
  if (mark === null) return null;
  const end = expected - 1;
  if (end < mark.seq || (end < base && !isRetired)) return rolledBack(tag, entries, mark.seq);
  for (const seen of [mark, ...twins]) {
    if (seen.seq < base || entries.some((entry) => isMarked(entry, seen))) continue;
    return new ClaudeSyncError(
      "forked",
      `Entry ${seen.seq} of the log ${tag} is not the one this machine has read before`,
      { objectName: entries.find(({ seq }) => seq === seen.seq)!.name },
    );
  }
  return null;
}

function rolledBack(
  tag: string,
  entries: readonly ListedEntry[],
  expected: number,
): ClaudeSyncError {
  const end = entries.at(-1)?.seq ?? 0;
  return new ClaudeSyncError(
    "rolled-back",
    `The log ${tag} ends at entry ${end}, but this machine has seen entry ${expected}`,
  );
}

/** From how many unread entries on it pays to look first whether a checkpoint spares most. */
const WORTH_A_LOOK = 32;

/**
 * Whether the log's newest entry is to be read before planning, for it alone tells the base: where
 * entries are missing, which may have been compacted away, or many are unread.
 */
export function needsLook(entries: readonly ListedEntry[], log: KnownLog | undefined): boolean {
  const { base = 1, cursor = null } = log ?? {};
  const from = Math.max(base, (cursor?.seq ?? 0) + 1);
  const unread = entries.filter(({ seq }) => seq >= from);
  if (unread.length > WORTH_A_LOOK) return true;
  const numbers = new Set(entries.map(({ seq }) => seq));
  const end = entries.at(-1)?.seq ?? 0;
  for (let seq = base; seq <= end; seq++) if (!numbers.has(seq)) return true;
  return false;
}
