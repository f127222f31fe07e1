/**
 * Sections 4 and 5 of FORMAT.md once more, written apart from `src` and on node:crypto instead of
 * WebCrypto. It encrypts any frame, so that tests can make what the program itself refuses to make.
 */
import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv, createHash, hkdfSync } from "node:crypto";
import type { Bytes } from "../../src/base/bytes.ts";

/** What an object is bound to. */
export interface RawContext {
  readonly root: Uint8Array;
  readonly type: string;
  readonly vaultId: Uint8Array;
  readonly name: string;
}

/** Keys of one object, and those they come from. */
export interface RawKeys {
  readonly kid: Buffer;
  readonly dataKey: Buffer;
  readonly keychainKey: Buffer;
  readonly objectKey: Buffer;
  readonly context: Buffer;
  readonly cipherKey: Buffer;
  readonly commit: Buffer;
}

/** Derives everything that section 4 and 5 derive. */
export function rawKeys(c: RawContext): RawKeys {
  const kid = hkdf(c.root, label("key-id"), 16);
  const dataKey = hkdf(c.root, label("epoch-data"), 32);
  const keychainKey = hkdf(c.root, label("keychain"), 32);
  const objectKey = hkdf(dataKey, label("object"), 32);
  const context = Buffer.concat([
    Buffer.from("claude-sync/v1\0"),
    prefixed(Buffer.from(c.type)),
    prefixed(c.vaultId),
    prefixed(kid),
    prefixed(Buffer.from(c.name)),
  ]);
  const from = c.type === "keychain" ? keychainKey : objectKey;
  const okm = hkdf(from, Buffer.concat([label("object-key"), context]), 64);
  const [cipherKey, commit] = [okm.subarray(0, 32), okm.subarray(32)];
  return { kid, dataKey, keychainKey, objectKey, context, cipherKey, commit };
}

/** Fields of a frame; what is left out is as it should be. */
export interface RawFrame {
  readonly payload: Uint8Array;
  readonly commit?: Uint8Array;
  readonly magic?: string;
  readonly version?: number;
  readonly compression?: number;
  readonly reserved?: number;
  readonly storedLength?: number;
  readonly rawLength?: number;
  /** Length of the sealed object. */
  readonly objectLength: number;
  /** Last byte of the padding. */
  readonly lastByte?: number;
}

/** Lays a frame out and encrypts it. */
export function rawObject(c: RawContext, iv: Uint8Array, f: RawFrame): Bytes {
  const keys = rawKeys(c);
  const frame = Buffer.alloc(f.objectLength - 28);
  Buffer.from(f.commit ?? keys.commit).copy(frame, 0);
  frame.write(f.magic ?? "CSO1", 32, "latin1");
  frame[36] = f.version ?? 1;
  frame[37] = f.compression ?? 0;
  frame.writeUInt16BE(f.reserved ?? 0, 38);
  frame.writeBigUInt64BE(BigInt(f.storedLength ?? f.payload.length), 40);
  frame.writeBigUInt64BE(BigInt(f.rawLength ?? f.storedLength ?? f.payload.length), 48);
  Buffer.from(f.payload).copy(frame, 56);
  if (f.lastByte !== undefined) frame[frame.length - 1] = f.lastByte;
  return rawEncrypt(keys.cipherKey, iv, keys.context, frame);
}

/** `IV || Tag || C`. */
export function rawEncrypt(
  key: Uint8Array,
  iv: Uint8Array,
  context: Uint8Array,
  frame: Uint8Array,
): Bytes {
  const cipher = createCipheriv("aes-256-gcm", key, iv);
  cipher.setAAD(context);
  const encrypted = Buffer.concat([cipher.update(frame), cipher.final()]);
  return new Uint8Array(Buffer.concat([iv, cipher.getAuthTag(), encrypted]));
}

/** The frame of an object; throws when the key or the context is another. */
export function rawDecrypt(key: Uint8Array, context: Uint8Array, sealed: Uint8Array): Buffer {
  const cipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, 12));
  cipher.setAAD(context);
  cipher.setAuthTag(sealed.subarray(12, 28));
  return Buffer.concat([cipher.update(sealed.subarray(28)), cipher.final()]);
}

/** SHA-256 in hex, apart from `src`. */
export function rawSha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function label(text: string): Buffer {
  return Buffer.from(`claude-sync/v1/${text}\0`);
}

function prefixed(bytes: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function hkdf(material: Uint8Array, info: Uint8Array, length: number): Buffer {
  return Buffer.from(hkdfSync("sha256", material, new Uint8Array(0), info, length));
}
