/**
 * Breaks every single call of a command to the disk and to the store in turn, once and from then
 * on, and looks at what is left: every file old or new, the vault good, and the next try completes.
 * Of calls that look at the same path in the same way again and again the first and the last are
 * broken; `CLAUDE_SYNC_FAIL_NTH=all` breaks all of them.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import {
  BREAKS_ALL,
  callsToBreak,
  CHANGES,
  type FaultPlan,
  type FaultyFs,
  LOOKS,
} from "./faulty_fs.ts";
import { failNth, type FaultyStore } from "./faulty_store.ts";
import { type Faults, KeptWorld } from "./kept_world.ts";
import { filesBelow, inMemoryDir, type SyncMachine } from "./sync_machine.ts";
import { contentsOf, emptyWorld, type SyncWorld } from "./sync_world.ts";

/** When every world begins. */
export const START_MS = Date.now();
const HOUR_MS = 3_600_000;
const HISTORY = "history.jsonl";

/** Who a scenario is about: the first machine, or the second. */
export const ANNA = 0;
export const BERT = 1;

/** A command on one machine, in a world made ready for it. */
export interface Scenario {
  readonly name: string;
  readonly actor: typeof ANNA | typeof BERT;
  readonly prepare: (anna: SyncMachine, bert: SyncMachine) => Promise<void>;
  readonly run: (anna: SyncMachine, bert: SyncMachine) => Promise<unknown>;
  /** A sync alone does not finish it: whoever wanted it tries again. */
  readonly isRepeated?: true;
  /** What it brings stays on the actor's machine. */
  readonly isLocal?: true;
  /**
   * Breaks only every so many calls, and not so few of the store's, unless all are to be broken.
   * Default: 1.
   */
  readonly stride?: number;
  /** The same for the disk's calls alone. Default: `stride`. */
  readonly diskStride?: number;
}

/** A prepared world that can be had again and again, at the same place on the disk. */
class Stage {
  readonly #kept: KeptWorld;
  readonly #scenario: Scenario;
  /** Files of the actor before the command, and after it when nothing fails. */
  before: Record<string, string> = {};
  after: Record<string, string> = {};
  /** What both machines have when all is done and nothing fails. */
  settled: Settled = [];

  constructor(dir: string, scenario: Scenario) {
    this.#kept = new KeptWorld(dir);
    this.#scenario = scenario;
  }

  async prepare(): Promise<void> {
    const world = emptyWorld(this.#kept.place, { startMs: START_MS });
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    await this.#scenario.prepare(anna, bert);
    await this.#kept.keep(world);
    this.before = this.actor(world).files();
    const healthy = await this.world({});
    await this.run(healthy);
    this.after = this.actor(healthy).files();
    this.settled = await this.settle(healthy);
  }

  /** The prepared world, with faults on the actor's machine. */
  world(faults: Faults): Promise<SyncWorld> {
    return this.#kept.again(["anna", "bert"][this.#scenario.actor]!, faults);
  }

  actor(world: SyncWorld): SyncMachine {
    return world.machines[this.#scenario.actor]!;
  }

  run(world: SyncWorld): Promise<unknown> {
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    return this.#scenario.run(anna, bert);
  }

  /** Of the disk's calls that are to be broken, every so many are. */
  get diskStride(): number {
    const { stride = 1, diskStride = stride } = this.#scenario;
    return BREAKS_ALL ? 1 : diskStride;
  }

  /** The same of the store's, of which a command makes few. */
  get storeStride(): number {
    return BREAKS_ALL ? 1 : Math.min(this.#scenario.stride ?? 1, STORE_STRIDE_MAX);
  }

  /** Finishes what is to be done, by what a person would repeat; the actor goes first. */
  async settle(world: SyncWorld): Promise<Settled> {
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    const actor = this.actor(world);
    if (!isSetUp(anna)) await anna.init();
    if (!isSetUp(bert)) await bert.join(anna);
    if (this.#scenario.isRepeated) await this.run(world);
    await syncedCleanly(actor);
    await syncedCleanly(actor === anna ? bert : anna);
    // An hour later, our own leftovers are no longer somebody's work.
    world.clock.advance(2 * HOUR_MS);
    if (this.#scenario.isRepeated) await this.run(world);
    await syncedCleanly(actor);
    const both = [settledOf(anna), settledOf(bert)];
    if (!this.#scenario.isLocal) assert.deepEqual(both[1], both[0], "both machines are equal");
    return both;
  }

  /** A world on the same disks and store, with nothing broken any more. */
  healed(world: SyncWorld): SyncWorld {
    return this.#kept.healed(world);
  }
}

const TEMPORARY = /(^|\/)\.claude-sync-[0-9a-f]{16}\.tmp$/;

function isSetUp({ home }: SyncMachine): boolean {
  return ["config.json", "key"].every((name) => fs.existsSync(join(home, ".claude-sync", name)));
}

async function syncedCleanly(machine: SyncMachine): Promise<void> {
  const { pull, push } = await machine.sync();
  assert.deepEqual([...pull.failures, ...push.failures], []);
}

/** What anna and bert have when all is done. */
type Settled = readonly ReadonlyMap<string, string>[];

/** What the machine has, the prompts in no order: each machine has its own ones first. */
function settledOf(machine: SyncMachine): Map<string, string> {
  const contents = contentsOf(machine);
  const lines = (contents.get(HISTORY) ?? "").split("\n");
  // What a write that failed half-way has left is ended and stays.
  const whole = lines.filter((line) => line.endsWith("}"));
  return contents.set(HISTORY, whole.sort().join("\n"));
}

async function checkAftermath(stage: Stage, world: SyncWorld, what: string): Promise<void> {
  const { before, after } = stage;
  const files = stage.actor(world).files();
  for (const [path, bytes] of Object.entries(files)) {
    if (TEMPORARY.test(path)) continue;
    const isOld = bytes === before[path];
    const isGrown = path === HISTORY && bytes.startsWith(before[path] ?? "");
    const isKnown = isOld || bytes === after[path] || isGrown;
    assert.ok(isKnown, `${what}: ${path} is neither old nor new`);
  }
  for (const path of Object.keys(before)) {
    assert.ok(path in files || !(path in after), `${what}: ${path} is gone`);
  }
  const healed = stage.healed(world);
  const actor = stage.actor(healed);
  if (isSetUp(actor)) assert.deepEqual((await actor.verify()).problems, [], `${what}: verify`);
  assert.deepEqual(await stage.settle(healed), stage.settled, `${what}: the next try completes`);
  const left = Object.keys(filesBelow(actor.home)).filter((path) => TEMPORARY.test(path));
  assert.deepEqual(left, [], `${what}: leftovers are swept`);
  // Both machines have just been compared byte for byte: what lies in the vault is enough here.
  assert.deepEqual((await actor.verify(false)).problems, [], `${what}: verify at the end`);
}

/** Of the calls after which nothing can be seen any more, which are many: every so many. */
const LOOKS_STRIDE = 8;

const STORE_STRIDE_MAX = 4;

const DISK_FAULTS: readonly Omit<FaultPlan, "failNth">[] = [
  { from: "once", effect: "before" },
  { from: "once", effect: "after", calls: CHANGES },
  // Like a crash: what happened before is there, and nothing else ever comes to be.
  { from: "then-on", effect: "before", calls: CHANGES },
  // Nothing can be seen any more, and everything still be changed.
  { from: "then-on", effect: "before", calls: LOOKS },
];

/** Makes the tests of one scenario. */
export function survivesEveryFailure(scenario: Scenario): void {
  for (const fault of DISK_FAULTS) {
    const how = `${fault.from}, ${fault.effect} the effect${
      fault.calls === LOOKS ? ", looks" : ""
    }`;
    Deno.test(`${scenario.name} survives every failure of the disk, ${how}`, () =>
      inMemoryDir((dir) => breakDisk(dir, scenario, fault, how)));
  }
  for (const times of [1, Infinity]) {
    Deno.test(`${scenario.name} survives every failure of the store, ${times} times`, () =>
      inMemoryDir((dir) => breakStore(dir, scenario, times)));
  }
}

async function breakDisk(
  dir: string,
  scenario: Scenario,
  fault: Omit<FaultPlan, "failNth">,
  how: string,
): Promise<void> {
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
  const chosen = callsToBreak(undisturbed.log);
  assert.ok(chosen.length > 5, `${chosen.length} calls are too few to be all`);
  const stride = stage.diskStride * (fault.calls === LOOKS && !BREAKS_ALL ? LOOKS_STRIDE : 1);
  for (const n of every(stride, chosen)) {
    const { world, faulty } = await broken(n);
    assert.equal(faulty.failed > 0, true, `call ${n} is made in every run`);
    await checkAftermath(stage, world, `call ${n} fails ${how}`);
  }
}

function every<Item>(stride: number, items: readonly Item[]): Item[] {
  return items.filter((_, index) => index % stride === 0);
}

async function breakStore(dir: string, scenario: Scenario, times: number): Promise<void> {
  const stage = new Stage(dir, scenario);
  await stage.prepare();
  for (const effect of ["before", "after"] as const) {
    for (let n = 1;; n += stage.storeStride) {
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
      await checkAftermath(stage, world, `store call ${n} fails ${effect}, ${times} times`);
    }
  }
}
