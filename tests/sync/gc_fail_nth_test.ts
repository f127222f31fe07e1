/**
 * Breaks every single call that `gc` makes to the disk and to the store in turn, once and from then
 * on: no state is lost for anybody, no local file changes, the vault is good, and the next `gc`
 * completes. Only so many of them are broken unless `CLAUDE_SYNC_FAIL_NTH=all`.
 */
import assert from "node:assert/strict";
import {
  BREAKS_ALL,
  callsToBreak,
  CHANGES,
  type FaultPlan,
  type FaultyFs,
  LOOKS,
} from "../support/faulty_fs.ts";
import { failNth, type FaultyStore } from "../support/faulty_store.ts";
import { allStates, gc, IDS, liveOn, pushTurns, speak } from "../support/gc_world.ts";
import { type Faults, KeptWorld } from "../support/kept_world.ts";
import { inMemoryDir, type SyncMachine } from "../support/sync_machine.ts";
import { newWorld, objectsOf, type SyncWorld } from "../support/sync_world.ts";

interface Scenario {
  readonly name: string;
  readonly prepare: (anna: SyncMachine, bert: SyncMachine, world: SyncWorld) => Promise<void>;
  readonly run: (anna: SyncMachine) => Promise<unknown>;
  /** Objects that the vault has when all is done, a week later. */
  readonly objectsLeft: number;
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: "a checkpoint after one whose grace is over",
    prepare: async (anna, bert, world) => {
      await pushTurns(anna, world.clock, 5);
      await bert.pull();
      await gc(anna);
      await liveOn(anna, world.clock, 7);
      await pushTurns(anna, world.clock, 5);
    },
    run: (anna) => gc(anna),
    objectsLeft: 3,
  },
  {
    name: "giving up a machine",
    prepare: async (anna, bert, world) => {
      await pushTurns(bert, world.clock, 3);
      await anna.pull();
      speak(anna, IDS[5]!, "anna's");
      await anna.push();
    },
    run: (anna) => gc(anna, { machine: "bert" }),
    objectsLeft: 4,
  },
];

/** A prepared world that can be had again and again. */
class Stage {
  readonly #kept: KeptWorld;
  readonly #scenario: Scenario;
  states: string[] = [];
  /** Both machines' files, which no `gc` changes. */
  files: readonly Record<string, string>[] = [];

  constructor(dir: string, scenario: Scenario) {
    this.#kept = new KeptWorld(dir);
    this.#scenario = scenario;
  }

  async prepare(): Promise<void> {
    const world = await newWorld(this.#kept.place);
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    await this.#scenario.prepare(anna, bert, world);
    this.states = await allStates(anna);
    this.files = [anna.files(), bert.files()];
    await this.#kept.keep(world);
  }

  /** The prepared world, with faults on anna's machine. */
  world(faults: Faults): Promise<SyncWorld> {
    return this.#kept.again("anna", faults);
  }

  /** What must hold after anything. */
  async check(world: SyncWorld, what: string): Promise<void> {
    const healed = this.#kept.healed(world);
    const [anna, bert] = healed.machines as [SyncMachine, SyncMachine];
    assert.deepEqual([anna.files(), bert.files()], this.files, `${what}: local files are whole`);
    assert.deepEqual(await allStates(bert), this.states, `${what}: bert has everything`);
    assert.deepEqual((await bert.verify()).problems, [], `${what}: verify`);
    await this.#scenario.run(anna);
    assert.deepEqual(await allStates(anna), this.states, `${what}: anna has everything`);
    for (const round of [1, 2]) {
      // A pack whose entry was never put is known as a leftover only from now on.
      await liveOn(anna, healed.clock, 7);
      await gc(anna);
      assert.deepEqual(await allStates(bert), this.states, `${what}: after week ${round}`);
    }
    assert.deepEqual([anna.files(), bert.files()], this.files, `${what}: local files at the end`);
    assert.deepEqual((await anna.verify()).problems, [], `${what}: verify at the end`);
    const left = (await objectsOf(world.store)).size;
    const { objectsLeft } = this.#scenario;
    assert.ok(left <= objectsLeft + 2, `${what}: ${left} objects instead of ${objectsLeft}`);
  }

  run(world: SyncWorld): Promise<unknown> {
    return this.#scenario.run(world.machines[0]!);
  }
}

/** Of the disk's calls every so many: most are those of any push, which has a test of its own. */
const DISK_STRIDE = BREAKS_ALL ? 1 : 8;
const STORE_STRIDE = BREAKS_ALL ? 1 : 2;

const DISK_FAULTS: readonly Omit<FaultPlan, "failNth">[] = [
  { from: "once", effect: "before" },
  { from: "once", effect: "after", calls: CHANGES },
  // Like a crash: what happened before is there, and nothing else ever comes to be.
  { from: "then-on", effect: "before", calls: CHANGES },
  // Nothing can be seen any more, and everything still be changed.
  { from: "then-on", effect: "before", calls: LOOKS },
];

async function breakDisk(
  dir: string,
  scenario: Scenario,
  fault: Omit<FaultPlan, "failNth">,
  how: string,
): Promise<number> {
  const stage = new Stage(dir, scenario);
  await stage.prepare();
  const broken = async (failNth: number) => {
    const faulty: FaultyFs[] = [];
    const plan: FaultPlan = { ...fault, failNth };
    const world = await stage.world({ plan, onFs: (one) => faulty.push(one) });
    await stage.run(world).catch((error) => assert.equal(error.name, "ClaudeSyncError"));
    return { world, faulty: faulty[0]! };
  };
  const { faulty: undisturbed } = await broken(Infinity);
  const all = callsToBreak(undisturbed.log);
  assert.ok(all.length > 10, `${all.length} calls are too few to be all`);
  // Each way to fail begins with another call, so that together they meet more of them.
  const first = 2 * DISK_FAULTS.indexOf(fault) % DISK_STRIDE;
  const chosen = all.filter((_, index) => index % DISK_STRIDE === first);
  for (const n of chosen) {
    const { world, faulty } = await broken(n);
    assert.ok(faulty.failed > 0, `call ${n} is made in every run`);
    await stage.check(world, `call ${n} (${faulty.log[n - 1]}) fails ${how}`);
  }
  return chosen.length;
}

async function breakStore(dir: string, scenario: Scenario, times: number): Promise<number> {
  const stage = new Stage(dir, scenario);
  await stage.prepare();
  let broken = 0;
  for (const effect of ["before", "after"] as const) {
    for (let n = 1;; n += STORE_STRIDE) {
      // The store is opened anew by every command, and counts on.
      const opened: FaultyStore[] = [];
      const total = (of: "calls" | "struck") => opened.reduce((sum, one) => sum + one[of], 0);
      const world = await stage.world({
        onStore: (one) => {
          const nth = n - total("calls");
          if (nth > 0 || times > 1) one.plan(failNth(Math.max(1, nth), effect, times));
          opened.push(one);
        },
      });
      const done = await stage.run(world).then(() => true, (error) => {
        assert.equal(error.name, "ClaudeSyncError");
        return false;
      });
      if (total("struck") === 0) break;
      if (times === 1) assert.ok(done, `call ${n} fails once and is repeated`);
      await stage.check(world, `store call ${n} fails ${effect}, ${times} times`);
      broken++;
    }
  }
  assert.ok(broken >= 4, `${broken} calls are too few to be all`);
  return broken;
}

for (const scenario of SCENARIOS) {
  for (const fault of DISK_FAULTS) {
    const looks = fault.calls === LOOKS ? ", looks" : "";
    const how = `${fault.from}, ${fault.effect} the effect${looks}`;
    Deno.test(`${scenario.name} survives every failure of the disk, ${how}`, () =>
      inMemoryDir(async (dir) => {
        const broken = await breakDisk(dir, scenario, fault, how);
        console.log(`${scenario.name}, the disk fails ${how}: ${broken} calls`);
      }));
  }
  for (const times of [1, Infinity]) {
    Deno.test(`${scenario.name} survives every failure of the store, ${times} times`, () =>
      inMemoryDir(async (dir) => {
        const broken = await breakStore(dir, scenario, times);
        console.log(`${scenario.name}, the store fails ${times} times: ${broken} calls`);
      }));
  }
}
