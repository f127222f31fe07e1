/**
 * The journal: one line for each run of this machine, in two files of bounded size. It is for
 * people; nothing depends on it, so nobody waits for the disk.
 */
import * as z from "zod/mini";
import { utf8 } from "../base/bytes.ts";
import { isClaudeSyncError } from "../errors.ts";
import type { Platform, WriteHandle } from "../platform/types.ts";
import type { JournalRecord } from "./history_api.ts";
import type { HomePaths } from "./home.ts";

/** Size from which the journal is set aside; the one that was set aside before goes. */
export const JOURNAL_BYTES_MAX = 512 * 1024;
/** Longest line; a longer message is cut. */
const JOURNAL_LINE_BYTES_MAX = 4096;

const MESSAGE_UNITS_MAX = 500;

const count = z.number().check(z.minimum(0));

const Record = z.object({
  command: z.enum(["push", "pull", "sync", "restore", "import", "forget", "gc"]),
  by: z.enum(["user", "hook"]),
  atMs: z.number(),
  ms: count,
  ok: z.boolean(),
  code: z.nullable(z.string()),
  message: z.nullable(z.string()),
  sentSessions: count,
  receivedSessions: count,
  bytes: z.object({ sent: count, received: count, written: count }),
});

/** Adds a line, which a power cut may take. Errors: `local-io`, `no-space`. */
export function appendJournal(platform: Platform, paths: HomePaths, record: JournalRecord): void {
  const { fs } = platform;
  const message = record.message?.slice(0, MESSAGE_UNITS_MAX) ?? null;
  // The line's end stands before it: so what a crash tore never swallows the next one.
  const line = utf8("\n" + JSON.stringify({ ...record, message }));
  if (line.length > JOURNAL_LINE_BYTES_MAX) return;
  const handle = openJournal(platform, paths.journal);
  try {
    handle.write(line);
  } finally {
    handle.close();
  }
  // Of two runs that end in one instant the second may set a young one aside: then less is told.
  if ((fs.lstat(paths.journal)?.sizeBytes ?? 0) >= JOURNAL_BYTES_MAX) {
    fs.rename(paths.journal, paths.olderJournal);
  }
}

function openJournal({ fs }: Platform, path: string): WriteHandle {
  const existing = fs.openAppend(path);
  if (existing !== null) return existing;
  try {
    return fs.createFile(path);
  } catch (error) {
    // Another run has made it in this instant.
    const made = fs.openAppend(path);
    if (made === null) throw error;
    return made;
  }
}

/** All records that are there, oldest first. Torn and unknown lines are passed over. */
export function readJournal(platform: Platform, paths: HomePaths): JournalRecord[] {
  return [paths.olderJournal, paths.journal].flatMap((path) => recordsIn(platform, path));
}

function recordsIn({ fs }: Platform, path: string): JournalRecord[] {
  let text: string;
  try {
    // A line more than the limit may have been added before it was set aside.
    const bytes = fs.readFile(path, 2 * JOURNAL_BYTES_MAX);
    text = bytes === null ? "" : new TextDecoder().decode(bytes);
  } catch (error) {
    // What somebody else has put there is no journal of ours.
    if (!isClaudeSyncError(error, "too-large", "unsafe-file")) throw error;
    return [];
  }
  const records: JournalRecord[] = [];
  for (const line of text.split("\n")) {
    const record = parseLine(line);
    if (record !== null) records.push(record);
  }
  return records;
}

function parseLine(line: string): JournalRecord | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (_torn) {
    // Half a line is what a crash leaves.
    return null;
  }
  const parsed = z.safeParse(Record, value);
  return parsed.success ? parsed.data : null;
}
