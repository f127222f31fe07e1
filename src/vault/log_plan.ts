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
  /** Whether the local index holds an entry. Needed with a cursor. */
  readonly hasRead?: (entry: ListedEntry) => boolean;
}

/** One entry as its name tells it. */
export interface ListedEntry {
  readonly tag: string;
  readonly seq: number;
  readonly hash8: string;
  readonly name: ObjectName;
}

/** Entries to read, per log in order of `seq`. */
export interface LogPlan {
  readonly logs: readonly { readonly tag: string; readonly entries: readonly ListedEntry[] }[];
  /** Number of entries listed. */
  readonly listed: number;
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

/**
 * Plans reading. `known` is by tag. Throws `rolled-back`, `forked` or `incomplete`; nothing may be
 * replaced or pushed then.
 */
export function planLogRead(
  logs: ReadonlyMap<string, readonly ListedEntry[]>,
  known: ReadonlyMap<string, KnownLog>,
): LogPlan {
  const plan: { tag: string; entries: ListedEntry[] }[] = [];
  let listed = 0;
  for (const tag of [...known.keys()].sort()) {
    const mark = newest(known.get(tag)!);
    if (mark !== null && !logs.has(tag)) throw rolledBack(tag, 0, mark.seq);
  }
  for (const tag of [...logs.keys()].sort()) {
    const entries = logs.get(tag)!;
    listed += entries.length;
    const log = known.get(tag) ?? { mark: null, cursor: null };
    checkSeries(tag, entries, newest(log), log.twins ?? []);
    const unread = unreadOf(entries, log);
    if (unread.length > 0) plan.push({ tag, entries: unread });
  }
  return { logs: plan, listed };
}

function newest(log: KnownLog): LogMark | null {
  if (log.mark === null || log.cursor === null) return log.mark ?? log.cursor;
  return log.mark.seq >= log.cursor.seq ? log.mark : log.cursor;
}

function unreadOf(entries: readonly ListedEntry[], log: KnownLog): ListedEntry[] {
  const { cursor, twins = [] } = log;
  if (cursor === null) return [...entries];
  // Of a number that is there twice one may have been read; every other was read up to the cursor.
  return entries.filter((entry, i) => {
    const isTwin = entries[i - 1]?.seq === entry.seq || entries[i + 1]?.seq === entry.seq;
    if (isMarked(entry, cursor) || twins.some((twin) => isMarked(entry, twin))) return false;
    return isTwin ? !log.hasRead?.(entry) : entry.seq > cursor.seq;
  });
}

function isMarked(entry: ListedEntry, mark: LogMark): boolean {
  return entry.seq === mark.seq && mark.hash.startsWith(entry.hash8);
}

function checkSeries(
  tag: string,
  entries: readonly ListedEntry[],
  mark: LogMark | null,
  twins: readonly LogMark[],
): void {
  let expected = 1;
  for (const entry of entries) {
    // Two entries with one number: whether both are the machine's own shows when they are read.
    if (entry.seq === expected - 1) continue;
    if (entry.seq !== expected) {
      const lost = mark !== null && expected <= mark.seq;
      throw new ClaudeSyncError(
        "incomplete",
        lost
          ? `Entry ${expected} of the log ${tag}, which this machine has read before, is gone`
          : `The log ${tag} has a gap: entry ${expected} is missing`,
        { objectName: entry.name },
      );
    }
    expected++;
  }
  if (mark === null) return;
  if (expected - 1 < mark.seq) throw rolledBack(tag, expected - 1, mark.seq);
  for (const seen of [mark, ...twins]) {
    if (entries.some((entry) => isMarked(entry, seen))) continue;
    throw new ClaudeSyncError(
      "forked",
      `Entry ${seen.seq} of the log ${tag} is not the one this machine has read before`,
      { objectName: entries.find(({ seq }) => seq === seen.seq)!.name },
    );
  }
}

function rolledBack(tag: string, found: number, expected: number): ClaudeSyncError {
  return new ClaudeSyncError(
    "rolled-back",
    `The log ${tag} ends at entry ${found}, but this machine has seen entry ${expected}`,
  );
}
