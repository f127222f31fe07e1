import type { Bytes } from "../base/bytes.ts";

/** Imports input key material for `hkdf`. The key cannot be exported. */
export function importHkdfKey(material: Bytes): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", material, "HKDF", false, ["deriveBits"]);
}

/**
 * HKDF-SHA-256 with an empty salt: all context goes into `info` (at most 1,024 bytes, because one
 * of the runtimes takes no more). Gives `lengthBytes` bytes.
 */
export async function hkdf(key: CryptoKey, info: Bytes, lengthBytes: number): Promise<Bytes> {
  const algorithm = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info };
  return new Uint8Array(await crypto.subtle.deriveBits(algorithm, key, lengthBytes * 8));
}
