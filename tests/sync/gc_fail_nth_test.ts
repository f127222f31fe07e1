/**
 * Breaks every single call that `gc` makes to the disk and to the store in turn, once and from then
 * on: no state is lost for anybody, the vault is good, and the next `gc` completes.
 */
import assert from "node:assert/strict";
import { BREAKS_ALL, CHANGES, type FaultPlan, type FaultyFs } from "../support/faulty_fs.ts";
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

  constructor(dir: string, scenario: Scenario) {
    this.#kept = new KeptWorld(dir);
    this.#scenario = scenario;
  }

  async prepare(): Promise<void> {
    const world = await newWorld(this.#kept.place);
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    await this.#scenario.prepare(anna, bert, world);
    this.states = await allStates(anna);
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
const STRIDE = BREAKS_ALL ? 1 : 4;

const DISK_FAULTS: readonly Omit<FaultPlan, "failNth">[] = [
  { from: "once", effect: "after", calls: CHANGES },
  // Like a crash: what happened before is there, and nothing else ever comes to be.
  { from: "then-on", effect: "before", calls: CHANGES },
];

for (const scenario of SCENARIOS) {
  for (const fault of DISK_FAULTS) {
    const how = `${fault.from}, ${fault.effect} the effect`;
    Deno.test(`${scenario.name} survives every failure of the disk, ${how}`, () =>
      inMemoryDir(async (dir) => {
        const stage = new Stage(dir, scenario);
        await stage.prepare();
        for (let n = 1;; n += STRIDE) {
          const faulty: FaultyFs[] = [];
          const plan: FaultPlan = { ...fault, failNth: n };
          const world = await stage.world({ plan, onFs: (one) => faulty.push(one) });
          await stage.run(world).catch((error) => assert.equal(error.name, "ClaudeSyncError"));
          if (faulty[0]!.failed === 0) break;
          await stage.check(world, `call ${n} fails ${how}`);
        }
      }));
  }
  for (const [effect, times] of [["before", Infinity], ["after", Infinity]] as const) {
    Deno.test(`${scenario.name} survives every end of the store, ${effect} the effect`, () =>
      inMemoryDir(async (dir) => {
        const stage = new Stage(dir, scenario);
        await stage.prepare();
        for (let n = 1;; n++) {
          const opened: FaultyStore[] = [];
          const world = await stage.world({
            onStore: (one) => {
              one.plan(failNth(n, effect, times));
              opened.push(one);
            },
          });
          await stage.run(world).catch((error) => assert.equal(error.name, "ClaudeSyncError"));
          if (opened.every(({ struck }) => struck === 0)) break;
          await stage.check(world, `store call ${n} fails ${effect}`);
        }
      }));
  }
}
