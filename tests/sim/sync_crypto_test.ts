import assert from "node:assert/strict";
import { concat, toHex, utf8 } from "../../src/base/bytes.ts";
import { Secret } from "../../src/base/secret.ts";
import { encryptObject, open } from "../../src/crypto/envelope.ts";
import { machineIdentityFromSeed, verifySignature } from "../../src/crypto/machine_identity.ts";
import { deriveEpoch } from "../../src/crypto/root_key.ts";
import { isClaudeSyncError } from "../../src/errors.ts";
import { Dice } from "./dice.ts";
import { installSyncCrypto } from "./sync_crypto.ts";

async function everything(seed: number): Promise<unknown> {
  const dice = new Dice(seed);
  const identity = await machineIdentityFromSeed(new Secret(dice.bytes(32)));
  const message = dice.bytes(100);
  const signature = await identity.sign(message);
  const isGood = await verifySignature(identity.signPublic, signature, message);
  const isBad = await verifySignature(identity.signPublic, signature, utf8("another"));
  const epoch = await deriveEpoch({ secret: new Secret(dice.bytes(32)) } as never);
  const context = { type: "log" as const, vaultId: dice.bytes(16), name: "log/x/1" };
  const sealed = await encryptObject(epoch, context, message, dice.bytes(12));
  const opened = await open(epoch, context, sealed);
  const flipped = sealed.slice();
  flipped[40]! ^= 1;
  const refused = await open(epoch, context, flipped).catch((error: unknown) => error);
  assert.ok(isClaudeSyncError(refused, "damaged"));
  const all = concat(identity.signPublic, identity.kemPublic, signature, sealed, opened);
  return [identity.id, epoch.kidHex, toHex(all), isGood, isBad];
}

Deno.test("the simulation's crypto gives the bytes that WebCrypto gives", async () => {
  for (const seed of [1, 2, 3]) {
    const real = await everything(seed);
    const restore = installSyncCrypto();
    try {
      assert.deepEqual(await everything(seed), real);
      assert.deepEqual(await everything(seed), real, "also what is remembered");
    } finally {
      restore();
    }
    assert.deepEqual(await everything(seed), real, "WebCrypto is back");
  }
});
