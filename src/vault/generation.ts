import { assert } from "../base/assert.ts";
import { concat, fromHex, toHex, utf8 } from "../base/bytes.ts";
import { sha256 } from "../crypto/hash.ts";
import { label, lengthPrefixed } from "../crypto/label.ts";

/** A state of one file: its generation and the SHA-256 of all its bytes. */
export interface FileState {
  /** Empty for the first generation, else 32 characters of hex. */
  readonly gen: string;
  /** 64 characters of hex. */
  readonly hash: string;
}

/**
 * Name of the generation that replaces the state `from` after a rewrite (FORMAT.md section 7): 32
 * characters of hex.
 */
export function generationName(from: FileState): string {
  const hash = fromHex(from.hash);
  assert(hash !== null && hash.length === 32, "a file's state is a SHA-256");
  const named = concat(label("generation"), lengthPrefixed(utf8(from.gen)), lengthPrefixed(hash));
  return toHex(sha256(named).subarray(0, 16));
}
