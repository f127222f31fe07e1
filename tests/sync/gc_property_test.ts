/**
 * Compaction at any moment of any history: whoever reads the vault, and whenever, has every state
 * that was ever pushed, as if nobody had compacted anything.
 */
import assert from "node:assert/strict";
import process from "node:process";
import fc from "fast-check";
import { isClaudeSyncError } from "../../src/errors.ts";
import { allStates, DAY_MS, gc } from "../support/gc_world.ts";
import { inTempDir, SyncMachine } from "../support/sync_machine.ts";
import { Play, type Step, STEP_KINDS } from "../support/sync_play.ts";
import { newcomer, newWorld, type SyncWorld, WORLD_START_MS } from "../support/sync_world.ts";

const RUNS = Number(process.env.CLAUDE_SYNC_GC_RUNS ?? 8);
const SEED = Number(process.env.CLAUDE_SYNC_GC_SEED ?? 20261124);
const NAMES = ["anna", "bert", "cleo"];

/** Compacts, with only as many entries as a test has; or lets days go by and deletes. */
interface Tidy {
  readonly kind: "gc" | "days";
  readonly machine: number;
}

/** Pushes that have something to push, so that logs get long. */
const MORE = ["speak", "push", "speak", "push", "speak", "push", "sync"] as const;

/** Taken by two machines in turn. */
const BEGINNING = Array.from({ length: 5 }, () => ["speak", "speak", "push", "push"] as const)
  .flat();

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(...STEP_KINDS, ...MORE, ...MORE),
  machine: fc.nat(1),
  session: fc.nat(1),
  choice: fc.nat(1000),
});

const tidy: fc.Arbitrary<Tidy> = fc.record({
  kind: fc.constantFrom("gc", "gc", "days"),
  machine: fc.nat(1),
});

const history = fc.array(
  fc.oneof({ arbitrary: step, weight: 5 }, { arbitrary: tidy, weight: 1 }),
  { minLength: 30, maxLength: 60 },
);

/** The states that the vault had; grows. */
async function remember(world: SyncWorld, seen: Set<string>): Promise<void> {
  const now = new Set(await allStates(world.machines[0]!));
  for (const state of seen) assert.ok(now.has(state), `the vault has lost ${state.slice(0, 200)}`);
  for (const state of now) seen.add(state);
}

/** A pull of which the play knows what it has written. */
async function pulled(play: Play, machine: number): Promise<void> {
  await play.take({ kind: "pull", machine, session: 0, choice: 0 });
}

/** Looks at the vault on seven days. */
async function weekOf(play: Play, world: SyncWorld, machine: number): Promise<void> {
  for (let day = 0; day < 7; day++) {
    world.clock.advance(DAY_MS);
    await pulled(play, machine);
  }
}

async function tidied(play: Play, world: SyncWorld, { kind, machine }: Tidy): Promise<number> {
  const actor = world.machines[machine]!;
  // Sessions of more than 30 days ago would not be pulled any more, as Claude Code deletes them.
  const isSoon = world.clock.nowMs() < WORLD_START_MS + 15 * DAY_MS;
  if (kind === "days" && isSoon) await weekOf(play, world, machine);
  const { compacted, deleted } = await gc(actor);
  return deleted.objects + (compacted === null ? 0 : 1);
}

Deno.test("any history with compactions anywhere gives every reader everything", async () => {
  let effects = 0;
  await fc.assert(
    fc.asyncProperty(history, (steps) =>
      inTempDir(async (dir) => {
        // Cleo reads at the beginning and then not before the end.
        const world = await newWorld(dir, { names: NAMES });
        const play = new Play(world);
        const seen = new Set<string>();
        // So that the first compaction already has something to do.
        for (const [index, kind] of BEGINNING.entries()) {
          await play.take({ kind, machine: index % 2, session: 0, choice: 0 });
        }
        for (const [index, each] of steps.entries()) {
          if (!("session" in each)) {
            await remember(world, seen);
            effects += await tidied(play, world, each);
            await remember(world, seen);
          } else await play.take(each);
          if (index === 10) await pulled(play, 2);
        }
        await play.settle();
        await play.check();
        await remember(world, seen);
        const fresh = await newcomer(world, dir, "dora");
        await fresh.pull({ all: true });
        const expected = [...seen].sort();
        for (const machine of [...world.machines, fresh]) {
          assert.deepEqual(await allStates(machine), expected, machine.name);
          assert.deepEqual((await machine.verify()).problems, []);
        }
      })),
    { numRuns: RUNS, seed: SEED, verbose: 1, endOnFailure: true },
  );
  assert.ok(effects > RUNS / 2, "something was compacted and deleted");
});

Deno.test("a machine that is given up at any moment is missed by nobody", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 10, maxLength: 40 }),
      fc.nat(39),
      (steps, at) =>
        inTempDir(async (dir) => {
          const world = await newWorld(dir, { names: NAMES });
          const [anna] = world.machines as [SyncMachine];
          const play = new Play(world);
          const seen = new Set<string>();
          for (const [index, each] of steps.entries()) {
            await play.take(each);
            if (index !== Math.min(at, steps.length - 1)) continue;
            await remember(world, seen);
            // Somebody who has pushed nothing yet cannot be lost.
            await gc(anna, { machine: "bert" }).catch((error) => {
              assert.ok(isClaudeSyncError(error, "not-found"), String(error));
            });
            await weekOf(play, world, 0);
            await gc(anna);
            await remember(world, seen);
          }
          await play.settle();
          await play.check();
          await remember(world, seen);
          const expected = [...seen].sort();
          for (const machine of world.machines) {
            assert.deepEqual(await allStates(machine), expected, machine.name);
            assert.deepEqual((await machine.verify()).problems, []);
          }
        }),
    ),
    { numRuns: RUNS, seed: SEED, verbose: 1, endOnFailure: true },
  );
});
