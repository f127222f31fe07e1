import { assert } from "../base/assert.ts";
import { equalBytes, toHex, utf8 } from "../base/bytes.ts";
import { encryptObject, type ObjectContext, open } from "./envelope.ts";
import { sha256Hex } from "./hash.ts";
import { deriveEpoch, rootKeyFromBytes } from "./root_key.ts";

const KNOWN_KID = "8290a9cd32cae76f6fc1e50848333909";
const KNOWN_OBJECT_SHA256 = "5e27a91126f9e8bba8191ace6d203729722ef723a3d85212e3e4a8ec6908da8f";

let passed: Promise<void> | null = null;

/**
 * Seals and opens the known answer of `tests/vectors/envelope.json`, about 1 ms. Throws `bug` when
 * this runtime's HKDF, AES-GCM or SHA-256 gives anything else: then nothing may be sealed.
 */
export async function selfTest(): Promise<void> {
  const epoch = await deriveEpoch(rootKeyFromBytes(Uint8Array.from({ length: 32 }, (_, i) => i)));
  assert(toHex(epoch.kid) === KNOWN_KID, "HKDF gives the known key id");
  const context: ObjectContext = {
    type: "pack",
    vaultId: new Uint8Array(16).fill(0xaa),
    name: "o/ab/abcdefghij",
  };
  const payload = utf8('{"type":"user","message":"hello"}\n');
  const object = await encryptObject(epoch, context, payload, new Uint8Array(12).fill(7));
  assert(sha256Hex(object) === KNOWN_OBJECT_SHA256, "AES-GCM and HKDF give the known object");
  assert(equalBytes(await open(epoch, context, object), payload), "the known object opens");
}

/**
 * Runs `selfTest` the first time it is called in this process; every call waits for its outcome.
 */
export function selfTestOnce(): Promise<void> {
  passed ??= selfTest();
  return passed;
}
