/**
 * Known answers of others for the primitives that everything rests on, with the forgeries that
 * libraries have fallen for. Run under both runtimes (`bun_test.ts`).
 */
import assert from "node:assert/strict";
import { type Bytes, concat, fromHex, toHex } from "../../src/base/bytes.ts";
import { gcmDecrypt, gcmEncrypt, importGcmKey } from "../../src/crypto/aes_gcm.ts";
import { hkdf, importHkdfKey } from "../../src/crypto/hkdf.ts";
import { verifySignature } from "../../src/crypto/machine_identity.ts";
import { loadVectors } from "../vectors/load.ts";

type Rows = readonly string[];

const answers = loadVectors<
  { aesGcm: Rows; nistAesGcm: Rows; hkdf: Rows; ed25519: Rows; x25519: Rows }
>("known_answers");

/** The words of a row: hexadecimal ones as bytes, and the last two as they are. */
function parse(row: string): { bytes: Bytes[]; result: string; name: string } {
  const words = row.split(" ");
  const [result, name] = words.slice(-2) as [string, string];
  return {
    bytes: words.slice(0, -2).map((word) => fromHex(word === "-" ? "" : word)!),
    result,
    name,
  };
}

async function checkGcm(rows: Rows): Promise<void> {
  let [valid, invalid] = [0, 0];
  for (const row of rows) {
    const { bytes: [key, iv, aad, message, ciphertext, tag], result, name } = parse(row);
    const cipherKey = await importGcmKey(key!);
    const sealed = concat(iv!, tag!, ciphertext!);
    const opened = await gcmDecrypt(cipherKey, aad!, sealed);
    if (result === "valid") {
      valid++;
      assert.deepEqual(opened, message, name);
      assert.deepEqual(await gcmEncrypt(cipherKey, iv!, aad!, message!), sealed, name);
    } else {
      invalid++;
      assert.equal(opened, null, name);
    }
  }
  assert(valid > 10 && invalid > 10, "there are enough of both");
}

Deno.test("AES-256-GCM gives Wycheproof's answers and opens none of its forgeries", async () => {
  assert.equal(answers.aesGcm.length, 48);
  await checkGcm(answers.aesGcm);
});

Deno.test("AES-256-GCM gives NIST's answers", async () => {
  await checkGcm(answers.nistAesGcm);
});

Deno.test("HKDF-SHA-256 gives Wycheproof's answers", async () => {
  assert.equal(answers.hkdf.length, 22);
  for (const row of answers.hkdf) {
    const [ikm, info, size, okm, result, name] = row.split(" ") as [string, ...string[]];
    const bytes = (hex: string) => fromHex(hex === "-" ? "" : hex)!;
    assert.equal(result, "valid");
    const key = await importHkdfKey(bytes(ikm));
    assert.equal(toHex(await hkdf(key, bytes(info!), Number(size))), okm, name);
  }
});

Deno.test("HKDF-SHA-256 gives the answer of RFC 5869, A.3", async () => {
  const key = await importHkdfKey(new Uint8Array(22).fill(0x0b));
  const okm = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d" +
    "9d201395faa4b61a96c8";
  assert.equal(toHex(await hkdf(key, new Uint8Array(0), 42)), okm);
});

Deno.test("verifySignature takes Wycheproof's signatures and none of its forgeries", async () => {
  assert.equal(answers.ed25519.length, 145);
  for (const row of answers.ed25519) {
    const { bytes: [publicKey, message, signature], result, name } = parse(row);
    const isRight = await verifySignature(publicKey!, signature!, message!);
    assert.equal(isRight, result === "valid", name);
  }
});

/** An X25519 key as `machine_identity.ts` imports it: PKCS #8 around the scalar. */
function privateKey(scalar: Bytes): Promise<CryptoKey> {
  const pkcs8 = concat(fromHex("302e020100300506032b656e04220420")!, scalar);
  return crypto.subtle.importKey("pkcs8", pkcs8, "X25519", false, ["deriveBits"]);
}

Deno.test("X25519 gives Wycheproof's secrets, and none where all are zero", async () => {
  let refused = 0;
  for (const row of answers.x25519) {
    const { bytes: [scalar, peer, shared], result, name } = parse(row);
    const own = await privateKey(scalar!);
    const found = await crypto.subtle.importKey("raw", peer!, "X25519", false, [])
      .then((key) => crypto.subtle.deriveBits({ name: "X25519", public: key }, own, 256))
      .then((bits) => new Uint8Array(bits), (failure: unknown) => failure);
    if (result === "valid") assert.deepEqual(found, shared, name);
    else {
      refused++;
      assert(found instanceof DOMException, `${name} gives ${found}`);
    }
  }
  assert.equal(refused, 31);
});
