/**
 * Transcripts are JSONL that an open set of client versions writes and that may end in mid-line.
 * All of this is lossless: bytes are looked at, never changed, and what is not understood is
 * opaque.
 */
import { parseJsonObject } from "./json_object.ts";

/** Longest line that is looked into; longer ones are opaque. */
export const RECORD_BYTES_MAX = 64 * 1024 * 1024;

const NEWLINE = 0x0a;

/** One line of a transcript. */
export class RecordLine {
  /** Where the line begins in the bytes that were given. */
  readonly offset: number;
  /** Bytes up to and with the newline; the slices of all records make up the input again. */
  readonly length: number;
  /** The line without its newline (a carriage return stays). Shares memory with the input. */
  readonly line: Uint8Array;
  #parsed: Record<string, unknown> | null | undefined;

  constructor(bytes: Uint8Array, offset: number, end: number, isComplete: boolean) {
    this.offset = offset;
    this.length = end - offset;
    this.line = bytes.subarray(offset, isComplete ? end - 1 : end);
  }

  /** Whether the line has its newline. Only the last one may have none. */
  get isComplete(): boolean {
    return this.line.length < this.length;
  }

  /**
   * The record, or null for garbage, for what is no object, and for lines past the limits. Parsed
   * at first use. Fields are unknown, and nothing is inherited; never copy the fields into other
   * objects.
   */
  get parsed(): Record<string, unknown> | null {
    if (this.#parsed === undefined) {
      const isOpaque = this.line.length > RECORD_BYTES_MAX || this.line.length < 2;
      this.#parsed = isOpaque ? null : parseJsonObject(this.line);
    }
    return this.#parsed;
  }
}

/** Offset just after the last newline; 0 when there is none. What follows is torn. */
export function lastCompleteLineEnd(bytes: Uint8Array): number {
  return bytes.lastIndexOf(NEWLINE) + 1;
}

/** Walks the lines in order, blank and torn ones too. Never throws. */
export function* records(bytes: Uint8Array): Generator<RecordLine> {
  let offset = 0;
  while (offset < bytes.length) {
    const newline = bytes.indexOf(NEWLINE, offset);
    const isComplete = newline !== -1;
    const end = isComplete ? newline + 1 : bytes.length;
    yield new RecordLine(bytes, offset, end, isComplete);
    offset = end;
  }
}

/** Walks the complete lines from the last to the first. Never throws. */
export function* recordsFromEnd(bytes: Uint8Array): Generator<RecordLine> {
  let end = lastCompleteLineEnd(bytes);
  while (end > 0) {
    const offset = end < 2 ? 0 : bytes.lastIndexOf(NEWLINE, end - 2) + 1;
    yield new RecordLine(bytes, offset, end, true);
    end = offset;
  }
}

/** A record's time in milliseconds since 1970, or null. May lie in the future. */
export function recordTimeMs(record: Readonly<Record<string, unknown>>): number | null {
  const text = record["timestamp"];
  if (typeof text !== "string" || !ISO_TIME.test(text)) return null;
  const timeMs = Date.parse(text);
  return Number.isFinite(timeMs) && timeMs > 0 ? timeMs : null;
}

const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;
