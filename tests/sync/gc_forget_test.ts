/** What was forgotten leaves the store with a compaction, when its time has come. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { syncService } from "../../src/sync/service.ts";
import { changedStore } from "../support/changed_store.ts";
import { forget, listed, recall } from "../support/forget_world.ts";
import { allStates, gc, IDS, liveOn, pushTurns, speak } from "../support/gc_world.ts";
import { inTempDir, SyncMachine } from "../support/sync_machine.ts";
import { newWorld, objectsOf, type SyncWorld } from "../support/sync_world.ts";

type Two = [SyncMachine, SyncMachine];

async function fresh(world: SyncWorld, dir: string, name: string): Promise<SyncMachine> {
  const machine = new SyncMachine({
    name,
    dir,
    clock: world.clock,
    store: () => Promise.resolve(world.store),
  });
  await machine.join(world.machines[0]!);
  await machine.pull({ all: true });
  return machine;
}

Deno.test("forgotten text is said again for 30 days, then not any more", () =>
  inTempDir(async (dir) => {
    const world = await newWorld(dir);
    const [anna, bert] = world.machines as Two;
    await pushTurns(anna, world.clock, 6);
    await bert.pull({ all: true });
    speak(bert, IDS[1]!, "bert goes on");
    await bert.push();
    await anna.pull({ all: true });
    const before = await allStates(anna);
    await forget(anna, [IDS[1]!, IDS[2]!]);
    await gc(anna);
    assert.deepEqual(await allStates(anna), before, "what can be recalled is still there");
    await recall(anna, [IDS[2]!]);
    await liveOn(anna, world.clock, 31);
    assert.ok((await gc(anna)).compacted !== null, "short as the log is");
    const isForgotten = (state: string) => state.includes(IDS[1]!);
    // Bert's log follows in its own time.
    await liveOn(bert, world.clock, 31);
    await gc(bert);
    for (const machine of [anna, bert, await fresh(world, dir, "dora")]) {
      const rest = before.filter((state) => !isForgotten(state));
      assert.deepEqual(await allStates(machine), rest, machine.name);
      assert.deepEqual((await machine.verify()).problems, []);
      assert.ok(!(IDS[1]! in await inVault(machine)), "and it does not come back");
    }
    await liveOn(anna, world.clock, 8);
    await liveOn(bert, world.clock, 8);
    await gc(anna);
    await gc(bert);
    assert.equal((await gc(anna)).waiting, null);
    const { size } = await objectsOf(world.store);
    assert.ok(size <= 5, `${size} objects are left`);
    assert.deepEqual((await anna.verify()).problems, []);
  }));

Deno.test("no pack stays that has forgotten text in it, however little", () =>
  inTempDir(async (dir) => {
    const world = await newWorld(dir);
    const [anna] = world.machines as Two;
    const noise = (bytes: number) => randomBytes(bytes / 2).toString("hex");
    anna.writeTranscript(IDS[1]!, JSON.stringify({ noise: noise(12_000_000) }) + "\n");
    anna.writeTranscript(IDS[2]!, JSON.stringify({ noise: noise(200_000) }) + "\n");
    await anna.push();
    const packs = (names: Iterable<string>) => [...names].filter((name) => /^packs/.test(name));
    const before = packs((await objectsOf(world.store)).keys());
    await forget(anna, [IDS[2]!]);
    await liveOn(anna, world.clock, 31);
    await gc(anna);
    await liveOn(anna, world.clock, 8);
    await gc(anna);
    const after = packs((await objectsOf(world.store)).keys());
    const secret = before.filter((name) => !after.includes(name));
    assert.ok(before.length > 0 && secret.length > 0, `${before} ${after}`);
    const states = await allStates(anna);
    assert.ok(states.some((state) => state.includes(IDS[1]!)));
    assert.ok(!states.some((state) => state.includes(IDS[2]!)));
    assert.deepEqual((await anna.verify()).problems, []);
  }));

/** Sessions that the vault shows. */
async function inVault(machine: SyncMachine): Promise<Record<string, string>> {
  const rows = await listed(machine);
  return Object.fromEntries(Object.entries(rows).filter(([, how]) => /^(vault|both)$/.test(how)));
}

Deno.test("the hooks' worker compacts when something was forgotten long enough ago", () =>
  inTempDir(async (dir) => {
    const world = await newWorld(dir);
    const [anna] = world.machines as Two;
    await pushTurns(anna, world.clock, 3);
    await forget(anna, [IDS[1]!]);
    await liveOn(anna, world.clock, 28);
    await syncService.hookWorker(anna.context(), "push");
    assert.ok((await allStates(anna)).some((state) => state.includes(IDS[1]!)));
    await liveOn(anna, world.clock, 4);
    await syncService.hookWorker(anna.context(), "push");
    assert.ok(!(await allStates(anna)).some((state) => state.includes(IDS[1]!)));
    assert.deepEqual((await anna.verify()).problems, []);
  }));

Deno.test("what somebody went on with who knew of no compaction keeps its beginning", () =>
  inTempDir(async (dir) => {
    const world = await newWorld(dir);
    const [anna, bert] = world.machines as Two;
    await pushTurns(anna, world.clock, 6);
    let shown: ReadonlySet<string> | null = null;
    const cleo = new SyncMachine({
      name: "cleo",
      dir,
      clock: world.clock,
      store: () =>
        Promise.resolve(changedStore(world.store, {
          list: async function* (prefix, options) {
            for await (const info of world.store.list(prefix, options)) {
              if (shown?.has(info.name) !== false) yield info;
            }
          },
        })),
    });
    await cleo.join(anna);
    await cleo.pull({ all: true });
    await forget(anna, [IDS[1]!]);
    // Else anna would say it again.
    rmSync(anna.transcriptPath(IDS[1]!));
    await liveOn(anna, world.clock, 31);
    // Cleo's list is from before the compaction that leaves the session out.
    shown = new Set((await objectsOf(world.store)).keys());
    assert.ok((await gc(anna)).compacted !== null);
    const whole = cleo.readTranscript(IDS[1]!);
    speak(cleo, IDS[1]!, "cleo goes on");
    assert.equal((await cleo.push()).pushed, 1);
    await liveOn(anna, world.clock, 8);
    const { deleted, waiting } = await gc(anna);
    assert.deepEqual([deleted.objects, waiting?.daysLeft], [0, 0]);
    assert.ok((await anna.verify()).problems.some(({ code }) => code === "incomplete"));
    // As soon as cleo looks again, it is said anew, and the old entries may go.
    shown = null;
    await cleo.push();
    assert.ok((await gc(anna)).deleted.objects > 0);
    assert.deepEqual((await anna.verify()).problems, []);
    await bert.pull({ all: true });
    assert.equal(bert.readTranscript(IDS[1]!), cleo.readTranscript(IDS[1]!));
    assert.ok(bert.readTranscript(IDS[1]!).startsWith(whole));
  }));
