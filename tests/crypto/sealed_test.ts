import assert from "node:assert/strict";
import { utf8 } from "../../src/base/bytes.ts";
import { encryptObject, type ObjectContext, open } from "../../src/crypto/envelope.ts";
import { sha256Hex } from "../../src/crypto/hash.ts";
import { deriveEpoch, generateRootKey } from "../../src/crypto/root_key.ts";
import { adopt, assertSealed, seal } from "../../src/crypto/sealed.ts";
import { selfTest } from "../../src/crypto/self_test.ts";
import { isClaudeSyncError } from "../../src/errors.ts";
import { fixedRandom } from "./fixed_random.ts";

const random = fixedRandom("sealed test");
const epoch = await deriveEpoch(generateRootKey(random));
const context: ObjectContext = {
  type: "log",
  vaultId: new Uint8Array(16),
  name: "log/0123456789abcdef/000000000001.0011aabb",
};

const isBug = (error: unknown) => isClaudeSyncError(error, "bug");
const isDamaged = (error: unknown) => isClaudeSyncError(error, "damaged");

Deno.test("selfTest passes on this runtime", () => selfTest());

Deno.test("seal gives an object that is bound, hashed and opens", async () => {
  const sealed = await seal(epoch, context, utf8("entry"), random);
  assertSealed(sealed);
  assert.equal(sealed.name, context.name);
  assert.equal(sealed.sha256, sha256Hex(sealed.bytes));
  assert.deepEqual(await open(epoch, context, sealed.bytes), utf8("entry"));
});

Deno.test("seal never gives the same bytes for the same payload twice", async () => {
  const first = await seal(epoch, context, utf8("entry"), random);
  const second = await seal(epoch, context, utf8("entry"), random);
  assert.notEqual(first.sha256, second.sha256);
});

Deno.test("seal refuses a wrap, for which there is no key yet", async () => {
  await assert.rejects(() => seal(epoch, { ...context, type: "wrap" }, utf8("R"), random), isBug);
});

Deno.test("seal refuses a random source that gives too little", async () => {
  const broken = { bytes: () => new Uint8Array(11) };
  await assert.rejects(() => seal(epoch, context, utf8("entry"), broken), isBug);
});

Deno.test("assertSealed refuses literals, copies, proxies and plain values", async () => {
  const sealed = await seal(epoch, context, utf8("entry"), random);
  const forged = [
    { name: sealed.name, bytes: sealed.bytes, sha256: sealed.sha256 },
    { ...sealed },
    structuredClone(sealed),
    Object.create(sealed),
    new Proxy(sealed, {}),
    sealed.bytes,
    null,
    undefined,
    "sealed",
  ];
  for (const value of forged) assert.throws(() => assertSealed(value), isBug);
});

Deno.test("assertSealed refuses bytes that changed after sealing", async () => {
  const sealed = await seal(epoch, context, utf8("entry"), random);
  assert.throws(() => Object.assign(sealed, { name: "packs/x" }), TypeError);
  assert.throws(() => Object.assign(sealed, { bytes: utf8("plaintext") }), TypeError);
  sealed.bytes[2000]! ^= 1;
  assert.throws(() => assertSealed(sealed), isBug);
});

Deno.test("adopt takes back staged bytes and gives the same object", async () => {
  const sealed = await seal(epoch, context, utf8("entry"), random);
  const staged = sealed.bytes.slice();
  const adopted = await adopt(epoch, context, staged);
  assertSealed(adopted);
  assert.equal(adopted.sha256, sealed.sha256);
  staged.fill(0);
  assertSealed(adopted);
});

Deno.test("adopt refuses plaintext, damage and objects of another place or key", async () => {
  const { bytes } = await seal(epoch, context, utf8("entry"), random);
  const torn = bytes.slice(0, 4000);
  const other = await deriveEpoch(generateRootKey(random));
  const foreign = await encryptObject(other, context, utf8("entry"), random.bytes(12));
  await assert.rejects(() => adopt(epoch, context, new Uint8Array(4096).fill(0x20)), isDamaged);
  await assert.rejects(() => adopt(epoch, context, torn), isDamaged);
  await assert.rejects(() => adopt(epoch, { ...context, name: "log/x" }, bytes), isDamaged);
  await assert.rejects(() => adopt(epoch, context, foreign), isDamaged);
});

Deno.test("seal takes whatever first byte chance gives, also one of JSON or text", async () => {
  for (const first of [0x7b, 0x5b, 0x22, 0x23, 0x1f, 0x28, 0x00, 0x20, 0xff]) {
    const chance = { bytes: (length: number) => new Uint8Array(length).fill(first) };
    const sealed = await seal(epoch, context, utf8("entry"), chance);
    assertSealed(sealed);
    assert.equal(sealed.bytes[0], first);
    assert.deepEqual(await open(epoch, context, sealed.bytes), utf8("entry"));
  }
});
