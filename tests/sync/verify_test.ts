/** What `verify` says while another machine deletes, and of what is truly gone. */
import assert from "node:assert/strict";
import { dirname } from "node:path/posix";
import { toHex } from "../../src/base/bytes.ts";
import type { ObjectInfo, ObjectStore } from "../../src/storage/object_store.ts";
import { RELIST_MAX } from "../../src/sync/refresh.ts";
import { changedStore } from "../support/changed_store.ts";
import { gc, liveOn, pushTurns } from "../support/gc_world.ts";
import { inTempDir, said, type SyncMachine } from "../support/sync_machine.ts";
import { newWorld } from "../support/sync_world.ts";

/** When the other machine deletes, of what `verify` has listed. */
const MOMENTS = ["before the first entry is read", "before the second entry is read"] as const;

// Found by the simulation: seeds 9019194 and 9019569.
for (const [index, moment] of MOMENTS.entries()) {
  Deno.test(`verify looks again when what was replaced is deleted ${moment}`, () =>
    inTempDir(async (dir) => {
      let deleteAll: (() => Promise<unknown>) | null = null;
      let gets = 0;
      const storeOf = (name: string, store: ObjectStore) =>
        name !== "bert" ? store : changedStore(store, {
          // One after the other, so that the moment is known.
          concurrency: 1,
          get: async (object, options) => {
            const work = deleteAll;
            if (object.startsWith("log/") && work !== null && ++gets > index) {
              deleteAll = null;
              await work();
            }
            return await store.get(object, options);
          },
        });
      const world = await newWorld(dir, { storeOf });
      const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
      await pushTurns(anna, world.clock, 6);
      await gc(anna);
      await liveOn(anna, world.clock, 7);
      deleteAll = async () => assert.equal((await gc(anna)).deleted.objects, 6);
      const { problems } = await bert.verify();
      assert.equal(deleteAll, null, "it was deleted in the middle");
      assert.deepEqual(problems, []);
    }));
}

Deno.test("verify looks again when a list still shows what was deleted", () =>
  inTempDir(async (dir) => {
    let old: readonly ObjectInfo[] = [];
    let looksToCome = 0;
    const storeOf = (name: string, store: ObjectStore) =>
      name !== "bert" ? store : changedStore(store, {
        list: async function* (prefix, options) {
          if (looksToCome-- > 0) yield* old;
          else yield* store.list(prefix, options);
        },
      });
    const world = await newWorld(dir, { storeOf });
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    await pushTurns(anna, world.clock, 3);
    old = await listOf(world.store);
    await pushTurns(anna, world.clock, 3);
    await gc(anna);
    await liveOn(anna, world.clock, 7);
    assert.equal((await gc(anna)).deleted.objects, 6);
    looksToCome = 2;
    assert.deepEqual((await bert.verify()).problems, []);
    looksToCome = 3;
    const { problems } = await bert.verify();
    assert.ok(problems.some(({ code }) => code === "incomplete"), "in the end it is believed");
  }));

Deno.test("verify reports an entry that stays listed and is not there", () =>
  inTempDir(async (dir) => {
    let hidden = "";
    const storeOf = (name: string, store: ObjectStore) =>
      name !== "bert" ? store : changedStore(store, {
        get: (object, options) =>
          object === hidden ? Promise.resolve(null) : store.get(object, options),
      });
    const world = await newWorld(dir, { storeOf });
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    await pushTurns(anna, world.clock, 3);
    hidden = (await logEntriesOf(world.store))[1]!;
    const { problems } = await bert.verify();
    assert.ok(
      problems.some(({ code, objectName }) => code === "incomplete" && objectName === hidden),
    );
  }));

Deno.test("verify reports an entry that it listed, could not read, and is not shown again", () =>
  inTempDir(async (dir) => {
    let hidden = "";
    let lists = 0;
    const storeOf = (name: string, store: ObjectStore) =>
      name !== "bert" ? store : changedStore(store, {
        get: (object, options) =>
          object === hidden ? Promise.resolve(null) : store.get(object, options),
        list: async function* (prefix, options) {
          const isFirst = ++lists === 1;
          for await (const info of store.list(prefix, options)) {
            if (isFirst || info.name !== hidden) yield info;
          }
        },
      });
    const world = await newWorld(dir, { storeOf });
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    await pushTurns(anna, world.clock, 3);
    await bert.pull({ all: true });
    // Nobody has seen the newest one, so that no mark and no claim tells of it.
    await pushTurns(anna, world.clock, 1);
    hidden = (await logEntriesOf(world.store)).at(-1)!;
    lists = 0;
    const { problems } = await bert.verify();
    assert.deepEqual(
      problems.map(({ code, objectName }) => [code, objectName]),
      [["incomplete", hidden]],
    );
    assert.equal(lists, RELIST_MAX, "a list that lags may show it again");
  }));

Deno.test("verify says nothing of a log that was given up and goes while it is read", () =>
  inTempDir(async (dir) => {
    let deleteAll: (() => Promise<unknown>) | null = null;
    const storeOf = (name: string, store: ObjectStore) =>
      name !== "carl" ? store : changedStore(store, {
        get: async (object, options) => {
          const work = deleteAll;
          deleteAll = null;
          await work?.();
          return await store.get(object, options);
        },
      });
    const world = await newWorld(dir, { names: ["anna", "bert", "carl"], storeOf });
    const [anna, bert, carl] = world.machines as [SyncMachine, SyncMachine, SyncMachine];
    await pushTurns(bert, world.clock, 4);
    await anna.pull({ all: true });
    await gc(anna, { machine: "bert" });
    await liveOn(anna, world.clock, 7);
    deleteAll = async () => assert.equal((await gc(anna)).deleted.objects, 4);
    const { problems } = await carl.verify();
    assert.equal(deleteAll, null, "it was deleted in the middle");
    assert.deepEqual(problems, []);
  }));

Deno.test("verify looks again when machines pushed while the list was under way", () =>
  inTempDir(async (dir) => {
    let whileListed: (() => Promise<unknown>) | null = null;
    let firstLog = "";
    const storeOf = (name: string, store: ObjectStore) =>
      name !== "carl" ? store : changedStore(store, {
        list: async function* (prefix, options) {
          const work = whileListed;
          whileListed = null;
          if (work === null) return yield* store.list(prefix, options);
          for await (const info of store.list(prefix, options)) {
            if (info.name <= firstLog || info.name.startsWith(firstLog)) yield info;
          }
          await work();
          for await (const info of store.list(prefix, options)) {
            if (info.name > firstLog && !info.name.startsWith(firstLog)) yield info;
          }
        },
      });
    const world = await newWorld(dir, { names: ["anna", "bert", "carl"], storeOf });
    const [anna, bert, carl] = world.machines as [SyncMachine, SyncMachine, SyncMachine];
    await pushTurns(anna, world.clock, 1);
    const [annas] = await logEntriesOf(world.store);
    await bert.pull({ all: true });
    await pushTurns(bert, world.clock, 1);
    const logs = [...new Set((await logEntriesOf(world.store)).map((name) => dirname(name)))];
    assert.equal(logs.length, 2);
    firstLog = `${logs[0]!}/`;
    const isAnnasFirst = dirname(annas!) === logs[0];
    const [first, second] = isAnnasFirst ? [anna, bert] : [bert, anna];
    whileListed = async () => {
      await pushTurns(first, world.clock, 1);
      await second.pull({ all: true });
      await pushTurns(second, world.clock, 1);
    };
    const { problems, entries } = await carl.verify(false);
    assert.equal(whileListed, null, "they pushed in the middle");
    assert.deepEqual(problems, []);
    assert.equal(entries, (await logEntriesOf(world.store)).length);
  }));

// The simulation, seed 9701476.
Deno.test("verify looks again for a pack that the list did not show with its entry", () =>
  inTempDir(async (dir) => {
    let listsWithout = 0;
    const storeOf = (name: string, store: ObjectStore) =>
      name !== "bert" ? store : changedStore(store, {
        list: async function* (prefix, options) {
          const isHidden = listsWithout-- > 0;
          for await (const info of store.list(prefix, options)) {
            if (!isHidden || !info.name.startsWith("packs/")) yield info;
          }
        },
      });
    const world = await newWorld(dir, { storeOf });
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    anna.writeTranscript("11111111-1111-4111-8111-111111111111", longText(anna));
    await anna.push();
    assert((await listOf(world.store)).some(({ name }) => name.startsWith("packs/")));
    listsWithout = 1;
    assert.deepEqual((await bert.verify()).problems, []);
    listsWithout = 9;
    const { problems } = await bert.verify();
    assert.deepEqual(problems.map(({ message }) => message).slice(0, 1), ["The pack is missing"]);
  }));

Deno.test("verify fetches no entry twice because a log that others speak of is missing", () =>
  inTempDir(async (dir) => {
    let log = "log/none/";
    const got: string[] = [];
    const storeOf = (name: string, store: ObjectStore) =>
      name !== "carl" ? store : changedStore(store, {
        get: (object, options) => {
          got.push(object);
          return store.get(object, options);
        },
        list: async function* (prefix, options) {
          for await (const info of store.list(prefix, options)) {
            if (!info.name.startsWith(log)) yield info;
          }
        },
      });
    const world = await newWorld(dir, { names: ["anna", "bert", "carl"], storeOf });
    const [anna, bert, carl] = world.machines as [SyncMachine, SyncMachine, SyncMachine];
    await pushTurns(bert, world.clock, 1);
    const [first] = await logEntriesOf(world.store);
    await anna.pull({ all: true });
    await pushTurns(anna, world.clock, 5);
    log = dirname(first!);
    const { problems } = await carl.verify(false);
    const claims = problems.filter(({ message }) => message.startsWith("It speaks of entry"));
    assert.equal(claims.length, 5);
    const entries = got.filter((name) => name.startsWith("log/")).sort();
    assert.deepEqual(entries, [...new Set(entries)]);
  }));

/** More than an entry holds: it goes into a pack. */
function longText(machine: SyncMachine): string {
  const session = "11111111-1111-4111-8111-111111111111";
  const parts = Array.from({ length: 40 }, () => crypto.getRandomValues(new Uint8Array(60_000)));
  const content = parts.map(toHex).join("");
  return said("user", content, { session, cwd: machine.project, atMs: 1_768_478_400_000 });
}

async function logEntriesOf(store: ObjectStore): Promise<string[]> {
  const names = (await listOf(store)).map(({ name }) => name);
  return names.filter((name) => name.startsWith("log/")).sort();
}

async function listOf(store: ObjectStore): Promise<ObjectInfo[]> {
  const infos: ObjectInfo[] = [];
  for await (const info of store.list("")) infos.push(info);
  return infos;
}
