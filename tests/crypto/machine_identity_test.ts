import assert from "node:assert/strict";
import { toHex, utf8 } from "../../src/base/bytes.ts";
import {
  machineIdentityFromSeed,
  machineIdOf,
  verifySignature,
} from "../../src/crypto/machine_identity.ts";
import { Secret } from "../../src/base/secret.ts";
import { isClaudeSyncError } from "../../src/errors.ts";
import { loadVectors, unhex } from "../vectors/load.ts";

interface MachineVector {
  seed: string;
  signPublic: string;
  kemPublic: string;
  machineId: string;
  message: string;
  signature: string;
}

const { machines } = loadVectors<{ machines: MachineVector[] }>("keys");
const known = machines[0]!;

Deno.test("machineIdentityFromSeed gives the known machines", async () => {
  assert.equal(known.machineId, "47935f3a177faa8ea91c464b4f00602b");
  for (const vector of machines) {
    const identity = await machineIdentityFromSeed(new Secret(unhex(vector.seed)));
    assert.equal(identity.id, vector.machineId);
    assert.equal(toHex(identity.signPublic), vector.signPublic);
    assert.equal(toHex(identity.kemPublic), vector.kemPublic);
    assert.equal(toHex(await identity.sign(utf8(vector.message))), vector.signature);
    assert.equal(machineIdOf(unhex(vector.signPublic), unhex(vector.kemPublic)), vector.machineId);
  }
});

Deno.test("machineIdentityFromSeed takes a seed of 32 bytes only", async () => {
  await assert.rejects(
    () => machineIdentityFromSeed(new Secret(new Uint8Array(31))),
    (error) => isClaudeSyncError(error, "bug"),
  );
});

Deno.test("verifySignature holds for the machine's own bytes only", async () => {
  const [key, signature] = [unhex(known.signPublic), unhex(known.signature)];
  const message = utf8(known.message);
  assert.equal(await verifySignature(key, signature, message), true);
  assert.equal(await verifySignature(key, signature, utf8("Signed")), false);
  assert.equal(await verifySignature(unhex(machines[1]!.signPublic), signature, message), false);
  for (let at = 0; at < signature.length; at++) {
    const changed = signature.map((byte, i) => i === at ? byte ^ 1 : byte);
    assert.equal(await verifySignature(key, changed, message), false, `byte ${at}`);
  }
});

Deno.test("verifySignature is false for what is no key or no signature", async () => {
  const [key, signature] = [unhex(known.signPublic), unhex(known.signature)];
  const message = utf8(known.message);
  assert.equal(await verifySignature(new Uint8Array(32).fill(0xff), signature, message), false);
  assert.equal(await verifySignature(new Uint8Array(32).fill(2), signature, message), false);
  assert.equal(await verifySignature(key.slice(0, 31), signature, message), false);
  assert.equal(await verifySignature(key, signature.slice(0, 63), message), false);
  assert.equal(await verifySignature(key, new Uint8Array(65), message), false);
});
