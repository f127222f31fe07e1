/**
 * One record of a transcript as text: where its members stand, and edits that leave every other
 * byte as it is. A record is never serialised again, because the client's exact bytes are what we
 * promise to keep.
 */
import { concat } from "../base/bytes.ts";
import { JSON_DEPTH_MAX } from "./json_object.ts";
import { RECORD_BYTES_MAX } from "./transcript.ts";

/** Most members of a record that are told apart; the client's records have some twenty. */
export const RECORD_MEMBERS_MAX = 10_000;

/** Longest key that is told, in bytes: that of a longer one, which nobody looks for, is cut. */
const KEY_BYTES_MAX = 64;

/** Offsets in a line: the key without its quotes, and the value. */
export interface Member {
  readonly key: string;
  /** End of the member before this one (its value's end), or of the opening brace. */
  readonly previousEnd: number;
  readonly valueStart: number;
  readonly valueEnd: number;
}

/** One line of a transcript; offsets count from the transcript's start. */
export interface Line {
  readonly start: number;
  /** Without the line end. */
  readonly end: number;
  /** With the line end; equal to `end` for a last line that was torn. */
  readonly next: number;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/**
 * Every line of `bytes` from `start` (the start of a line), incl. a torn last one. CRLF is an end.
 */
export function* lines(bytes: Uint8Array, start = 0): Generator<Line> {
  while (start < bytes.length) {
    const line = lineAt(bytes, start);
    yield line;
    start = line.next;
  }
}

/** The line that starts at `start`. */
export function lineAt(bytes: Uint8Array, start: number): Line {
  const newline = bytes.indexOf(0x0a, start);
  if (newline < 0) return { start, end: bytes.length, next: bytes.length };
  const end = newline > start && bytes[newline - 1] === 0x0d ? newline - 1 : newline;
  return { start, end, next: newline + 1 };
}

/**
 * The members of the object that `line` holds, in order, repeated keys too. Null when the line is
 * no object by its brackets and strings, is too long or too deep, or has too many members. Does not
 * prove that the line parses. Keys are compared as they are written: one that is spelt with escapes
 * is not recognised.
 */
export function membersOf(line: Uint8Array): Member[] | null {
  if (line.length > RECORD_BYTES_MAX) return null;
  let at = skipSpace(line, 0);
  if (line[at] !== OPEN) return null;
  const members: Member[] = [];
  let previousEnd = ++at;
  at = skipSpace(line, at);
  if (line[at] === CLOSE) return skipSpace(line, at + 1) === line.length ? members : null;
  while (true) {
    const keyEnd = stringEnd(line, at);
    if (keyEnd < 0) return null;
    if (members.length === RECORD_MEMBERS_MAX) return null;
    const key = latin1(line, at + 1, Math.min(keyEnd - 1, at + 1 + KEY_BYTES_MAX));
    at = skipSpace(line, keyEnd);
    if (line[at] !== COLON) return null;
    const valueStart = skipSpace(line, at + 1);
    const valueEnd = skipValue(line, valueStart);
    if (valueEnd < 0) return null;
    members.push({ key, previousEnd, valueStart, valueEnd });
    previousEnd = valueEnd;
    at = skipSpace(line, valueEnd);
    if (line[at] === CLOSE) return skipSpace(line, at + 1) === line.length ? members : null;
    if (line[at] !== COMMA) return null;
    at = skipSpace(line, at + 1);
  }
}

/** The last member called `key`, which is the one that JSON.parse keeps. */
export function lastMember(members: readonly Member[], key: string): Member | undefined {
  return members.findLast((member) => member.key === key);
}

/** Parses a line that `membersOf` accepted. Null when it does not parse. */
export function parseRecord(line: Uint8Array): Record<string, unknown> | null {
  try {
    return JSON.parse(decoder.decode(line));
  } catch {
    // Garbage between the brackets: the line is opaque to us, as it is to the client.
    return null;
  }
}

/** Whether the value of `member` is written exactly as `text`. */
export function isWritten(line: Uint8Array, member: Member, text: string): boolean {
  return member.valueEnd - member.valueStart === text.length &&
    latin1(line, member.valueStart, member.valueEnd) === text;
}

/** Replacement of the bytes from `start` to `end`. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly bytes: Uint8Array;
}

/**
 * Applies `edits`, which are in order and do not overlap. Gives `line` itself when there are none.
 */
export function edited(line: Uint8Array, edits: readonly Edit[]): Uint8Array {
  if (edits.length === 0) return line;
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const edit of edits) {
    parts.push(line.subarray(at, edit.start), edit.bytes);
    at = edit.end;
  }
  parts.push(line.subarray(at));
  return concat(...parts);
}

/** Decodes a part of a line; invalid UTF-8 reads as U+FFFD. */
export function textOf(line: Uint8Array, start: number, end: number): string {
  return decoder.decode(line.subarray(start, end));
}

function latin1(line: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(line[i]!);
  return text;
}

function skipSpace(line: Uint8Array, at: number): number {
  while (line[at] === 0x20 || line[at] === 0x09 || line[at] === 0x0d) at++;
  return at;
}

/** End of the string that starts at `at`, past its quote; -1 when there is none. */
function stringEnd(line: Uint8Array, at: number): number {
  if (line[at] !== QUOTE) return -1;
  for (let i = at + 1; i < line.length; i++) {
    const byte = line[i];
    if (byte === QUOTE) return i + 1;
    if (byte === BACKSLASH) i++;
  }
  return -1;
}

function skipValue(line: Uint8Array, at: number): number {
  const first = line[at];
  if (first === QUOTE) return stringEnd(line, at);
  if (first === OPEN || first === 0x5b) return skipNested(line, at);
  let end = at;
  while (end < line.length && !isLiteralEnd(line[end]!)) end++;
  return end > at ? end : -1;
}

function skipNested(line: Uint8Array, at: number): number {
  // The record itself is the first level.
  let depth = 1;
  for (let i = at; i < line.length; i++) {
    const byte = line[i];
    if (byte === QUOTE) {
      i = stringEnd(line, i) - 1;
      if (i < 0) return -1;
    } else if (byte === OPEN || byte === 0x5b) {
      if (++depth > JSON_DEPTH_MAX) return -1;
    } else if (byte === CLOSE || byte === 0x5d) {
      if (--depth === 1) return i + 1;
    }
  }
  return -1;
}

function isLiteralEnd(byte: number): boolean {
  return byte === COMMA || byte === CLOSE || byte === 0x20 || byte === 0x09 || byte === 0x0d;
}
