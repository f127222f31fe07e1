/**
 * What was said in a transcript: the records that make a continuation worth showing.
 *
 * A *spoken record* is a line that parses as an object and has
 * - type `assistant`, unless the client made it up (`message.model` is `<synthetic>`), or
 * - type `user`, unless it is `isMeta` or echoes a local command: its text starts with one of
 *   `ECHO_TAGS`, or is a list of nothing but such texts. A tool's result is spoken.
 * A line beyond `RECORD_BYTES_MAX` that starts with `{` is spoken without being read: an extra
 * branch is a smaller harm than a hidden one. A torn last line counts when it parses.
 *
 * Its *identity* is the SHA-256 of the line without its end, with the values of the top-level
 * members `sessionId` and `session_id` and the whole member `forkedFrom` (with the comma before it)
 * left out. So the copy of a record in a branch is the same record, whoever made it and in whatever
 * order.
 */
import { createHash } from "node:crypto";
import { lines, type Member, membersOf, parseRecord } from "./record_text.ts";
import { isObject } from "./json_object.ts";
import { RECORD_BYTES_MAX } from "./transcript.ts";

/** One spoken record of a transcript. */
export interface SpokenRecord {
  /** Identity: 64 hexadecimal digits. */
  readonly hash: string;
  /** Offset of its line. */
  readonly start: number;
  /** When it was said, in ms since the Unix epoch; Infinity when the record does not tell. */
  readonly saidMs: number;
  readonly speaker: "assistant" | "user" | "unknown";
}

const ECHO_TAGS = [
  "<command-name>",
  "<command-message>",
  "<command-args>",
  "<local-command-stdout>",
  "<local-command-stderr>",
  "<local-command-caveat>",
  "<bash-input>",
  "<bash-stdout>",
  "<bash-stderr>",
] as const;

const CARRIED_MEMBERS = new Set(["sessionId", "session_id"]);
const SPOKEN_TYPES = new Set(["assistant", "user"]);

/** The spoken records of a transcript from `start` (the start of a line), in order. */
export function spokenRecords(bytes: Uint8Array, start = 0): SpokenRecord[] {
  const records: SpokenRecord[] = [];
  for (const line of lines(bytes, start)) {
    const record = spokenRecord(bytes.subarray(line.start, line.end), line.start);
    if (record !== null) records.push(record);
  }
  return records;
}

/** The line `text`, which begins at `start`, as a spoken record, or null when it is none. */
export function spokenRecord(text: Uint8Array, start: number): SpokenRecord | null {
  if (text[0] !== 0x7b) return null;
  if (text.length > RECORD_BYTES_MAX) {
    const hash = createHash("sha256").update(text).digest("hex");
    return { hash, start, saidMs: Infinity, speaker: "unknown" };
  }
  const members = membersOf(text);
  if (members === null || !hasSpokenType(text, members)) return null;
  const record = parseRecord(text);
  if (record === null || !isSpoken(record)) return null;
  return {
    hash: identity(text, members),
    start,
    saidMs: isoTimeMs(record["timestamp"]),
    speaker: record["type"] === "user" ? "user" : "assistant",
  };
}

/** A file system gives back zeros for blocks that a power cut lost; no client writes them. */
const ZEROS_MIN = 16;

/**
 * Whether `now` replaces `old` as the session's content, `old` being what was synced from the same
 * file and no longer its prefix. True when `now` has every spoken record of `old`, or all but the
 * last one and the assistant said that one (the client takes an answer back after a refusal). False
 * when people would miss something, or when zeros stand where none were: a damaged file must not
 * take the place of the good one. Then `now` is a continuation beside it.
 */
export function isRewriteOf(old: Uint8Array, now: Uint8Array): boolean {
  if (zerosOf(now) > zerosOf(old)) return false;
  const said = spokenRecords(old);
  const last = said.at(-1);
  const kept = new Set(spokenRecords(now).map((record) => record.hash));
  return said.every((record) =>
    kept.has(record.hash) || (record.hash === last?.hash && record.speaker === "assistant")
  );
}

/** How many bytes lie in runs of at least `ZEROS_MIN` zeros. */
function zerosOf(bytes: Uint8Array): number {
  let total = 0;
  let at = bytes.indexOf(0);
  while (at !== -1) {
    let end = at;
    while (bytes[end] === 0) end++;
    if (end - at >= ZEROS_MIN) total += end - at;
    at = bytes.indexOf(0, end);
  }
  return total;
}

/**
 * Milliseconds since the Unix epoch of an ISO 8601 time in UTC as the client writes it, else
 * Infinity. Not `Date.parse`: what that makes of an impossible day differs from engine to engine.
 */
function isoTimeMs(value: unknown): number {
  if (typeof value !== "string") return Infinity;
  const match = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z$/.exec(value);
  if (match === null) return Infinity;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number);
  const ms = Number((match[7] ?? "").padEnd(3, "0").slice(0, 3));
  const time = Date.UTC(year!, month! - 1, day!, hour!, minute!, second!, ms);
  // Months and days out of range would be carried over; such a time is not one the client wrote.
  return new Date(time).toISOString().startsWith(value.slice(0, 19)) ? time : Infinity;
}

function hasSpokenType(line: Uint8Array, members: readonly Member[]): boolean {
  for (const { key, valueStart, valueEnd } of members) {
    // Only short values can be one of the two names.
    if (key !== "type" || valueEnd - valueStart > 11) continue;
    const value = String.fromCharCode(...line.subarray(valueStart + 1, valueEnd - 1));
    if (SPOKEN_TYPES.has(value)) return true;
  }
  return false;
}

function isSpoken(record: Record<string, unknown>): boolean {
  if (record["type"] === "assistant") return modelOf(record) !== "<synthetic>";
  if (record["type"] !== "user" || record["isMeta"] === true) return false;
  const content = contentOf(record);
  if (typeof content === "string") return !isEcho(content);
  const parts = textParts(content);
  return parts.length === 0 || parts.some((part) => part === null || !isEcho(part));
}

function isEcho(text: string): boolean {
  return ECHO_TAGS.some((tag) => text.startsWith(tag));
}

function contentOf(record: Record<string, unknown>): unknown {
  const message = record["message"];
  return isObject(message) ? message["content"] : undefined;
}

function modelOf(record: Record<string, unknown>): unknown {
  const message = record["message"];
  return isObject(message) ? message["model"] : undefined;
}

/** One entry per part of a content list: its text, or null for a part of another kind. */
function textParts(content: unknown): (string | null)[] {
  if (!Array.isArray(content)) return [];
  return content.map((part) =>
    isObject(part) && part["type"] === "text" && typeof part["text"] === "string"
      ? part["text"]
      : null
  );
}

function identity(line: Uint8Array, members: readonly Member[]): string {
  const hash = createHash("sha256");
  let at = 0;
  for (const member of members) {
    if (CARRIED_MEMBERS.has(member.key)) {
      hash.update(line.subarray(at, member.valueStart));
    } else if (member.key === "forkedFrom") {
      hash.update(line.subarray(at, member.previousEnd));
    } else continue;
    at = member.valueEnd;
  }
  return hash.update(line.subarray(at)).digest("hex");
}
