/** Which records only one of two transcripts has, told briefly. */
import { createHash } from "node:crypto";
import { isObject } from "../../../src/sessions/json_object.ts";
import { lineAt } from "../../../src/sessions/record_text.ts";
import { spokenRecords } from "../../../src/sessions/spoken_records.ts";
import { type RecordLine, records, recordTimeMs } from "../../../src/sessions/transcript.ts";

/** Longest beginning of a text that is told, in UTF-16 units. */
export const RECORD_HEAD_MAX = 200;
/** Longest name of a kind of record that is told, in UTF-16 units. */
const KIND_MAX = 40;

/** One record; everything in it is hostile text. */
export interface ToldRecord {
  /** Its `type`; `line` for what is no record. */
  readonly kind: string;
  /** When it was made; null when it does not say. */
  readonly atMs: number | null;
  /** The beginning of what was said; "" when there is nothing to say. */
  readonly text: string;
  readonly sizeBytes: number;
}

/** What two transcripts have. */
export interface RecordDiff {
  readonly onlyFirst: readonly ToldRecord[];
  readonly onlySecond: readonly ToldRecord[];
  /** Records of both. */
  readonly common: number;
}

/**
 * Compares by the exact bytes of each line; one that stands twice in one of them counts twice.
 * Each list is in the order of its transcript.
 */
export function diffRecords(first: Uint8Array, second: Uint8Array): RecordDiff {
  // Mostly one is the beginning of the other.
  const shared = sharedLines(first, second);
  const [a, b] = [linesFrom(first, shared.bytes), linesFrom(second, shared.bytes)];
  const onlyFirst = without(a, b);
  const onlySecond = without(b, a);
  return {
    onlyFirst: onlyFirst.map(({ line }) => told(line)),
    onlySecond: onlySecond.map(({ line }) => told(line)),
    common: shared.lines + a.length - onlyFirst.length,
  };
}

/** The records of `one` that somebody said and that `other` has not, whatever session they name. */
export function saidOnlyIn(one: Uint8Array, other: Uint8Array): ToldRecord[] {
  const known = new Set(spokenRecords(other).map(({ hash }) => hash));
  return spokenRecords(one).filter(({ hash }) => !known.has(hash)).map(({ start }) => {
    const { next } = lineAt(one, start);
    const [line] = records(one.subarray(start, next));
    return told(line!);
  });
}

interface HashedLine {
  readonly line: RecordLine;
  readonly hash: string;
}

function sharedLines(a: Uint8Array, b: Uint8Array): { bytes: number; lines: number } {
  const length = Math.min(a.length, b.length);
  let at = 0;
  let bytes = 0;
  let lines = 0;
  for (; at < length && a[at] === b[at]; at++) {
    if (a[at] !== 0x0a) continue;
    bytes = at + 1;
    lines++;
  }
  return { bytes, lines };
}

function linesFrom(bytes: Uint8Array, from: number): HashedLine[] {
  return [...records(bytes.subarray(from))].map((line) => ({
    line,
    hash: createHash("sha256").update(line.line).digest("hex"),
  }));
}

function without(lines: readonly HashedLine[], others: readonly HashedLine[]): HashedLine[] {
  const left = new Map<string, number>();
  for (const { hash } of others) left.set(hash, (left.get(hash) ?? 0) + 1);
  return lines.filter(({ hash }) => {
    const count = left.get(hash) ?? 0;
    if (count > 0) left.set(hash, count - 1);
    return count === 0;
  });
}

function told(line: RecordLine): ToldRecord {
  const { parsed, length: sizeBytes } = line;
  if (parsed === null) return { kind: "line", atMs: null, text: "", sizeBytes };
  const { type } = parsed;
  const kind = typeof type === "string" && type !== "" ? type.slice(0, KIND_MAX) : "line";
  const text = headOf(parsed).slice(0, RECORD_HEAD_MAX).replace(/\s+/gu, " ").trim();
  return { kind, atMs: recordTimeMs(parsed), text, sizeBytes };
}

function headOf(record: Readonly<Record<string, unknown>>): string {
  const { message, content, customTitle, aiTitle, summary, lastPrompt } = record;
  const said = isObject(message) ? headOfContent(message["content"]) : "";
  for (const text of [said, content, customTitle, aiTitle, summary, lastPrompt]) {
    if (typeof text === "string" && text !== "") return text;
  }
  return "";
}

function headOfContent(content: unknown): string {
  if (typeof content === "string") return content;
  for (const block of Array.isArray(content) ? content : []) {
    if (!isObject(block)) continue;
    if (block["type"] === "text" && typeof block["text"] === "string") return block["text"];
    if (block["type"] === "tool_use") return `(tool ${String(block["name"])})`;
    if (block["type"] === "tool_result") return "(result of a tool)";
    if (block["type"] === "thinking") return "(thinking)";
    if (block["type"] === "image") return "(image)";
  }
  return "";
}
