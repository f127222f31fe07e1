/**
 * Changing JSON text in place: what is not touched keeps every byte, so the user's layout, the
 * order of keys and numbers that JavaScript could not hold survive.
 */
import { ClaudeSyncError } from "../errors.ts";
import { JSON_DEPTH_MAX } from "./json_object.ts";

/** A value's place in the text. */
export type JsonNode =
  | {
    readonly kind: "object";
    readonly start: number;
    readonly end: number;
    readonly members: readonly JsonMember[];
  }
  | {
    readonly kind: "array";
    readonly start: number;
    readonly end: number;
    readonly elements: readonly JsonNode[];
  }
  | { readonly kind: "scalar"; readonly start: number; readonly end: number };

/** A key with its value; `start` is where the key begins. */
export interface JsonMember {
  readonly start: number;
  readonly key: string;
  readonly value: JsonNode;
}

const SPACE = /[ \t\r\n]*/y;
const BARE = /[^\s,\]}]+/y;

/**
 * Finds the places of all values. Errors: `malformed-file` when `text` is no JSON or nested too
 * deeply.
 */
export function parseJsonText(text: string): JsonNode {
  try {
    JSON.parse(text);
  } catch (_syntax) {
    // The engine's message quotes the text, which may hold tokens.
    throw new ClaudeSyncError("malformed-file", "The text is not JSON");
  }
  return new Scanner(text).document();
}

/** Walks over text that is known to be JSON. */
class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): JsonNode {
    this.#skip(SPACE);
    return this.#value(0);
  }

  #skip(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? "";
    this.#at += found.length;
    return found;
  }

  /** A string or another value that holds no others. No pattern: engines give up on long texts. */
  #scalar(): string {
    if (this.#text[this.#at] !== '"') return this.#skip(BARE);
    const start = this.#at;
    for (this.#at++; this.#text[this.#at] !== '"'; this.#at++) {
      if (this.#text[this.#at] === "\\") this.#at++;
    }
    return this.#text.slice(start, ++this.#at);
  }

  #value(depth: number): JsonNode {
    if (depth > JSON_DEPTH_MAX) {
      throw new ClaudeSyncError("malformed-file", "The JSON is nested too deeply");
    }
    const start = this.#at;
    const opening = this.#text[start];
    if (opening === "{") {
      const members = this.#items(() => this.#member(depth));
      return { kind: "object", start, end: this.#at, members };
    }
    if (opening === "[") {
      const elements = this.#items(() => this.#value(depth + 1));
      return { kind: "array", start, end: this.#at, elements };
    }
    this.#scalar();
    return { kind: "scalar", start, end: this.#at };
  }

  #items<Item>(item: () => Item): Item[] {
    const items: Item[] = [];
    this.#at++;
    for (;;) {
      this.#skip(SPACE);
      const next = this.#text[this.#at];
      if (next === "}" || next === "]" || next === undefined) break;
      if (next === ",") this.#at++;
      else items.push(item());
    }
    this.#at++;
    return items;
  }

  #member(depth: number): JsonMember {
    const start = this.#at;
    const key: unknown = JSON.parse(this.#scalar());
    this.#skip(SPACE);
    this.#at++;
    this.#skip(SPACE);
    return { start, key: String(key), value: this.#value(depth + 1) };
  }
}

/** The value of the last member called `key`, which is the one that counts; null when absent. */
export function memberOf(node: JsonNode, key: string): JsonNode | null {
  if (node.kind !== "object") return null;
  return node.members.findLast((member) => member.key === key)?.value ?? null;
}

/** The value at `node`. */
export function valueAt(text: string, node: JsonNode): unknown {
  return JSON.parse(text.slice(node.start, node.end));
}

type Container = Extract<JsonNode, { kind: "object" | "array" }>;

/** Adds a member after the last one. */
export function appendMember(
  text: string,
  node: Extract<JsonNode, { kind: "object" }>,
  key: string,
  value: unknown,
): string {
  return append(text, node, `${JSON.stringify(key)}: `, value);
}

/** Adds an element after the last one. */
export function appendElement(
  text: string,
  node: Extract<JsonNode, { kind: "array" }>,
  value: unknown,
): string {
  return append(text, node, "", value);
}

function append(text: string, node: Container, label: string, value: unknown): string {
  const layout = layoutOf(text);
  const outer = indentationAt(text, node.start);
  const last = endOfLast(node);
  if (last === null) {
    if (layout.isOneLine && text.slice(0, node.start).trim() !== "") {
      return splice(text, node.start + 1, node.end - 1, label + JSON.stringify(value));
    }
    const inner = outer + layout.unit;
    const item = label + pretty(value, inner, layout);
    const lines = `${layout.newline}${inner}${item}${layout.newline}${outer}`;
    return splice(text, node.start + 1, node.end - 1, lines);
  }
  const isOnOneLine = !text.slice(node.start, firstStart(node)).includes("\n");
  if (isOnOneLine) return splice(text, last, last, `, ${label}${JSON.stringify(value)}`);
  const inner = indentationAt(text, firstStart(node));
  return splice(
    text,
    last,
    last,
    `,${layout.newline}${inner}${label}${pretty(value, inner, layout)}`,
  );
}

/** Puts another value in the place of `node`. */
export function replaceNode(text: string, node: JsonNode, value: unknown): string {
  const layout = layoutOf(text);
  const isOneLine = !text.slice(node.start, node.end).includes("\n");
  const indentation = indentationAt(text, node.start);
  const item = isOneLine ? JSON.stringify(value) : pretty(value, indentation, layout);
  return splice(text, node.start, node.end, item);
}

/** Takes the member or element with this index out, with the comma that belongs to it. */
export function removeItem(text: string, node: Container, index: number): string {
  const spans = node.kind === "object"
    ? node.members.map((member) => ({ start: member.start, end: member.value.end }))
    : node.elements;
  const item = spans[index];
  if (item === undefined) return text;
  const before = spans[index - 1];
  const after = spans[index + 1];
  if (after !== undefined) return splice(text, item.start, after.start, "");
  if (before !== undefined) return splice(text, before.end, item.end, "");
  return splice(text, node.start + 1, node.end - 1, "");
}

function endOfLast(node: Container): number | null {
  return (node.kind === "object" ? node.members.at(-1)?.value.end : node.elements.at(-1)?.end) ??
    null;
}

function firstStart(node: Container): number {
  const first = node.kind === "object" ? node.members[0] : node.elements[0];
  return first?.start ?? node.end;
}

interface Layout {
  readonly unit: string;
  readonly newline: string;
  readonly isOneLine: boolean;
}

function layoutOf(text: string): Layout {
  return {
    unit: /\n([ \t]+)\S/.exec(text)?.[1] ?? "  ",
    newline: text.includes("\r\n") ? "\r\n" : "\n",
    isOneLine: !text.trim().includes("\n") && text.trim() !== "{}",
  };
}

function indentationAt(text: string, at: number): string {
  const lineStart = text.lastIndexOf("\n", at - 1) + 1;
  return /^[ \t]*/.exec(text.slice(lineStart, at))?.[0] ?? "";
}

function pretty(value: unknown, indentation: string, layout: Layout): string {
  const json = JSON.stringify(value, null, layout.unit);
  return json.replaceAll("\n", layout.newline + indentation);
}

function splice(text: string, start: number, end: number, replacement: string): string {
  return text.slice(0, start) + replacement + text.slice(end);
}
