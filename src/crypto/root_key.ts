import { assert } from "../base/assert.ts";
import { type Bytes, fromHex, toBase32, toHex } from "../base/bytes.ts";
import type { Random } from "../platform/types.ts";
import { hkdf, importHkdfKey } from "./hkdf.ts";
import { label } from "./label.ts";
import { Secret } from "../base/secret.ts";

/** Length of a root key and of the key file. */
export const ROOT_KEY_BYTES = 32;

/** Longest text or file that `parseKeyText` and `decodeKeyFile` look at. */
export const KEY_TEXT_BYTES_MAX = 4096;

/** `R` of FORMAT.md section 4: what a key file holds and what opens everything of an epoch. */
export interface RootKey {
  readonly secret: Secret;
}

/** What one root key's reign seals and opens objects with. Holds no bytes that could be printed. */
export interface Epoch {
  /** Public name, 16 bytes. */
  readonly kid: Bytes;
  /** `kid` in lower-case hex. */
  readonly kidHex: string;
  /** HKDF key for log entries and packs (`K_obj`), not extractable. */
  readonly objectKey: CryptoKey;
  /** HKDF key for keychains (`Kc`), not extractable. */
  readonly keychainKey: CryptoKey;
}

/**
 * Takes exactly 32 bytes (anything else is a bug: the decoders below check what comes from
 * outside).
 */
export function rootKeyFromBytes(bytes: Bytes): RootKey {
  assert(bytes.length === ROOT_KEY_BYTES, "a root key has 32 bytes");
  return { secret: new Secret(bytes) };
}

/** A new root key. */
export function generateRootKey(random: Random): RootKey {
  return rootKeyFromBytes(random.bytes(ROOT_KEY_BYTES));
}

/** Derives the epoch's name and keys (FORMAT.md section 4). */
export async function deriveEpoch(root: RootKey): Promise<Epoch> {
  const material = root.secret.dangerouslyReveal();
  const rootHkdf = await importHkdfKey(material);
  material.fill(0);
  const kid = await hkdf(rootHkdf, label("key-id"), 16);
  const dataKey = await deriveHkdfKey(rootHkdf, "epoch-data");
  return {
    kid,
    kidHex: toHex(kid),
    objectKey: await deriveHkdfKey(dataKey, "object"),
    keychainKey: await deriveHkdfKey(rootHkdf, "keychain"),
  };
}

async function deriveHkdfKey(from: CryptoKey, purpose: string): Promise<CryptoKey> {
  const material = await hkdf(from, label(purpose), 32);
  const key = await importHkdfKey(material);
  material.fill(0);
  return key;
}

/**
 * Reads a key that somebody typed or pasted: base64 (standard or URL alphabet, padding optional) or
 * hex (either case) of exactly 32 bytes; white space and line ends anywhere are ignored. Null for
 * anything else.
 */
export function parseKeyText(text: string): Bytes | null {
  if (text.length > KEY_TEXT_BYTES_MAX) return null;
  const compact = text.replace(/\s+/g, "");
  if (/^[0-9A-Fa-f]{64}$/.test(compact)) return fromHex(compact.toLowerCase());
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(compact)) return null;
  const standard = compact.slice(0, 43).replaceAll("-", "+").replaceAll("_", "/");
  const bytes = Uint8Array.from(atob(standard + "="), (character) => character.charCodeAt(0));
  // The last character carries two unused bits. Anything but zero there is a typing error.
  return base64(bytes) === standard + "=" ? bytes : null;
}

/** Reads a key file: 32 raw bytes, or text as `parseKeyText` takes it. Null for anything else. */
export function decodeKeyFile(bytes: Uint8Array): Bytes | null {
  if (bytes.length === ROOT_KEY_BYTES) return new Uint8Array(bytes);
  if (bytes.length > KEY_TEXT_BYTES_MAX) return null;
  return parseKeyText(new TextDecoder().decode(bytes));
}

/**
 * The key as one line of base64 without a line end. This is the secret itself: show it only when
 * asked.
 */
export function formatKeyText(root: RootKey): string {
  return base64(root.secret.dangerouslyReveal());
}

/**
 * Short name of a key for people to compare, e.g. `g2ra-kkea-s4x5-…`: the first 80 bits of `kid`.
 * Not secret.
 */
export function keyFingerprint(kid: Bytes): string {
  return toBase32(kid.subarray(0, 10)).match(/.{4}/g)!.join("-");
}

function base64(bytes: Bytes): string {
  return btoa(String.fromCharCode(...bytes));
}
