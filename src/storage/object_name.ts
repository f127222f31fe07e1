import { assert } from "../base/assert.ts";

declare const objectNameBrand: unique symbol;

/** A name valid on every backend; made by `objectName` or `parseObjectName` only. */
export type ObjectName = string & { readonly [objectNameBrand]: true };

/** Longest object name in bytes; every known backend takes more. */
export const OBJECT_NAME_BYTES_MAX = 200;

const SEGMENT = /^[a-z0-9_][a-z0-9._-]*$/;

/**
 * Gives `text` as a name, or null. Segments of `[a-z0-9._-]` joined by `/`, lower case (some
 * backends fold case), no segment starting with `.` or `-`, none ending in `.` (Windows), no empty
 * segment, at most 200 bytes.
 */
export function parseObjectName(text: string): ObjectName | null {
  if (text.length === 0 || text.length > OBJECT_NAME_BYTES_MAX) return null;
  for (const segment of text.split("/")) {
    if (!SEGMENT.test(segment) || segment.endsWith(".")) return null;
  }
  return text as ObjectName;
}

/** Like `parseObjectName` for names the program itself makes: anything else is a bug. */
export function objectName(text: string): ObjectName {
  const name = parseObjectName(text);
  assert(name !== null, `"${text}" is a valid object name`);
  return name;
}
