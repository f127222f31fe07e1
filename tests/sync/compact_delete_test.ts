import assert from "node:assert/strict";
import { isClaudeSyncError } from "../../src/errors.ts";
import { changedStore } from "../support/changed_store.ts";
import { allStates, DAY_MS, gc, liveOn, pushTurns, speak } from "../support/gc_world.ts";
import { IDS } from "../support/gc_world.ts";
import { inTempDir, type SyncMachine } from "../support/sync_machine.ts";
import { newWorld, objectsOf } from "../support/sync_world.ts";

/** Half of the grace: who has slept no longer still knows what the others may have done. */
const SLEEP_MS = 3.5 * DAY_MS;

/** When the laptop is shut: at a call to the store. */
const MOMENTS = [
  { name: "while it looks at the logs", on: "list", subject: "log/", left: 7 },
  { name: "between its look and the deletion", on: "list", subject: "", left: 7 },
  { name: "at the first deletion", on: "delete", subject: "log/", left: 6 },
] as const;

for (const { name, on, subject, left } of MOMENTS) {
  Deno.test(`gc on a laptop that sleeps for days ${name} deletes no more`, () =>
    inTempDir(async (dir) => {
      let isShut = false;
      const shut = (call: string, what: string) => {
        if (isShut && call === on && what.startsWith(subject)) sleep();
      };
      const world = await newWorld(dir, {
        storeOf: (machine, store) =>
          machine !== "anna" ? store : changedStore(store, {
            list: async function* (prefix, options) {
              if (prefix === subject) shut("list", prefix);
              yield* store.list(prefix, options);
            },
            delete: async (object, options) => {
              shut("delete", object);
              await store.delete(object, options);
            },
          }),
      });
      const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
      const sleep = () => {
        isShut = false;
        world.clock.advance(SLEEP_MS + 1);
      };
      speak(bert, IDS[4]!, "bert's");
      await bert.push();
      await pushTurns(anna, world.clock, 7);
      const states = await allStates(bert);
      await gc(anna);
      await liveOn(anna, world.clock, 7);
      const old = () => objectsOf(world.store).then((all) => [...all.keys()].filter(isOld));
      const isOld = (object: string) => /^log\/.*\/00000000000[1-7]\./.test(object);
      const ofBert = 1;
      assert.equal((await old()).length, 7 + ofBert);
      isShut = true;
      await assert.rejects(gc(anna), (error) => isClaudeSyncError(error, "interrupted"));
      assert.equal(isShut, false, "it has slept");
      assert.equal((await old()).length, left + ofBert);
      await gc(anna);
      assert.equal((await old()).length, ofBert, "the next run looks anew, and completes");
      assert.deepEqual(await allStates(bert), states);
      assert.deepEqual((await bert.verify()).problems, []);
    }));
}
