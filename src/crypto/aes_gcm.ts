/** AES-256-GCM as envelopes have it: a 12-byte IV, a 16-byte tag, both before the ciphertext. */
import { type Bytes, concat } from "../base/bytes.ts";
import { IV_BYTES, TAG_BYTES } from "./frame.ts";

/** A key for these two functions, from 32 bytes. It cannot be exported. */
export function importGcmKey(key: Bytes): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", key, "AES-GCM", false, ["encrypt", "decrypt"]);
}

/** `IV || Tag || Ciphertext`. */
export async function gcmEncrypt(
  key: CryptoKey,
  iv: Bytes,
  aad: Bytes,
  plaintext: Bytes,
): Promise<Bytes> {
  const sealed = new Uint8Array(await crypto.subtle.encrypt(gcm(iv, aad), key, plaintext));
  const tagAt = sealed.length - TAG_BYTES;
  return concat(iv, sealed.subarray(tagAt), sealed.subarray(0, tagAt));
}

/**
 * The plaintext of `IV || Tag || Ciphertext`, or null when the tag does not hold. WebCrypto gives
 * one kind of failure for it and no reason.
 */
export async function gcmDecrypt(key: CryptoKey, aad: Bytes, bytes: Bytes): Promise<Bytes | null> {
  const iv = bytes.slice(0, IV_BYTES);
  const tag = bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES);
  const joined = concat(bytes.subarray(IV_BYTES + TAG_BYTES), tag);
  try {
    return new Uint8Array(await crypto.subtle.decrypt(gcm(iv, aad), key, joined));
  } catch (failure) {
    if (failure instanceof DOMException && failure.name === "OperationError") return null;
    throw failure;
  }
}

function gcm(iv: Bytes, additionalData: Bytes): AesGcmParams {
  return { name: "AES-GCM", iv, additionalData, tagLength: TAG_BYTES * 8 };
}
