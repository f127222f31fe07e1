/** Compaction as users and other machines see it: nothing changes but the number of objects. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ClaudeSyncError, isClaudeSyncError } from "../../src/errors.ts";
import { objectName } from "../../src/storage/object_name.ts";
import type { ObjectInfo, ObjectStore } from "../../src/storage/object_store.ts";
import { syncService } from "../../src/sync/service.ts";
import { changedStore } from "../support/changed_store.ts";
import { allStates, DAY_MS, gc, IDS, liveOn, pushTurns, speak } from "../support/gc_world.ts";
import { SessionCorpus } from "../support/session_corpus.ts";
import { inTempDir, SyncMachine } from "../support/sync_machine.ts";
import { contentsOf, newcomer, newWorld, objectsOf } from "../support/sync_world.ts";

type Three = [SyncMachine, SyncMachine, SyncMachine];

Deno.test("a compacted log says the same in fewer objects, which go after the grace", () =>
  inTempDir(async (dir) => {
    const world = await newWorld(dir);
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    await pushTurns(anna, world.clock, 12);
    const before = await allStates(bert);
    const dry = await gc(anna, { dryRun: true });
    assert.deepEqual([dry.compacted?.entries, dry.compacted?.written], [12, null]);
    assert.equal((await objectsOf(world.store)).size, 13, "a dry run writes nothing");
    const done = await gc(anna);
    assert.deepEqual([done.compacted?.entries, done.compacted?.written?.entries], [12, 2]);
    assert.deepEqual(done.deleted, { objects: 0, bytes: 0 });
    assert.deepEqual([done.waiting?.objects, done.waiting?.daysLeft], [12, 7]);
    assert.deepEqual(await allStates(bert), before, "for who had read the old entries");
    await liveOn(anna, world.clock, 6);
    assert.equal((await gc(anna)).deleted.objects, 0, "not before the grace");
    await liveOn(anna, world.clock, 1);
    assert.equal((await gc(anna, { dryRun: true })).deleted.objects, 12);
    assert.equal((await gc(anna)).deleted.objects, 12);
    assert.equal((await objectsOf(world.store)).size, 3, "header, content, checkpoint");
    assert.deepEqual((await bert.verify()).problems, []);
    assert.deepEqual(await allStates(bert), before);
    speak(anna, IDS[0]!, "later");
    await anna.push();
    await bert.pull({ all: true });
    assert.deepEqual(contentsOf(bert), contentsOf(anna));
    const idle = await gc(anna);
    assert.deepEqual([idle.compacted, idle.waiting, idle.leftovers], [null, null, null]);
  }));

Deno.test("who reads while another machine deletes looks again, and raises no alarm", () =>
  inTempDir(async (dir) => {
    let old: ObjectInfo[] | null = null;
    let lists = 0;
    const storeOf = (name: string, store: ObjectStore) =>
      name !== "bert" ? store : changedStore(store, {
        // As it was before the deletion, until the third look.
        list: (prefix, options) => {
          const stale = old !== null && ++lists < 3 ? old : null;
          return stale === null ? store.list(prefix, options) : itemsOf(stale);
        },
      });
    const world = await newWorld(dir, { storeOf });
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    await pushTurns(anna, world.clock, 3);
    await bert.pull({ all: true });
    await pushTurns(anna, world.clock, 9);
    await gc(anna);
    await liveOn(anna, world.clock, 7);
    const before: ObjectInfo[] = [];
    for await (const info of world.store.list("log/")) before.push(info);
    assert.equal((await gc(anna)).deleted.objects, 12);
    old = before;
    await bert.pull({ all: true });
    assert.deepEqual(contentsOf(bert), contentsOf(anna));
    // What stays listed and is not there is an alarm all the same.
    speak(anna, IDS[0]!, "later");
    await anna.push();
    old = [];
    for await (const info of world.store.list("log/")) old.push(info);
    lists = -100;
    await world.store.delete(old.at(-1)!.name);
    assert.equal(
      await bert.pull().then(() => null, (error: ClaudeSyncError) => error.code),
      "incomplete",
    );
  }));

async function* itemsOf<Item>(items: readonly Item[]): AsyncIterable<Item> {
  yield* items;
}

Deno.test("packs go before the entries that name them, and entries in their order", () =>
  inTempDir(async (dir) => {
    const gone: string[] = [];
    const storeOf = (_: string, store: ObjectStore) =>
      changedStore(store, {
        delete: (name, options) => {
          gone.push(name);
          return store.delete(name, options);
        },
      });
    const world = await newWorld(dir, { storeOf });
    const [anna] = world.machines as [SyncMachine, SyncMachine];
    // Too much for an entry alone, and too little for a pack that stays.
    const noise = randomBytes(400_000).toString("base64");
    anna.writeTranscript(IDS[0]!, JSON.stringify({ noise }) + "\n");
    await anna.push();
    await pushTurns(anna, world.clock, 6);
    await gc(anna);
    await liveOn(anna, world.clock, 7);
    await gc(anna);
    const kinds = gone.map((name) => name.startsWith("packs/") ? "pack" : "entry");
    assert.deepEqual(kinds, kinds.toSorted().reverse(), gone.join("\n"));
    assert.equal(kinds.filter((kind) => kind === "pack").length, 1);
    const entries = gone.filter((name) => name.startsWith("log/"));
    assert.deepEqual(entries, entries.toSorted());
    assert.equal(entries.length, 7);
  }));

Deno.test("who was away for months, and who joins, have the same as who was there", () =>
  inTempDir(async (dir) => {
    const world = await newWorld(dir, { names: ["anna", "bert", "carl"] });
    const [anna, bert, carl] = world.machines as Three;
    await pushTurns(anna, world.clock, 4);
    await carl.pull({ all: true });
    speak(carl, IDS[0]!, "carl goes on, and does not push");
    for (let month = 0; month < 3; month++) {
      await pushTurns(anna, world.clock, 6);
      await gc(anna);
      await pushTurns(bert, world.clock, 2);
      await liveOn(anna, world.clock, 7);
      await gc(anna);
    }
    assert.deepEqual((await carl.sync()).push.failures, []);
    await bert.sync();
    await anna.sync();
    const states = await allStates(anna);
    assert.ok(states.some((state) => state.includes("carl goes on")));
    assert.deepEqual(await allStates(carl), states);
    assert.deepEqual(await allStates(bert), states);
    const fresh = await newcomer(world, dir, "dora");
    await fresh.pull({ all: true });
    assert.deepEqual(await allStates(fresh), states);
    assert.deepEqual((await fresh.verify()).problems, []);
  }));

Deno.test("large packs stay where they are, and what lies beside them is put together", () =>
  inTempDir(async (dir) => {
    const world = await newWorld(dir);
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    const facts = { cwd: anna.project, seed: 1, startMs: world.clock.nowMs() - 3_600_000 };
    const corpus = new SessionCorpus({ ...facts, session: IDS[7]! });
    const noise = crypto.getRandomValues(new Uint8Array(65_536));
    const hex = Array.from(
      { length: 90 },
      (_, n) => JSON.stringify({ n, noise: noise.map((byte) => byte ^ n).toHex() }),
    ).join("\n");
    anna.writeTranscript(IDS[7]!, corpus.next(1000) + hex + "\n");
    await anna.push();
    await pushTurns(anna, world.clock, 9);
    const before = await allStates(bert);
    const packs = [...(await objectsOf(world.store)).keys()].filter((name) => /^packs/.test(name));
    const done = await gc(anna);
    assert.equal(done.compacted?.keptPacks, packs.length);
    assert.deepEqual([done.compacted?.written?.packs, done.waiting?.objects], [0, 10]);
    await liveOn(anna, world.clock, 7);
    await gc(anna);
    const left = await objectsOf(world.store);
    for (const name of packs) assert.ok(left.has(name), "it is still needed");
    assert.deepEqual(await allStates(bert), before);
    assert.deepEqual((await bert.verify()).problems, []);
  }));

Deno.test("verify tells what waits for its end from leftovers, and finds no fault with it", () =>
  inTempDir(async (dir) => {
    let deletions = Infinity;
    const storeOf = (_: string, store: ObjectStore) =>
      changedStore(store, {
        delete: (name, options) => {
          if (deletions-- > 0) return store.delete(name, options);
          throw new ClaudeSyncError("store-unreachable", "The store has gone");
        },
      });
    const world = await newWorld(dir, { storeOf });
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    const others = async (machine: SyncMachine) => {
      const { unreferenced, replaced, problems } = await machine.verify();
      assert.deepEqual(problems, []);
      return [unreferenced, replaced];
    };
    // Twice: what a log says of its beginning is found in another way when that has gone.
    for (const round of [1, 2]) {
      // Too large to travel in an entry, too small to stay a pack of its own.
      for (const id of IDS.slice(0, 3)) {
        const lines = Array.from(
          { length: 5 },
          () => crypto.getRandomValues(new Uint8Array(65_536)).toHex(),
        );
        anna.writeTranscript(id, [round, ...lines, ""].join("\n"));
        await anna.push();
      }
      await pushTurns(anna, world.clock, 9);
      assert.deepEqual(await others(bert), [0, 0]);
      const { waiting } = await gc(anna);
      for (const machine of [anna, bert]) {
        const [packs = 0, entries = 0] = await others(machine);
        assert.equal(packs + entries, waiting?.objects);
        assert.ok(packs > 0 && entries > 0, `${packs} packs and ${entries} entries wait`);
      }
      await liveOn(anna, world.clock, 7);
      for (const count of [1, 3]) {
        deletions = count;
        await assert.rejects(gc(anna), /The store has gone/);
        for (const machine of [anna, bert]) await others(machine);
      }
      deletions = Infinity;
      assert.ok((await gc(anna)).deleted.objects > 0);
      assert.deepEqual(await others(bert), [0, 0]);
    }
  }));

Deno.test("a run with nothing to do is one request, also when it counts a day", () =>
  inTempDir(async (dir) => {
    const world = await newWorld(dir);
    const [anna] = world.machines as [SyncMachine];
    await pushTurns(anna, world.clock, 6);
    await gc(anna);
    world.clock.advance(DAY_MS);
    assert.equal((await anna.pull()).requests, 1);
    assert.equal((await gc(anna)).waiting?.daysLeft, 6);
  }));

Deno.test("nothing is replaced when it does not come back from the store as it was put", () =>
  inTempDir(async (dir) => {
    let lying = false;
    const lie = (store: ObjectStore) =>
      changedStore(store, {
        get: async (name) => {
          const bytes = await store.get(name);
          if (lying && bytes !== null && name.includes("000000000009.")) bytes[9]! ^= 1;
          return bytes;
        },
      });
    const world = await newWorld(dir, { storeOf: (_, store) => lie(store) });
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    await pushTurns(anna, world.clock, 8);
    lying = true;
    await assert.rejects(gc(anna), (error) => isClaudeSyncError(error, "damaged"));
    lying = false;
    const names = [...(await objectsOf(world.store)).keys()];
    assert.ok(names.some((name) => name.includes("000000000009.")), "an unfinished checkpoint");
    assert.ok(!names.some((name) => name.includes("000000000010.")), "and no end of it");
    const before = await allStates(bert);
    await liveOn(anna, world.clock, 8);
    const again = await gc(anna);
    assert.equal(again.deleted.objects, 0);
    assert.equal(again.compacted?.entries, 9, "the next one begins anew");
    assert.deepEqual(await allStates(bert), before);
    assert.deepEqual((await bert.verify()).problems, []);
  }));

Deno.test("nothing is deleted while something that is needed is not there", () =>
  inTempDir(async (dir) => {
    const world = await newWorld(dir);
    const [anna] = world.machines as [SyncMachine];
    const facts = { cwd: anna.project, seed: 1, startMs: world.clock.nowMs() - 3_600_000 };
    const large = new SessionCorpus({ ...facts, session: IDS[7]! });
    await pushTurns(anna, world.clock, 5);
    anna.writeTranscript(IDS[7]!, large.next(6_000_000));
    await anna.push();
    await gc(anna);
    await liveOn(anna, world.clock, 7);
    const { packs } = (await newest(anna)).named;
    const hidden = objectName(packs[0]!);
    const bytes = (await world.store.get(hidden))!;
    await world.store.delete(hidden);
    const count = (await objectsOf(world.store)).size;
    await assert.rejects(gc(anna), (error) => isClaudeSyncError(error, "incomplete"));
    assert.equal((await objectsOf(world.store)).size, count);
    await world.store.put(hidden, bytes);
    assert.ok((await gc(anna)).deleted.objects > 5);
  }));

/** Packs that the index of a machine has as needed. */
function newest(machine: SyncMachine): Promise<{ named: { packs: string[] } }> {
  const database = new DatabaseSync(join(machine.home, ".claude-sync", "state.db"));
  const rows = database.prepare("SELECT name FROM object WHERE sha256 IS NOT NULL").all();
  database.close();
  return Promise.resolve({ named: { packs: rows.map(({ name }) => String(name)) } });
}

Deno.test("a lost database begins the grace anew", () =>
  inTempDir(async (dir) => {
    const world = await newWorld(dir);
    const [anna] = world.machines as [SyncMachine];
    await pushTurns(anna, world.clock, 6);
    await gc(anna);
    await liveOn(anna, world.clock, 7);
    for (const suffix of ["", "-wal", "-shm"]) {
      fs.rmSync(join(anna.home, ".claude-sync", `state.db${suffix}`), { force: true });
    }
    const anew = await gc(anna);
    assert.deepEqual([anew.deleted.objects, anew.waiting?.daysLeft], [0, 7]);
    await liveOn(anna, world.clock, 7);
    assert.equal((await gc(anna)).deleted.objects, 6);
  }));

Deno.test("the hooks' worker deletes what is due, and tries once a day", () =>
  inTempDir(async (dir) => {
    let refusing = false;
    const world = await newWorld(dir, {
      storeOf: (_, store) =>
        changedStore(store, {
          delete: async (name) => {
            if (refusing) throw new ClaudeSyncError("store-refused", "It may not be deleted");
            await store.delete(name);
          },
        }),
    });
    const [anna] = world.machines as [SyncMachine];
    await pushTurns(anna, world.clock, 6);
    await gc(anna);
    await liveOn(anna, world.clock, 7);
    refusing = true;
    speak(anna, IDS[0]!, "said before");
    await syncService.hookWorker(anna.context(), "push");
    const notice = join(anna.home, ".claude-sync", "notice.json");
    assert.match(fs.readFileSync(notice, "utf8"), /saved everything but could not tidy the vault/);
    assert.equal((await syncService.status(anna.context())).lastPush?.ok, true);
    assert.equal((await syncService.status(anna.context())).unsent, 0);
    refusing = false;
    await syncService.hookWorker(anna.context(), "push");
    assert.equal((await objectsOf(world.store)).size, 10, "not again on the same day");
    world.clock.advance(DAY_MS);
    await syncService.hookWorker(anna.context(), "push");
    await syncService.hookWorker(anna.context(), "push");
    assert.equal((await objectsOf(world.store)).size, 4);
    assert.ok(!fs.existsSync(notice));
  }));

for (const how of ["compacted", "given up"] as const) {
  Deno.test(`verify finds nothing wrong half-way through deleting a log that was ${how}`, () =>
    inTempDir(async (dir) => {
      let deletions = Infinity;
      const world = await newWorld(dir, {
        names: ["anna", "bert", "carl"],
        storeOf: (_, store) =>
          changedStore(store, {
            delete: async (name, options) => {
              if (deletions-- <= 0) throw new ClaudeSyncError("store-refused", "Not today");
              await store.delete(name, options);
            },
          }),
      });
      const [anna, bert, carl] = world.machines as Three;
      speak(bert, IDS[0]!, randomBytes(400_000).toString("base64"));
      await bert.push();
      await pushTurns(bert, world.clock, 5);
      const states = await allStates(carl);
      const tidying = how === "compacted" ? bert : anna;
      await anna.pull();
      speak(anna, IDS[7]!, "anna's");
      await anna.push();
      await gc(tidying, how === "compacted" ? {} : { machine: "bert" });
      await liveOn(tidying, world.clock, 7);
      const all = (await objectsOf(world.store)).size;
      for (deletions = 1; deletions > 0; deletions = 1) {
        const { deleted } = await gc(tidying, { dryRun: true });
        if (deleted.objects === 0) break;
        await gc(tidying).catch((error) => assert.ok(isClaudeSyncError(error, "store-refused")));
        const left = (await objectsOf(world.store)).size;
        for (const machine of [anna, bert, carl]) {
          const { problems } = await machine.verify();
          assert.deepEqual(problems, [], `${machine.name}, ${left} of ${all} objects are left`);
        }
        const now = await allStates(carl);
        assert.ok(states.every((state) => now.includes(state)));
      }
    }));
}
