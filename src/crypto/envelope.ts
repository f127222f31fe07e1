/**
 * Encrypts and opens objects (FORMAT.md section 5): a key of its own for every object, derived from
 * everything that the object is, which is also bound as AAD. What may be stored is made by `seal`
 * in `sealed.ts`.
 */
import { assert } from "../base/assert.ts";
import { type Bytes, concat, utf8 } from "../base/bytes.ts";
import { ClaudeSyncError } from "../errors.ts";
import { gcmDecrypt, gcmEncrypt, importGcmKey } from "./aes_gcm.ts";
import { damagedObject } from "./damaged.ts";
import { decodeFrame, encodeFrame, IV_BYTES, SEALED_BYTES_MAX } from "./frame.ts";
import { SEALED_BYTES_MIN, sealedSizeBytes } from "./frame.ts";
import { hkdf } from "./hkdf.ts";
import { label, lengthPrefixed } from "./label.ts";
import type { Epoch } from "./root_key.ts";

/** Longest bound context: 512 bytes, well inside what every runtime's HKDF takes. */
const CONTEXT_BYTES_MAX = 512;

/** What kind of thing an object is. */
export type ObjectType = "log" | "pack" | "keychain" | "wrap";

/** What an object is bound to besides its epoch. It opens under exactly this. */
export interface ObjectContext {
  readonly type: ObjectType;
  /** 16 bytes. */
  readonly vaultId: Bytes;
  /** The full object name, e.g. `packs/ab/…`. */
  readonly name: string;
}

interface ObjectKeys {
  readonly cipherKey: CryptoKey;
  readonly commit: Bytes;
  readonly aad: Bytes;
}

/**
 * Encrypts `payload` under `iv` (12 random bytes, never used before). Throws `too-large` past 64
 * MiB. The result cannot be stored: `seal` is for that.
 */
export async function encryptObject(
  epoch: Epoch,
  context: ObjectContext,
  payload: Uint8Array,
  iv: Bytes,
): Promise<Bytes> {
  assert(iv.length === IV_BYTES, "an IV has 12 bytes");
  if (sealedSizeBytes(payload.length) > SEALED_BYTES_MAX) {
    throw new ClaudeSyncError("too-large", "Object is larger than 64 MiB", {
      objectName: context.name,
    });
  }
  const keys = await deriveObjectKeys(epoch, context);
  const frame = encodeFrame(keys.commit, payload);
  return await gcmEncrypt(keys.cipherKey, iv, keys.aad, frame);
}

/**
 * Opens an object and gives its payload. Throws `damaged`, always with the same words, unless
 * length, tag, commitment, magic, lengths and padding all hold.
 */
export async function open(epoch: Epoch, context: ObjectContext, bytes: Bytes): Promise<Bytes> {
  if (bytes.length < SEALED_BYTES_MIN || bytes.length > SEALED_BYTES_MAX) {
    throw damagedObject(context.name);
  }
  const keys = await deriveObjectKeys(epoch, context);
  const frame = await gcmDecrypt(keys.cipherKey, keys.aad, bytes);
  const payload = frame === null ? null : decodeFrame(keys.commit, frame);
  if (payload === null) throw damagedObject(context.name);
  return payload;
}

/** The bytes that say what an object is (`ctx` of FORMAT.md section 5). */
export function encodeContext(kid: Bytes, context: ObjectContext): Bytes {
  const encoded = concat(
    utf8("claude-sync/v1\0"),
    lengthPrefixed(utf8(context.type)),
    lengthPrefixed(context.vaultId),
    lengthPrefixed(kid),
    lengthPrefixed(utf8(context.name)),
  );
  assert(context.vaultId.length === 16, "a vault id has 16 bytes");
  assert(encoded.length <= CONTEXT_BYTES_MAX, "an object's context has at most 512 bytes");
  return encoded;
}

async function deriveObjectKeys(epoch: Epoch, context: ObjectContext): Promise<ObjectKeys> {
  const aad = encodeContext(epoch.kid, context);
  const okm = await hkdf(keyFor(epoch, context.type), concat(label("object-key"), aad), 64);
  const cipherKey = await importGcmKey(okm.subarray(0, 32));
  const commit = okm.slice(32);
  okm.fill(0);
  return { cipherKey, commit, aad };
}

function keyFor(epoch: Epoch, type: ObjectType): CryptoKey {
  assert(type !== "wrap", "wraps are sealed with a wrap key, which this version does not make");
  return type === "keychain" ? epoch.keychainKey : epoch.objectKey;
}
