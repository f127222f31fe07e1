/** Which records only one of two transcripts has, told briefly. */
import { createHash } from "node:crypto";
import { concat } from "../base/bytes.ts";
import { isObject } from "./json_object.ts";
import type { TextLine } from "./line_cutter.ts";
import { spokenRecord } from "./spoken_records.ts";
import { type RecordLine, records, recordTimeMs } from "./transcript.ts";

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

/** Whether somebody said the line, and it is not one of `known`. */
export function isSaidOutside({ text, start }: TextLine, known: ReadonlySet<string>): boolean {
  const record = spokenRecord(text, start);
  return record !== null && !known.has(record.hash);
}

/** How often each line stands in a transcript. */
export class LineTally {
  readonly #left = new Map<string, number>();
  /** All that were added. */
  lines = 0;

  add(line: TextLine): void {
    const hash = hashOf(line);
    this.#left.set(hash, (this.#left.get(hash) ?? 0) + 1);
    this.lines++;
  }

  /** Takes one like `line` away; false when there is none left. */
  takeAway(line: TextLine): boolean {
    const hash = hashOf(line);
    const count = this.#left.get(hash) ?? 0;
    if (count > 0) this.#left.set(hash, count - 1);
    return count > 0;
  }
}

/** Without the line feed; a carriage return before it counts. */
function hashOf({ text, ending }: TextLine): string {
  const hash = createHash("sha256").update(text);
  if (ending.length > 1) hash.update(ending.subarray(0, -1));
  return hash.digest("base64");
}

/** What is told of a line. */
export function toldLine({ text, ending }: TextLine): ToldRecord {
  const [line] = records(concat(text, ending));
  return told(line!);
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
