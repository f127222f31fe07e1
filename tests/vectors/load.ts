import { readFileSync } from "node:fs";
import { type Bytes, fromHex } from "../../src/base/bytes.ts";

/** One of the files beside this one. Their shape is ours, so it is asserted instead of checked. */
export function loadVectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`./${name}.json`, import.meta.url), "utf8")) as T;
}

/** Base64 of a vector. */
export function unbase64(text: string): Bytes {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** Hex of a vector. */
export function unhex(text: string): Bytes {
  return fromHex(text)!;
}
