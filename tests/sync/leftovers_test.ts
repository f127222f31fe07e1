/** What pushes leave that never came to an end: who may delete it, and when. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { Bytes } from "../../src/base/bytes.ts";
import { ClaudeSyncError, isClaudeSyncError } from "../../src/errors.ts";
import { type ObjectName, objectName } from "../../src/storage/object_name.ts";
import { changedStore } from "../support/changed_store.ts";
import { DAY_MS, gc, IDS, liveOn, pushTurns, speak } from "../support/gc_world.ts";
import { inTempDir, type SyncMachine } from "../support/sync_machine.ts";
import { contentsOf, newWorld, objectsOf, type SyncWorld } from "../support/sync_world.ts";

Deno.test("a pack that no entry names stays when this machine has not sent it", () =>
  inTempDir(async (dir) => {
    const world = await newWorld(dir);
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    await pushTurns(anna, world.clock, 2);
    const name = objectName(`packs/aa/${"a".repeat(30)}`);
    await world.store.put(name, new Uint8Array(4096));
    for (const machine of [anna, bert]) {
      await gc(machine);
      await liveOn(machine, world.clock, 8);
      const { deleted, leftovers } = await gc(machine);
      assert.deepEqual([deleted.objects, leftovers], [0, null]);
    }
    assert.notEqual(await world.store.get(name), null);
  }));

// Found by the simulation: seed 9000630.
Deno.test("a store that hides a log for weeks makes nobody delete what the log names", () =>
  inTempDir(async (dir) => {
    let isHidden = true;
    const world = await newWorld(dir, {
      storeOf: (name, store) =>
        name !== "bert" ? store : changedStore(store, {
          list: async function* (prefix, options) {
            for await (const info of store.list(prefix, options)) {
              if (!isHidden || !info.name.startsWith("log/")) yield info;
            }
          },
        }),
    });
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    speakLong(anna);
    await anna.push();
    await gc(bert);
    await liveOn(bert, world.clock, 8);
    assert.deepEqual((await gc(bert)).deleted, { objects: 0, bytes: 0 });
    isHidden = false;
    await bert.pull({ all: true });
    assert.deepEqual(contentsOf(bert), contentsOf(anna));
    assert.deepEqual((await bert.verify()).problems, []);
  }));

Deno.test("what a given up push has left goes when it was there for the whole grace", () =>
  inTempDir(async (dir) => {
    const { world, anna, bert, pack } = await givenUp(dir);
    const { leftovers } = await gc(anna);
    assert.deepEqual([leftovers?.objects, leftovers?.daysLeft], [1, 7]);
    await liveOn(anna, world.clock, 6);
    const waiting = await gc(anna);
    assert.deepEqual([waiting.deleted.objects, waiting.leftovers?.daysLeft], [0, 1]);
    await liveOn(anna, world.clock, 1);
    assert.equal((await gc(anna, { dryRun: true })).deleted.objects, 1);
    assert.equal((await gc(anna)).deleted.objects, 1);
    assert.equal(await world.store.get(pack), null);
    assert.equal((await gc(anna)).leftovers, null);
    await bert.pull({ all: true });
    assert.deepEqual(contentsOf(bert), contentsOf(anna));
    assert.deepEqual((await bert.verify()).problems, []);
  }));

Deno.test("leftovers stay while the vault has a log that does not open, which may name them", () =>
  inTempDir(async (dir) => {
    const { world, anna, pack } = await givenUp(dir);
    await liveOn(anna, world.clock, 7);
    const strange = objectName(`log/${"z".repeat(16)}/000000000001.aaaaaaaa`);
    await world.store.put(strange, new Uint8Array(4096));
    await assert.rejects(gc(anna), (error) => isClaudeSyncError(error, "damaged"));
    assert.notEqual(await world.store.get(pack), null);
    await world.store.delete(strange);
    await gc(anna);
    assert.equal(await world.store.get(pack), null);
  }));

Deno.test("leftovers stay when the entry came in the end, although no list shows it", () =>
  inTempDir(async (dir) => {
    const { world, anna, pack, refused } = await givenUp(dir);
    await liveOn(anna, world.clock, 6);
    await world.store.put(refused.name, refused.bytes);
    await liveOn(anna, world.clock, 1);
    assert.deepEqual((await gc(anna)).deleted, { objects: 0, bytes: 0 });
    assert.notEqual(await world.store.get(pack), null);
  }));

/**
 * A world in which anna has sent a pack, not the entry that was to name it, which is given too,
 * and has pushed anew after a few days. No list shows her that entry.
 */
async function givenUp(dir: string) {
  let isCut = true;
  let refused: { name: ObjectName; bytes: Bytes } | null = null;
  const world: SyncWorld = await newWorld(dir, {
    storeOf: (machine, store) =>
      machine !== "anna" ? store : changedStore(store, {
        put: (name, bytes, options) => {
          if (!isCut || !name.startsWith("log/")) return store.put(name, bytes, options);
          refused = { name, bytes: bytes.slice() };
          throw new ClaudeSyncError("store-unreachable", "The line is cut");
        },
        list: async function* (prefix, options) {
          for await (const info of store.list(prefix, options)) {
            if (info.name !== refused?.name) yield info;
          }
        },
      }),
  });
  const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
  speakLong(anna);
  await assert.rejects(anna.push(), /The line is cut/);
  const names = [...(await objectsOf(world.store)).keys()];
  const packs = names.filter((name) => name.startsWith("packs/"));
  assert.equal(packs.length, 1);
  world.clock.advance(4 * DAY_MS);
  isCut = false;
  await anna.push();
  return { world, anna, bert, pack: objectName(packs[0]!), refused: refused! };
}

/** Writes a session that is too large to travel in an entry. */
function speakLong(machine: SyncMachine): void {
  speak(machine, IDS[0]!, randomBytes(400_000).toString("base64"));
}
