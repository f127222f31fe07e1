import { fromUtf8 } from "../base/bytes.ts";
import { JSON_DEPTH_MAX } from "./format.ts";

/** How much JSON is looked at. */
export interface JsonLimits {
  readonly bytesMax: number;
  /** Nesting of arrays and objects; 64 unless given. */
  readonly depthMax?: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const FORBIDDEN = new Set(["__proto__", "constructor", "prototype"]);

/**
 * Decodes JSON from outside (FORMAT.md section 1): UTF-8 without a byte order mark, within
 * `limits`, and without members that could reach an object's prototype. Gives `undefined`, which no
 * JSON is, for anything else.
 */
export function parseJsonStrict(bytes: Uint8Array, limits: JsonLimits): unknown {
  if (bytes.length > limits.bytesMax) return undefined;
  // Before JSON.parse, which on one of the runtimes recurses.
  if (!isWithinDepth(bytes, limits.depthMax ?? JSON_DEPTH_MAX)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(fromUtf8(bytes));
  } catch (failure) {
    if (failure instanceof SyntaxError || failure instanceof TypeError) return undefined;
    throw failure;
  }
  return hasForbiddenMember(value) ? undefined : value;
}

/**
 * Counts brackets outside strings. For text that is no JSON the answer does not matter: the parser
 * refuses it.
 */
function isWithinDepth(bytes: Uint8Array, depthMax: number): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (inString) {
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) {
      inString = true;
    } else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > depthMax) return false;
    } else if (byte === 0x7d || byte === 0x5d) {
      depth--;
    }
  }
  return true;
}

/** Recursion is bounded by the depth limit. */
function hasForbiddenMember(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.some(hasForbiddenMember);
  for (const [name, member] of Object.entries(value)) {
    if (FORBIDDEN.has(name) || hasForbiddenMember(member)) return true;
  }
  return false;
}
