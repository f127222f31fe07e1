/** Taking a vault to another place, alone and while others work with it. */
import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ClaudeSyncError } from "../../src/errors.ts";
import { folderLocationOf, type StoreLocation } from "../../src/storage/location.ts";
import type { ObjectStore } from "../../src/storage/object_store.ts";
import { syncService } from "../../src/sync/service.ts";
import type { MoveRequest } from "../../src/sync/store_api.ts";
import { changedStore } from "../support/changed_store.ts";
import { gc, liveOn, pushTurns } from "../support/gc_world.ts";
import { codeOf } from "../support/outcome.ts";
import { filesBelow, inTempDir, said, SyncMachine, TestClock } from "../support/sync_machine.ts";

const IDS = [1, 2, 3, 4, 5].map((n) => `${String(n).repeat(8)}-1111-4111-8111-111111111111`);
const T0 = Date.now() - 86_400_000;

function speak(machine: SyncMachine, session: string, more = ""): void {
  const facts = { session, cwd: machine.project, atMs: T0 };
  const text = said("user", `of ${machine.name}${more}`, facts) + said("assistant", "yes", facts);
  machine.writeTranscript(session, text);
}

function move(machine: SyncMachine, dir: string, more: Partial<MoveRequest> = {}) {
  const request = { createBucket: false, keys: null, dryRun: false, ...more };
  return syncService.storeMove(machine.context(), { location: folderLocationOf(dir), ...request });
}

function follow(machine: SyncMachine, dir: string) {
  const location = folderLocationOf(dir);
  return syncService.init(machine.context(), { location, machineName: null, dryRun: false });
}

function storeOf(machine: SyncMachine): string {
  const path = join(machine.home, ".claude-sync", "config.json");
  return JSON.parse(readFileSync(path, "utf8")).store.path;
}

/** Two machines of one vault; the first has pushed enough for packs. */
async function pair(
  dir: string,
  options: Partial<ConstructorParameters<typeof SyncMachine>[0]> = {},
) {
  const a = new SyncMachine({ name: "anna", dir, ...options });
  const b = new SyncMachine({ name: "bert", dir });
  await a.init();
  await b.join(a);
  for (const id of IDS.slice(0, 2)) {
    speak(a, id);
    await a.push();
  }
  const noise = Array.from({ length: 40_000 }, () => Math.random().toString(36)).join("");
  speak(a, IDS[2]!, noise);
  await a.push();
  await b.pull();
  return { a, b, target: join(dir, "second") };
}

Deno.test("store move takes every object along, the same byte for byte, and deletes none", () =>
  inTempDir(async (dir) => {
    const { a, b, target } = await pair(dir);
    writeFileSync(join(a.vaultDir, "notes.txt"), "mine");
    const before = filesBelow(a.vaultDir);
    const trial = await move(a, target, { dryRun: true });
    assert.deepEqual([trial.copied, trial.verified, existsSync(target)], [trial.objects, 0, false]);
    const moved = await move(a, target);
    const { "notes.txt": _, ...vault } = before;
    assert.deepEqual(filesBelow(target), vault);
    assert.deepEqual(filesBelow(a.vaultDir), before);
    const count = Object.keys(vault).length;
    assert.deepEqual([moved.objects, moved.copied, moved.verified], [count, count, count]);
    assert.ok(Object.keys(vault).some((name) => name.startsWith("packs/")), "with packs");
    assert.equal(storeOf(a), target);
    speak(a, IDS[3]!);
    assert.equal((await a.push()).pushed, 1);
    assert.deepEqual((await a.verify()).problems, []);
    assert.deepEqual(filesBelow(a.vaultDir), before, "the old place is not used any more");
    // The other machine goes the same way, and there is nothing left to copy.
    const followed = await move(b, target);
    assert.deepEqual([followed.copied, followed.verified], [0, 0]);
    assert.equal((await b.pull()).pulled, 1);
    assert.deepEqual((await b.verify()).problems, []);
  }));

Deno.test("store move refuses the same place, another vault, and half of one", () =>
  inTempDir(async (dir) => {
    const { a, target } = await pair(dir);
    assert.equal(await codeOf(move(a, a.vaultDir)), "already-set-up");
    const other = new SyncMachine({ name: "olga", dir, vaultDir: target });
    await other.init();
    speak(other, IDS[4]!);
    await other.push();
    const before = filesBelow(target);
    assert.equal(await codeOf(move(a, target)), "already-set-up");
    rmSync(join(target, "claude-sync.json"));
    assert.equal(await codeOf(move(a, target)), "already-set-up");
    const { "claude-sync.json": _, ...rest } = before;
    assert.deepEqual(filesBelow(target), rest);
    assert.equal(storeOf(a), a.vaultDir);
  }));

Deno.test("store move goes on where it was interrupted, whatever object that was at", () =>
  inTempDir(async (dir) => {
    const { a, target } = await pair(dir);
    const vault = filesBelow(a.vaultDir);
    const count = Object.keys(vault).length;
    for (let puts = 0; puts < count; puts++) {
      rmSync(target, { recursive: true, force: true });
      let left = puts;
      const failing = new SyncMachine({
        name: "anna",
        dir,
        store: async (location, create) => {
          const store = await a.openStore(location, create);
          if (location.kind !== "folder" || location.path !== target) return store;
          return changedStore(store, {
            put: (...call) => {
              if (left-- > 0) return store.put(...call);
              return Promise.reject(new ClaudeSyncError("store-refused", "Enough"));
            },
          });
        },
      });
      assert.equal(await codeOf(move(failing, target)), "store-refused");
      assert.equal(storeOf(a), a.vaultDir, "the old place is used until all is done");
      assert.equal(
        existsSync(join(target, "claude-sync.json")),
        false,
        "nobody takes it for whole",
      );
      if (puts % 5 !== 0) continue;
      const { copied, verified } = await move(a, target);
      assert.deepEqual([copied, verified], [count - puts, count]);
      assert.deepEqual(filesBelow(target), vault);
      assert.equal((await follow(a, a.vaultDir)).outcome, "followed");
    }
  }));

Deno.test("store move goes on although gc has deleted some of what was copied", () =>
  inTempDir(async (dir) => {
    const clock = new TestClock(Date.now());
    const { a, b, target } = await pair(dir, { clock });
    await pushTurns(a, clock, 9);
    for (const part of ["log", "packs"]) {
      cpSync(join(a.vaultDir, part), join(target, part), { recursive: true });
    }
    await gc(a);
    await liveOn(a, clock, 7);
    assert.equal((await gc(a)).deleted.objects > 0, true);
    const moved = await move(a, target);
    assert.equal(moved.verified, moved.objects);
    assert.deepEqual((await a.verify()).problems, []);
    await follow(b, target);
    await b.pull();
    assert.equal(b.readTranscript(IDS[0]!), a.readTranscript(IDS[0]!));
    // What is another vault's stays refused, also where it is not whole.
    const other = new SyncMachine({ name: "carl", dir, vaultDir: join(dir, "third") });
    await other.init();
    speak(other, IDS[4]!);
    await other.push();
    rmSync(join(dir, "third", "claude-sync.json"));
    assert.equal(await codeOf(move(b, join(dir, "third"))), "already-set-up");
  }));

Deno.test("store move sees what another machine pushes meanwhile", () =>
  inTempDir(async (dir) => {
    const { b, target } = await pair(dir);
    let pushes = 0;
    const open = async (location: StoreLocation, create: boolean): Promise<ObjectStore> => {
      const store = await b.openStore(location, create);
      if (location.kind !== "folder" || !location.path.endsWith("second")) return store;
      return changedStore(store, {
        put: async (name, ...rest) => {
          // Once in the middle, once after all but the header.
          const isTime = pushes === 0 || (pushes === 1 && name === "claude-sync.json");
          if (isTime) {
            speak(b, IDS[3 + pushes++]!);
            await b.push();
          }
          return await store.put(name, ...rest);
        },
      });
    };
    const a = new SyncMachine({ name: "anna", dir, store: open });
    const moved = await move(a, target);
    assert.equal(pushes, 2);
    assert.equal(moved.machines, 2);
    assert.deepEqual(filesBelow(target), filesBelow(a.vaultDir));
    assert.equal((await a.pull()).pulled, 2);
  }));

Deno.test("what a machine pushes to the old place after the move comes along when it moves", () =>
  inTempDir(async (dir) => {
    const { a, b, target } = await pair(dir);
    await move(a, target);
    speak(b, IDS[3]!);
    await b.push();
    speak(a, IDS[4]!);
    await a.push();
    // Following would hide what only the old place has.
    assert.equal(await codeOf(follow(b, target)), "incomplete");
    assert.equal(storeOf(b), a.vaultDir);
    const late = await move(b, target);
    assert.deepEqual([late.copied, late.verified], [1, 1]);
    assert.equal((await a.pull()).pulled, 1);
    assert.equal((await b.pull()).pulled, 1);
    assert.deepEqual((await a.verify()).problems, []);
    // A machine of which nothing is missing may just follow, and keeps what it has seen.
    const c = new SyncMachine({ name: "carl", dir });
    await c.join(a);
    assert.equal((await follow(c, target)).outcome, "followed");
    assert.equal((await c.pull()).pulled, 5);
    const seen = Object.keys(filesBelow(target)).filter((name) => name.startsWith("log/"));
    rmSync(join(target, seen.sort().at(-1)!));
    assert.equal(await codeOf(c.pull()), "rolled-back");
  }));

Deno.test("store move notices other bytes under a name, and a copy that went wrong", () =>
  inTempDir(async (dir) => {
    const { a, target } = await pair(dir);
    const pack = Object.keys(filesBelow(a.vaultDir)).find((name) => name.startsWith("packs/"))!;
    cpSync(join(a.vaultDir, "packs"), join(target, "packs"), { recursive: true });
    writeFileSync(join(target, pack), "x");
    assert.equal(await codeOf(move(a, target)), "store-invalid");
    rmSync(target, { recursive: true });
    mkdirSync(target);
    const flipping = new SyncMachine({
      name: "anna",
      dir,
      store: async (location, create) => {
        const store = await a.openStore(location, create);
        if (location.kind !== "folder" || location.path !== target) return store;
        return changedStore(store, {
          put: (name, bytes, options) => {
            const changed = name.startsWith("packs/") ? bytes.map((byte) => byte ^ 1) : bytes;
            return store.put(name, changed, options);
          },
        });
      },
    });
    assert.equal(await codeOf(move(flipping, target)), "store-invalid");
    assert.equal(storeOf(a), a.vaultDir);
    assert.equal(readdirSync(target).includes("claude-sync.json"), false);
  }));

Deno.test("a damaged vault cannot be taken for whole in its new place, nor held back by it", () =>
  inTempDir(async (dir) => {
    const { a, target } = await pair(dir);
    const logs = Object.keys(filesBelow(a.vaultDir)).filter((name) => name.startsWith("log/"));
    rmSync(join(a.vaultDir, logs.sort().at(-1)!));
    // What is missing in the old place is missing in the new one; that is for verify to say.
    await move(a, target);
    assert.equal(storeOf(a), target);
    assert.equal(await codeOf(a.pull()), "rolled-back");
  }));

Deno.test("store move works without the key, which is not needed to copy", () =>
  inTempDir(async (dir) => {
    const { a, target } = await pair(dir);
    const c = new SyncMachine({ name: "carl", dir });
    assert.equal((await c.init()).outcome, "needs-key");
    await move(c, target);
    assert.deepEqual(filesBelow(target), filesBelow(a.vaultDir));
    assert.equal(storeOf(c), target);
  }));
