/** A machine's key pairs and name, all from one seed that never leaves it (FORMAT.md section 4). */
import { assert } from "../base/assert.ts";
import { type Bytes, concat, fromHex, toHex } from "../base/bytes.ts";
import { sha256 } from "./hash.ts";
import { hkdf, importHkdfKey } from "./hkdf.ts";
import { label } from "./label.ts";
import type { Secret } from "../base/secret.ts";

/** Length of the seed in `machine.key`. */
export const MACHINE_SEED_BYTES = 32;

/** Length of an Ed25519 or X25519 public key. */
const PUBLIC_KEY_BYTES = 32;

/** Length of an Ed25519 signature. */
export const SIGNATURE_BYTES = 64;

/** Who a machine is in the vault. The private keys cannot be exported. */
export interface MachineIdentity {
  /** machineId: 32 characters of hex. */
  readonly id: string;
  /** Ed25519 public key, 32 bytes. */
  readonly signPublic: Bytes;
  /** X25519 public key, 32 bytes. */
  readonly kemPublic: Bytes;
  /** Ed25519 signature over `bytes`, 64 bytes. */
  sign(bytes: Bytes): Promise<Bytes>;
}

type Curve = "Ed25519" | "X25519";

/** Derives the identity from its seed of 32 bytes. */
export async function machineIdentityFromSeed(seed: Secret): Promise<MachineIdentity> {
  const material = seed.dangerouslyReveal();
  assert(material.length === MACHINE_SEED_BYTES, "a machine seed has 32 bytes");
  const seedKey = await importHkdfKey(material);
  material.fill(0);
  const sign = await keyPair("Ed25519", await hkdf(seedKey, label("machine-sign"), 32));
  const kem = await keyPair("X25519", await hkdf(seedKey, label("machine-kem"), 32));
  return {
    id: machineIdOf(sign.publicKey, kem.publicKey),
    signPublic: sign.publicKey,
    kemPublic: kem.publicKey,
    async sign(bytes) {
      return new Uint8Array(await crypto.subtle.sign("Ed25519", sign.privateKey, bytes));
    },
  };
}

/** The machineId that two public keys have, as hex. */
export function machineIdOf(signPublic: Bytes, kemPublic: Bytes): string {
  return toHex(sha256(concat(label("machine-id"), signPublic, kemPublic)).subarray(0, 16));
}

/**
 * Whether `signature` over `bytes` was made with the private key of `signPublic`. False for a key
 * that is none.
 */
export async function verifySignature(
  signPublic: Bytes,
  signature: Bytes,
  bytes: Bytes,
): Promise<boolean> {
  if (signPublic.length !== PUBLIC_KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false;
  try {
    const key = await crypto.subtle.importKey("raw", signPublic, "Ed25519", false, ["verify"]);
    return await crypto.subtle.verify("Ed25519", key, signature, bytes);
  } catch (failure) {
    // 32 bytes that are no point of the curve: runtimes differ in whether import or verify refuses.
    if (failure instanceof DOMException) return false;
    throw failure;
  }
}

/**
 * WebCrypto derives a public key only while a private one can be exported, so the key is imported
 * twice: once to read `x`, once for good.
 */
async function keyPair(
  curve: Curve,
  scalar: Bytes,
): Promise<{ publicKey: Bytes; privateKey: CryptoKey }> {
  const prefix = fromHex(
    "302e020100300506032b65" + (curve === "Ed25519" ? "70" : "6e") + "04220420",
  );
  assert(prefix !== null, "the PKCS #8 prefix is hex");
  const pkcs8 = concat(prefix, scalar);
  scalar.fill(0);
  const usages: KeyUsage[] = curve === "Ed25519" ? ["sign"] : ["deriveBits"];
  const exportable = await crypto.subtle.importKey("pkcs8", pkcs8, curve, true, usages);
  const jwk = await crypto.subtle.exportKey("jwk", exportable);
  const privateKey = await crypto.subtle.importKey("pkcs8", pkcs8, curve, false, usages);
  pkcs8.fill(0);
  assert(typeof jwk.x === "string", "an exported key has its public part");
  const text = atob(jwk.x.replaceAll("-", "+").replaceAll("_", "/"));
  const publicKey = Uint8Array.from(text, (character) => character.charCodeAt(0));
  assert(publicKey.length === PUBLIC_KEY_BYTES, "a public key has 32 bytes");
  return { publicKey, privateKey };
}
