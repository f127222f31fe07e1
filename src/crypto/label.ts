import { type Bytes, concat, u32be, utf8 } from "../base/bytes.ts";

/**
 * `label(s)` of FORMAT.md section 1: says what a key, signature or hash is for, so that none serves
 * twice.
 */
export function label(purpose: string): Bytes {
  return utf8(`claude-sync/v1/${purpose}\0`);
}

/** `LP(x)` of FORMAT.md section 1: the length in four bytes, then the bytes. */
export function lengthPrefixed(bytes: Uint8Array): Bytes {
  return concat(u32be(bytes.length), bytes);
}
