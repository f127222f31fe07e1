/** Reading JSON that others wrote: never throws, never deep, nothing inherited. */

/** Deepest nesting of objects and arrays that is accepted. */
export const JSON_DEPTH_MAX = 200;

const decoder = new TextDecoder("utf-8", { fatal: false, ignoreBOM: false });

/**
 * Parses UTF-8 bytes as one JSON object. Null for anything else, and for one that is nested too
 * deeply. The object inherits nothing, so that a missing field reads as undefined whatever its
 * name; objects inside it are ordinary ones. Invalid UTF-8 reads as U+FFFD.
 */
export function parseJsonObject(bytes: Uint8Array): Record<string, unknown> | null {
  return parseObjectText(decoder.decode(bytes));
}

/** As `parseJsonObject`, for text. */
export function parseObjectText(text: string): Record<string, unknown> | null {
  // To be told by an error costs more than to look, and files damaged by a crash have many lines.
  if (!/^[ \t\r\n]*\{/.test(text)) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Garbage, a torn line or a nesting beyond the engine's stack: all are "no object" to us.
    return null;
  }
  if (!isObject(value) || Array.isArray(value) || isTooDeep(value)) return null;
  return Object.setPrototypeOf(value, null);
}

/** Narrows to an object with string keys (arrays too); its fields are unknown. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isTooDeep(value: object): boolean {
  let level: object[] = [value];
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > JSON_DEPTH_MAX) return true;
    const next: object[] = [];
    for (const parent of level) {
      for (const child of Object.values(parent)) {
        if (typeof child === "object" && child !== null) next.push(child);
      }
    }
    level = next;
  }
  return false;
}
