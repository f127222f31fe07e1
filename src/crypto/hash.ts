import { createHash, type Hash } from "node:crypto";
import type { Bytes } from "../base/bytes.ts";
import { toHex } from "../base/bytes.ts";

/** SHA-256 of nothing, in hex: the state of every file before its first byte. */
export const EMPTY_SHA256_HEX = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/**
 * SHA-256. Synchronous: for small inputs WebCrypto costs ten times as much, for large ones the
 * same.
 */
export function sha256(bytes: Uint8Array): Bytes {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}

/** SHA-256 in lower-case hex. */
export function sha256Hex(bytes: Uint8Array): string {
  return toHex(sha256(bytes));
}

/** Incremental SHA-256 that gives the hash at any number of offsets on its way through a file. */
export class Sha256 {
  readonly #hash: Hash;
  #lengthBytes: number;

  /** Starts at nothing. `state` is what `copy` continues from. */
  constructor(state?: { readonly hash: Hash; readonly lengthBytes: number }) {
    this.#hash = state?.hash ?? createHash("sha256");
    this.#lengthBytes = state?.lengthBytes ?? 0;
  }

  /** Bytes hashed so far. */
  get lengthBytes(): number {
    return this.#lengthBytes;
  }

  /** Appends `bytes`. */
  update(bytes: Uint8Array): this {
    this.#hash.update(bytes);
    this.#lengthBytes += bytes.length;
    return this;
  }

  /** An independent continuation of the same prefix. */
  copy(): Sha256 {
    return new Sha256({ hash: this.#hash.copy(), lengthBytes: this.#lengthBytes });
  }

  /** The hash of all bytes so far; more may follow. */
  digest(): Bytes {
    return new Uint8Array(this.#hash.copy().digest());
  }

  /** `digest` in lower-case hex. */
  digestHex(): string {
    return toHex(this.digest());
  }
}
