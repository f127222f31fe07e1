/**
 * Breaks every single call to the disk and to the store in turn while a session is forgotten or
 * recalled: no file changes, the vault stays good, and the next try completes.
 */
import assert from "node:assert/strict";
import { CHANGES, type FaultPlan, type FaultyFs } from "../support/faulty_fs.ts";
import { failNth, type FaultyStore } from "../support/faulty_store.ts";
import { forget, listed, recall, speak } from "../support/forget_world.ts";
import { type Faults, KeptWorld } from "../support/kept_world.ts";
import { inMemoryDir, type SyncMachine } from "../support/sync_machine.ts";
import { emptyWorld, type SyncWorld } from "../support/sync_world.ts";

const FIRST = "11111111-1111-4111-8111-111111111111";
const OTHER = "22222222-2222-4222-8222-222222222222";
const START_MS = Date.UTC(2026, 0, 15, 12);

/** Two machines with two sessions; bert has turns that he never sent. */
class Stage {
  readonly #kept: KeptWorld;
  readonly #act: (bert: SyncMachine) => Promise<unknown>;
  readonly #isForgotten: boolean;

  constructor(dir: string, act: (bert: SyncMachine) => Promise<unknown>, isForgotten: boolean) {
    this.#kept = new KeptWorld(dir);
    this.#act = act;
    this.#isForgotten = isForgotten;
  }

  async prepare(): Promise<void> {
    const world = emptyWorld(this.#kept.place, { startMs: START_MS });
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    speak(anna, FIRST, "base");
    speak(anna, OTHER, "other");
    await anna.init();
    await anna.push();
    await bert.join(anna);
    await bert.pull();
    if (this.#isForgotten) {
      speak(bert, FIRST, "never sent");
      await bert.pull();
    } else await forget(bert, [FIRST]);
    await this.#kept.keep(world);
  }

  world(faults: Faults): Promise<SyncWorld> {
    return this.#kept.again("bert", faults);
  }

  /** True when it was done. */
  async act(world: SyncWorld): Promise<boolean> {
    return await this.#act(world.machines[1]!).then(() => true, (error) => {
      assert.equal(error.name, "ClaudeSyncError");
      return false;
    });
  }

  async check(world: SyncWorld, what: string): Promise<void> {
    const healed = this.#kept.healed(world);
    const [anna, bert] = healed.machines as [SyncMachine, SyncMachine];
    const files = bert.files();
    assert.deepEqual((await bert.verify()).problems, [], `${what}: verify`);
    assert.ok(await this.act(healed), `${what}: the next try`);
    for (const machine of [bert, anna, bert]) {
      const { pull, push } = await machine.sync();
      assert.deepEqual([...pull.failures, ...push.failures], [], what);
    }
    const expected = this.#isForgotten ? "here, forgotten" : "both";
    for (const machine of [anna, bert]) {
      assert.deepEqual(await listed(machine), { [FIRST]: expected, [OTHER]: "both" }, what);
      assert.deepEqual((await machine.verify()).problems, [], `${what}: verify at the end`);
    }
    if (this.#isForgotten) assert.deepEqual(bert.files(), files, `${what}: no file changes`);
  }
}

const DISK_FAULTS: readonly Omit<FaultPlan, "failNth">[] = [
  { from: "once", effect: "before" },
  { from: "once", effect: "after", calls: CHANGES },
  { from: "then-on", effect: "before", calls: CHANGES },
];

const ACTS = [
  { name: "forget", isForgotten: true, act: (bert: SyncMachine) => forget(bert, [FIRST]) },
  { name: "recall", isForgotten: false, act: (bert: SyncMachine) => recall(bert, [FIRST]) },
] as const;

for (const { name, isForgotten, act } of ACTS) {
  for (const fault of DISK_FAULTS) {
    const how = `${fault.from}, ${fault.effect} the effect`;
    Deno.test(`${name} survives every failure of the disk, ${how}`, () =>
      inMemoryDir(async (dir) => {
        const stage = new Stage(dir, act, isForgotten);
        await stage.prepare();
        for (let n = 1;; n++) {
          const faulty: FaultyFs[] = [];
          const plan: FaultPlan = { ...fault, failNth: n };
          const world = await stage.world({ plan, onFs: (one) => faulty.push(one) });
          await stage.act(world);
          if (faulty[0]!.failed === 0) break;
          await stage.check(world, `call ${n} fails ${how}`);
        }
      }));
  }
  for (const times of [1, Infinity]) {
    Deno.test(`${name} survives every failure of the store, ${times} times`, () =>
      inMemoryDir(async (dir) => {
        const stage = new Stage(dir, act, isForgotten);
        await stage.prepare();
        for (const effect of ["before", "after"] as const) {
          for (let n = 1;; n++) {
            const opened: FaultyStore[] = [];
            const total = (of: "calls" | "struck") => opened.reduce((sum, one) => sum + one[of], 0);
            const world = await stage.world({
              onStore: (one) => {
                const nth = n - total("calls");
                if (nth > 0 || times > 1) one.plan(failNth(Math.max(1, nth), effect, times));
                opened.push(one);
              },
            });
            const done = await stage.act(world);
            if (total("struck") === 0) break;
            if (times === 1) assert.ok(done, `call ${n} fails once and is repeated`);
            await stage.check(world, `store call ${n} fails ${effect}, ${times} times`);
          }
        }
      }));
  }
}
