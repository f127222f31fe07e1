/** How a branch is named, in bytes that are the same on every machine and runtime. */
import { lastMember, lines, membersOf, parseRecord } from "./record_text.ts";
import { promptOf } from "./transcript_facts.ts";

/** Longest part of a first prompt that becomes a title, in characters as people see them. */
export const TITLE_CHARS_MAX = 60;

/** Longest machine name in a title, in characters as people see them. */
export const MACHINE_CHARS_MAX = 40;

/** Longest title given by a user or the client that is kept whole. */
export const GIVEN_TITLE_CHARS_MAX = 240;

/**
 * Most code points of one character of a title, on average: joined emoji have ten. What is put
 * together of more is cut, or one "character" could be as long as a record.
 */
const POINTS_PER_CHAR_MAX = 16;

// Fixed ranges instead of Unicode classes or Intl.Segmenter: runtimes carry different Unicode
// versions, and a title that differs would make two files of one branch.

/** Code points that move a cursor, reorder text or cannot be seen. */
const UNSAFE: readonly (readonly [first: number, last: number])[] = [
  [0x00, 0x1f],
  [0x7f, 0x9f],
  [0x61c, 0x61c],
  [0x200b, 0x200b],
  [0x200e, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x2069],
  [0xfeff, 0xfeff],
];
const JOINS_PREVIOUS = /^[\u0300-\u036f\u200d\u20e3\ufe0e\ufe0f\u{1f3fb}-\u{1f3ff}]$/u;
const REGIONAL = /^[\u{1f1e6}-\u{1f1ff}]$/u;

/**
 * ` (from machine)`, in which nothing can reorder text, move a cursor or look like a second one.
 */
export function machineSuffix(machine: string): string {
  const plain = machine.replace(/[()]/g, " ");
  const name = cut(oneLine(plain, MACHINE_CHARS_MAX), MACHINE_CHARS_MAX);
  return ` (from ${name === "" ? "another machine" : name})`;
}

/** The suffix at the end of `title`, or null when it has none. */
export function suffixOf(title: string): string | null {
  return / \(from [^()]+\)$/u.exec(title)?.[0] ?? null;
}

/**
 * The title of a branch without its suffix: the last custom title that stands before the record at
 * `start`, else the last title the client made, else the first prompt up to and including that
 * record, else `Untitled`. Looks at nothing after it, so that a growing branch keeps its name.
 */
export function titleAt(bytes: Uint8Array, start: number): string {
  const search = new TitleSearch();
  for (const line of lines(bytes)) {
    if (line.start > start) break;
    search.take(bytes.subarray(line.start, line.end));
  }
  return search.title();
}

/** Finds what `titleAt` gives in lines that come one after the other. */
export class TitleSearch {
  #custom = "";
  #generated = "";
  #prompt = "";

  /** Takes the next line, without its end. */
  take(text: Uint8Array): void {
    const type = typeOf(text);
    if (type === "custom-title") this.#custom = stringField(text, "customTitle");
    else if (type === "ai-title") {
      this.#generated = stringField(text, "aiTitle") || this.#generated;
    } else if (type === "user" && this.#prompt === "") this.#prompt = promptIn(text);
  }

  /** The title by what was taken so far. */
  title(): string {
    return cut(this.#custom || this.#generated, GIVEN_TITLE_CHARS_MAX) ||
      cut(this.#prompt, TITLE_CHARS_MAX) || "Untitled";
  }
}

/** The record's type when it is written plainly, else "". */
export function typeOf(line: Uint8Array): string {
  const members = membersOf(line);
  const type = members === null ? undefined : lastMember(members, "type");
  if (type === undefined || type.valueEnd - type.valueStart > 32) return "";
  return String.fromCharCode(...line.subarray(type.valueStart + 1, type.valueEnd - 1));
}

function promptIn(line: Uint8Array): string {
  const record = parseRecord(line);
  return record === null ? "" : oneLine(promptOf(record) ?? "", TITLE_CHARS_MAX);
}

function stringField(line: Uint8Array, name: string): string {
  const value = parseRecord(line)?.[name];
  return typeof value === "string" ? oneLine(value, GIVEN_TITLE_CHARS_MAX) : "";
}

/**
 * The text without what is unsafe, every run of white space as one space, none at its ends. Ends
 * where `cut` to `charsMax` cuts in any case: a prompt may have many MiB.
 */
function oneLine(text: string, charsMax: number): string {
  const kept: string[] = [];
  let wasSpace = false;
  for (const char of text) {
    const isSpace = /^\s$/u.test(char);
    const isRun = isSpace && wasSpace;
    wasSpace = isSpace;
    if (isRun || (isSpace && kept.length === 0)) continue;
    if (isSpace) kept.push(" ");
    else if (!isUnsafe(char.codePointAt(0)!)) kept.push(char);
    if (kept.length > charsMax * POINTS_PER_CHAR_MAX) return kept.join("");
  }
  return kept.join("").trimEnd();
}

function isUnsafe(point: number): boolean {
  return UNSAFE.some(([first, last]) => first <= point && point <= last);
}

function cut(text: string, charsMax: number): string {
  const points = Array.from(text);
  let chars = 0;
  for (let i = 0; i < points.length; i++) {
    if (!continues(points, i)) chars++;
    if (chars > charsMax || i === charsMax * POINTS_PER_CHAR_MAX) {
      return points.slice(0, i).join("").trimEnd() + "…";
    }
  }
  return text;
}

function continues(points: readonly string[], at: number): boolean {
  if (at === 0) return false;
  if (JOINS_PREVIOUS.test(points[at]!) || points[at - 1] === "\u200d") return true;
  if (!REGIONAL.test(points[at]!)) return false;
  let before = 0;
  while (before < at && REGIONAL.test(points[at - 1 - before]!)) before++;
  return before % 2 === 1;
}
