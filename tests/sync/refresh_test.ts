import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { ClaudeSyncError } from "../../src/errors.ts";
import type { FileSystem } from "../../src/platform/types.ts";
import type { ObjectStore } from "../../src/storage/object_store.ts";
import { RELIST_MAX } from "../../src/sync/refresh.ts";
import { changedStore } from "../support/changed_store.ts";
import { pushTurns } from "../support/gc_world.ts";
import { said, SyncMachine, TestClock } from "../support/sync_machine.ts";
import { inTempDir } from "../support/sync_machine.ts";
import { newWorld } from "../support/sync_world.ts";
import { TamperedStore } from "../support/tampered_store.ts";

const ID = "11111111-1111-4111-8111-111111111111";
const T0 = Date.UTC(2026, 0, 15, 12);
const INDEX_FILES = ["state.db", "state.db-wal", "state.db-shm"];

Deno.test("a mark that could not be written is written by the next look", () =>
  inTempDir(async (dir) => {
    const store = new TamperedStore();
    const clock = new TestClock(T0);
    let isFull = false;
    const fs = (real: FileSystem): FileSystem => ({
      ...real,
      rename(from, to) {
        if (isFull && to.endsWith("trust.json")) {
          throw new ClaudeSyncError("no-space", "No space left", { path: to });
        }
        real.rename(from, to);
      },
    });
    const anna = new SyncMachine({ name: "anna", dir, clock, store: () => store.open() });
    const bert = new SyncMachine({ name: "bert", dir, clock, store: () => store.open(), fs });
    await anna.init();
    await bert.join(anna);
    const empty = store.objects();
    anna.writeTranscript(ID, said("user", "one", { session: ID, cwd: anna.project, atMs: T0 }), T0);
    await anna.push();
    const whole = store.objects();
    isFull = true;
    await assert.rejects(bert.pull(), { code: "no-space" });
    isFull = false;
    await bert.pull();
    // The index can be made anew from the vault; the marks must not depend on it.
    for (const file of INDEX_FILES) rmSync(join(bert.home, ".claude-sync", file), { force: true });
    await store.show(empty);
    await assert.rejects(bert.pull(), { code: "rolled-back" });
    await store.show(whole);
    await bert.pull();
  }));

// The simulation, seed 9610218: a folder that is listed while another machine writes to it.
Deno.test("a list that shows a later entry and not the one before is looked at again", () =>
  inTempDir(async (dir) => {
    let looksToCome = 0;
    let lists = 0;
    let hiddenEntry = /\/0*2\./;
    const storeOf = (name: string, store: ObjectStore) =>
      name !== "bert" ? store : changedStore(store, {
        list: async function* (prefix, options) {
          lists++;
          const hidden = looksToCome-- > 0 ? hiddenEntry : /^$/;
          for await (const info of store.list(prefix, options)) {
            if (!hidden.test(info.name)) yield info;
          }
        },
      });
    const world = await newWorld(dir, { storeOf });
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    await pushTurns(anna, world.clock, 3);
    looksToCome = RELIST_MAX - 1;
    assert.equal((await bert.pull({ all: true })).pulled, 3);
    await pushTurns(bert, world.clock, 3);
    await anna.pull({ all: true });
    for (const machine of [anna, bert]) assert.deepEqual((await machine.verify()).problems, []);
    await pushTurns(anna, world.clock, 1);
    [looksToCome, lists] = [1, 0];
    await assert.rejects(bert.pull(), { code: "incomplete" });
    assert.equal(lists, 1, "what was read before, and is gone, is no matter of time");
    await bert.pull();
    await pushTurns(anna, world.clock, 2);
    hiddenEntry = /\/0*5\./;
    [looksToCome, lists] = [RELIST_MAX, 0];
    await assert.rejects(bert.pull(), { code: "incomplete" });
    assert.equal(lists, RELIST_MAX, "in the end it is believed");
  }));
