import assert from "node:assert/strict";
import { inspect } from "node:util";
import fc from "fast-check";
import { toHex, utf8 } from "../../src/base/bytes.ts";
import { importHkdfKey } from "../../src/crypto/hkdf.ts";
import {
  decodeKeyFile,
  deriveEpoch,
  formatKeyText,
  generateRootKey,
  KEY_TEXT_BYTES_MAX,
  keyFingerprint,
  parseKeyText,
  rootKeyFromBytes,
} from "../../src/crypto/root_key.ts";
import { isClaudeSyncError } from "../../src/errors.ts";
import { loadVectors, unhex } from "../vectors/load.ts";
import { fixedRandom } from "./fixed_random.ts";
import { rawKeys } from "./raw_envelope.ts";

const vectors = loadVectors<{
  epochs: { root: string; kid: string; epochData: string; keychain: string; object: string }[];
  texts: { text: string; key: string | null; reason: string }[];
}>("keys");

Deno.test("deriveEpoch gives the known names, by HKDF of two makers", async () => {
  for (const { root, kid, epochData, keychain, object } of vectors.epochs) {
    const epoch = await deriveEpoch(rootKeyFromBytes(unhex(root)));
    assert.equal(epoch.kidHex, kid);
    assert.equal(toHex(epoch.kid), kid);
    const raw = rawKeys({ root: unhex(root), type: "pack", vaultId: unhex(kid), name: "x" });
    assert.equal(raw.dataKey.toString("hex"), epochData);
    assert.equal(raw.keychainKey.toString("hex"), keychain);
    assert.equal(raw.objectKey.toString("hex"), object);
  }
  assert.equal(vectors.epochs[0]!.kid, "8290a9cd32cae76f6fc1e50848333909");
});

Deno.test("deriveEpoch keeps keys that cannot be exported", async () => {
  const epoch = await deriveEpoch(generateRootKey(fixedRandom("root")));
  for (const key of [epoch.objectKey, epoch.keychainKey]) {
    assert.equal(key.extractable, false);
    await assert.rejects(() => crypto.subtle.exportKey("raw", key));
  }
  assert.equal((await importHkdfKey(new Uint8Array(32))).extractable, false);
});

Deno.test("rootKeyFromBytes takes 32 bytes only", () => {
  for (const length of [0, 31, 33]) {
    assert.throws(
      () => rootKeyFromBytes(new Uint8Array(length)),
      (error) => isClaudeSyncError(error, "bug"),
    );
  }
});

Deno.test("a root key does not show itself however it is printed", () => {
  const root = rootKeyFromBytes(new Uint8Array(32).fill(0xab));
  const shown = [
    JSON.stringify(root),
    inspect(root, { depth: 9, showHidden: true }),
    `${root.secret}`,
    String(root.secret),
    JSON.stringify({ root }),
  ].join();
  assert(!/abab|171|qqur|q6ur/i.test(shown), shown);
  assert(shown.includes("[secret]"));
});

Deno.test("a secret cannot be changed from outside", () => {
  const bytes = new Uint8Array(32).fill(7);
  const root = rootKeyFromBytes(bytes);
  bytes.fill(0);
  root.secret.dangerouslyReveal().fill(0);
  assert.equal(root.secret.dangerouslyReveal()[31], 7);
});

Deno.test("parseKeyText reads what people paste and nothing else", async (t) => {
  for (const { text, key, reason } of vectors.texts) {
    await t.step(reason, () => {
      const bytes = parseKeyText(text);
      assert.equal(bytes === null ? null : toHex(bytes), key);
    });
  }
});

Deno.test("parseKeyText looks at no more than its limit", () => {
  const key = "00".repeat(32);
  assert.notEqual(parseKeyText(key + " ".repeat(KEY_TEXT_BYTES_MAX - key.length)), null);
  assert.equal(parseKeyText(key + " ".repeat(KEY_TEXT_BYTES_MAX + 1 - key.length)), null);
});

Deno.test("decodeKeyFile reads raw and written keys", () => {
  const raw = fixedRandom("file").bytes(32);
  const root = rootKeyFromBytes(raw);
  assert.deepEqual(decodeKeyFile(raw), raw);
  assert.deepEqual(decodeKeyFile(utf8(`${formatKeyText(root)}\r\n`)), raw);
  assert.deepEqual(decodeKeyFile(utf8(`\ufeff${toHex(raw)}\n`)), raw);
  for (const length of [0, 16, 31, 33, 64, 10_000]) {
    assert.equal(decodeKeyFile(new Uint8Array(length).fill(1)), null, `${length} bytes`);
  }
});

Deno.test("parseKeyText inverts formatKeyText and never throws", () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
    const root = rootKeyFromBytes(new Uint8Array(bytes));
    assert.deepEqual(parseKeyText(formatKeyText(root)), new Uint8Array(bytes));
  }));
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    const key = parseKeyText(text);
    assert(key === null || key.length === 32);
  }));
});

Deno.test("keyFingerprint is short, grouped and differs from key to key", () => {
  assert.equal(keyFingerprint(unhex(vectors.epochs[0]!.kid)), "ga8a-kk9j-sbkp-yvy1");
  assert.notEqual(keyFingerprint(unhex(vectors.epochs[1]!.kid)), "ga8a-kk9j-sbkp-yvy1");
});
