/** A laptop that is shut in the middle of long work. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { ClaudeSyncError, isClaudeSyncError } from "../../src/errors.ts";
import type { MemoryStore } from "../../src/storage/memory/store.ts";
import type { ObjectName } from "../../src/storage/object_name.ts";
import { SleepWatch } from "../../src/sync/sleep_watch.ts";
import { changedStore } from "../support/changed_store.ts";
import { DAY_MS, IDS } from "../support/gc_world.ts";
import { inTempDir, said, type SyncMachine } from "../support/sync_machine.ts";
import { newWorld } from "../support/sync_world.ts";

/** Half of the grace: who has slept no longer still knows what the others may have done. */
const SLEEP_MS = 3.5 * DAY_MS;

/** A laptop's clocks: the one on the wall, and the one that stands still in sleep. */
const SLEEPS: readonly { name: string; wallMs: number; monotonicMs: number; isAwake: boolean }[] = [
  { name: "no time", wallMs: 0, monotonicMs: 0, isAwake: true },
  { name: "as long as it may", wallMs: SLEEP_MS, monotonicMs: SLEEP_MS, isAwake: true },
  { name: "a moment too long", wallMs: SLEEP_MS + 1, monotonicMs: 0, isAwake: false },
  { name: "a clock set back", wallMs: -SLEEP_MS - 1, monotonicMs: 0, isAwake: false },
  { name: "a clock set back a little", wallMs: -SLEEP_MS, monotonicMs: 0, isAwake: true },
  { name: "a clock set back over it", wallMs: 0, monotonicMs: SLEEP_MS + 1, isAwake: false },
];

for (const { name, wallMs, monotonicMs, isAwake } of SLEEPS) {
  Deno.test(`SleepWatch after ${name} is ${isAwake ? "content" : "not"}`, () => {
    let [wall, monotonic] = [1_764_000_000_000, 5_000];
    const watch = new SleepWatch({
      nowMs: () => wall,
      monotonicMs: () => monotonic,
      sleep: () => Promise.resolve(),
    });
    [wall, monotonic] = [wall + wallMs, monotonic + monotonicMs];
    if (isAwake) return watch.requireAwake();
    assert.throws(() => watch.requireAwake(), (error) => isClaudeSyncError(error, "interrupted"));
  });
}

Deno.test("a push that slept between its packs and its entry is made anew", () =>
  inTempDir(async (dir) => {
    let afterPack: (() => Promise<void>) | null = null;
    const world = await newWorld(dir, {
      storeOf: (name, store) =>
        name !== "anna" ? store : changedStore(store, {
          put: async (object, bytes, options) => {
            const outcome = await store.put(object, bytes, options);
            const sleep = afterPack;
            afterPack = null;
            await sleep?.();
            return outcome;
          },
        }),
    });
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    const facts = { session: IDS[0]!, cwd: anna.project, atMs: world.clock.nowMs() };
    const noise = randomBytes(400_000).toString("base64");
    anna.writeTranscript(IDS[0]!, said("user", noise, facts));
    afterPack = async () => {
      world.clock.advance(7 * DAY_MS);
      // As an older program does, which takes it for a leftover of nobody.
      for (const name of await packsOf(world.store)) await world.store.delete(name);
    };
    await assert.rejects(anna.push(), (error) => isClaudeSyncError(error, "interrupted"));
    await anna.push();
    await bert.pull({ all: true });
    assert.equal(bert.readTranscript(IDS[0]!), anna.readTranscript(IDS[0]!));
    assert.deepEqual((await bert.verify()).problems, []);
  }));

for (const { days, isSame } of [{ days: 3, isSame: true }, { days: 4, isSame: false }]) {
  const what = isSame ? "named" : "left";
  Deno.test(`packs of a push that was interrupted ${days} days ago are ${what}`, () =>
    inTempDir(async (dir) => {
      let isCut = true;
      const world = await newWorld(dir, {
        storeOf: (name, store) =>
          name !== "anna" ? store : changedStore(store, {
            put: (object, bytes, options) => {
              if (!isCut || !object.startsWith("log/")) return store.put(object, bytes, options);
              throw new ClaudeSyncError("store-unreachable", "The line is cut");
            },
          }),
      });
      const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
      const facts = { session: IDS[0]!, cwd: anna.project, atMs: world.clock.nowMs() };
      const noise = randomBytes(400_000).toString("base64");
      anna.writeTranscript(IDS[0]!, said("user", noise, facts));
      await assert.rejects(anna.push());
      const left = await packsOf(world.store);
      world.clock.advance(days * DAY_MS);
      isCut = false;
      await anna.push();
      assert.equal((await packsOf(world.store)).length, isSame ? 1 : 2);
      // What somebody has taken for a leftover may go now.
      if (!isSame) await world.store.delete(left[0]!);
      await bert.pull({ all: true });
      assert.equal(bert.readTranscript(IDS[0]!), anna.readTranscript(IDS[0]!));
      assert.deepEqual((await bert.verify()).problems, []);
    }));
}

async function packsOf(store: MemoryStore): Promise<ObjectName[]> {
  const names: ObjectName[] = [];
  for await (const { name } of store.list("packs/")) names.push(name);
  return names;
}
