import assert from "node:assert/strict";
import { createDecipheriv } from "node:crypto";
import fc from "fast-check";
import { type Bytes, concat, toHex, utf8 } from "../../src/base/bytes.ts";
import {
  encodeContext,
  encryptObject,
  type ObjectContext,
  open,
} from "../../src/crypto/envelope.ts";
import { sealedSizeBytes } from "../../src/crypto/frame.ts";
import { deriveEpoch, type Epoch, rootKeyFromBytes } from "../../src/crypto/root_key.ts";
import { ClaudeSyncError, isClaudeSyncError } from "../../src/errors.ts";
import { loadVectors, unbase64, unhex } from "../vectors/load.ts";
import { fixedRandom } from "./fixed_random.ts";
import { rawEncrypt, rawKeys } from "./raw_envelope.ts";
import { salamander } from "./salamander.ts";

interface Vector {
  name: string;
  root: string;
  type: ObjectContext["type"];
  vaultId: string;
  objectName: string;
  object: string;
}

interface ValidVector extends Vector {
  kid: string;
  context: string;
  iv: string;
  payload: string;
}

const vectors = loadVectors<{ valid: ValidVector[]; invalid: Vector[] }>("envelope");
const random = fixedRandom("envelope test");
const epoch = await epochOf(0);
const context: ObjectContext = {
  type: "pack",
  vaultId: new Uint8Array(16).fill(3),
  name: "packs/ab/cdefghjkmnpqrstvwxyz0123456789",
};

function epochOf(fill: number): Promise<Epoch> {
  return deriveEpoch(rootKeyFromBytes(new Uint8Array(32).fill(fill)));
}

function contextOf(vector: Vector): ObjectContext {
  return { type: vector.type, vaultId: unhex(vector.vaultId), name: vector.objectName };
}

/** The object did not open, and the error tells no more than that. */
async function refused(e: Epoch, c: ObjectContext, object: Bytes, why?: string): Promise<void> {
  const failure = await open(e, c, object).then(() => null, (error: unknown) => error);
  assert(isClaudeSyncError(failure, "damaged"), `opened or failed otherwise: ${why}`);
  assert.equal(failure.message, "Object is damaged or was made with another key");
  assert.equal(failure.objectName, c.name);
  assert.equal(failure.cause, undefined);
}

Deno.test("encryptObject and open agree with the known objects", async (t) => {
  for (const vector of vectors.valid) {
    await t.step(vector.name, async () => {
      const known = await deriveEpoch(rootKeyFromBytes(unhex(vector.root)));
      const c = contextOf(vector);
      const payload = unbase64(vector.payload);
      assert.equal(known.kidHex, vector.kid);
      assert.equal(toHex(encodeContext(known.kid, c)), vector.context);
      const object = await encryptObject(known, c, payload, unhex(vector.iv));
      assert.deepEqual(object, unbase64(vector.object));
      assert.deepEqual(await open(known, c, object), payload);
    });
  }
});

Deno.test("open refuses every invalid vector with the same words", async (t) => {
  for (const vector of vectors.invalid) {
    await t.step(vector.name, async () => {
      const known = await deriveEpoch(rootKeyFromBytes(unhex(vector.root)));
      await refused(known, contextOf(vector), unbase64(vector.object), vector.name);
    });
  }
});

Deno.test("open refuses an object with any one byte changed", async () => {
  const object = await encryptObject(epoch, context, utf8("secret"), random.bytes(12));
  assert.equal(object.length, 4096);
  for (let at = 0; at < object.length; at++) {
    const copy = object.slice();
    copy[at]! ^= 1 << (at % 8);
    await refused(epoch, context, copy, `byte ${at}`);
  }
});

Deno.test("open refuses an object cut anywhere", async () => {
  const object = await encryptObject(epoch, context, random.bytes(4500), random.bytes(12));
  for (let length = 0; length < object.length; length++) {
    await refused(epoch, context, object.slice(0, length), `length ${length}`);
  }
  await refused(epoch, context, concat(object, new Uint8Array(1)), "one byte more");
});

Deno.test("open refuses an object in any other place than its own", async () => {
  const object = await encryptObject(epoch, context, utf8("secret"), random.bytes(12));
  await refused(epoch, { ...context, name: `${context.name}a` }, object, "name");
  await refused(epoch, { ...context, type: "log" }, object, "type");
  await refused(epoch, { ...context, type: "keychain" }, object, "type with a key of its own");
  await refused(epoch, { ...context, vaultId: new Uint8Array(16).fill(4) }, object, "vault");
  await refused(await epochOf(1), context, object, "root key");
  const renamed = { ...epoch, kid: new Uint8Array(16) };
  await refused(renamed, context, object, "epoch's name");
});

Deno.test("open refuses under the second key an object whose tag holds under two", async () => {
  const c = { root: new Uint8Array(32), ...context };
  const other = { ...c, root: new Uint8Array(32).fill(1) };
  const iv = random.bytes(12);
  const { object, payload } = salamander(rawKeys(c), rawKeys(other), iv);
  for (const keys of [rawKeys(c), rawKeys(other)]) {
    const decipher = createDecipheriv("aes-256-gcm", keys.cipherKey, iv, { authTagLength: 16 });
    decipher.setAAD(keys.context);
    decipher.setAuthTag(object.subarray(12, 28));
    decipher.update(object.subarray(28));
    decipher.final();
  }
  assert.deepEqual(await open(epoch, context, object), payload);
  await refused(await epochOf(1), context, object, "second key");
});

Deno.test("encryptObject takes 64 MiB and not a byte more", async () => {
  const limit = 64 * 1024 * 1024;
  const payload = new Uint8Array(limit - 84);
  assert.equal((await encryptObject(epoch, context, payload, random.bytes(12))).length, limit);
  await assert.rejects(
    () => encryptObject(epoch, context, new Uint8Array(limit - 83), random.bytes(12)),
    (error) => isClaudeSyncError(error, "too-large") && error.objectName === context.name,
  );
  await refused(epoch, context, new Uint8Array(limit + 1), "past 64 MiB");
});

Deno.test("open inverts encryptObject", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 9000 }), fc.uuid(), async (bytes, name) => {
      const payload = new Uint8Array(bytes);
      const c = { ...context, name };
      const object = await encryptObject(epoch, c, payload, random.bytes(12));
      assert.equal(object.length, sealedSizeBytes(payload.length));
      assert.deepEqual(await open(epoch, c, object), payload);
    }),
    { numRuns: 100 },
  );
});

Deno.test("open throws nothing but damaged on random bytes", async () => {
  const keys = rawKeys({ root: new Uint8Array(32), ...context });
  const frames = fc.uint8Array({ minLength: 0, maxLength: 4200 });
  await fc.assert(
    fc.asyncProperty(frames, fc.boolean(), async (bytes, isEncrypted) => {
      const object = isEncrypted
        ? rawEncrypt(keys.cipherKey, random.bytes(12), keys.context, concat(keys.commit, bytes))
        : new Uint8Array(bytes);
      await assert.rejects(
        () => open(epoch, context, object),
        (error) => error instanceof ClaudeSyncError && error.code === "damaged",
      );
    }),
    { numRuns: 300 },
  );
});

Deno.test("encodeContext refuses a name that would exceed 512 bytes", () => {
  const room = 512 - 15 - (4 + 4) - (4 + 16) - (4 + 16) - 4;
  const named = (length: number) => ({ ...context, name: "n".repeat(length) });
  assert.equal(encodeContext(epoch.kid, named(room)).length, 512);
  assert.throws(
    () => encodeContext(epoch.kid, named(room + 1)),
    (error) => isClaudeSyncError(error, "bug"),
  );
});
