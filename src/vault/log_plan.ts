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
    checkSeries(tag, entries, newest(log));
    const from = log.cursor?.seq ?? 0;
    const unread = entries.slice(from);
    if (unread.length > 0) plan.push({ tag, entries: unread });
  }
  return { logs: plan, listed };
}

function newest(log: KnownLog): LogMark | null {
  if (log.mark === null || log.cursor === null) return log.mark ?? log.cursor;
  return log.mark.seq >= log.cursor.seq ? log.mark : log.cursor;
}

function checkSeries(tag: string, entries: readonly ListedEntry[], mark: LogMark | null): void {
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i]!;
    if (i > 0 && entries[i - 1]!.seq === entry.seq) {
      throw new ClaudeSyncError(
        "forked",
        `The log ${tag} has two entries with number ${entry.seq}`,
        {
          objectName: entry.name,
        },
      );
    }
    if (entry.seq !== i + 1) {
      const lost = mark !== null && i + 1 <= mark.seq;
      throw new ClaudeSyncError(
        "incomplete",
        lost
          ? `Entry ${i + 1} of the log ${tag}, which this machine has read before, is gone`
          : `The log ${tag} has a gap: entry ${i + 1} is missing`,
        { objectName: entry.name },
      );
    }
  }
  if (mark === null) return;
  if (entries.length < mark.seq) throw rolledBack(tag, entries.length, mark.seq);
  const atMark = entries[mark.seq - 1]!;
  if (atMark.hash8 !== mark.hash.slice(0, 8)) {
    throw new ClaudeSyncError(
      "forked",
      `Entry ${mark.seq} of the log ${tag} is not the one this machine has read before`,
      { objectName: atMark.name },
    );
  }
}

function rolledBack(tag: string, found: number, expected: number): ClaudeSyncError {
  return new ClaudeSyncError(
    "rolled-back",
    `The log ${tag} ends at entry ${found}, but this machine has seen entry ${expected}`,
  );
}
