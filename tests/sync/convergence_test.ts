import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { newWorld } from "../support/sync_world.ts";
import { inTempDir } from "../support/sync_machine.ts";
import { Play, type Step, STEP_KINDS } from "../support/sync_play.ts";

const RUNS = Number(Deno.env.get("CLAUDE_SYNC_CONVERGENCE_RUNS") ?? 40);
const SEED = Number(Deno.env.get("CLAUDE_SYNC_CONVERGENCE_SEED") ?? 20260115);
const NAMES = ["anna", "bert", "cleo"];

function stepOf(machines: number): fc.Arbitrary<Step> {
  return fc.record({
    kind: fc.constantFrom(...STEP_KINDS),
    machine: fc.nat(machines - 1),
    session: fc.nat(1),
    choice: fc.nat(1000),
  });
}

async function played(machines: number, steps: readonly Step[]): Promise<void> {
  await inTempDir(async (dir) => {
    const play = new Play(await newWorld(dir, { names: NAMES.slice(0, machines) }));
    for (const step of steps) await play.take(step);
    await play.settle();
    await play.check();
  });
}

for (const machines of [2, 3]) {
  Deno.test(`${machines} machines converge after any steps, and nothing is lost`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(stepOf(machines), { minLength: 4, maxLength: 40 }),
        (steps) => played(machines, steps),
      ),
      { numRuns: RUNS, seed: SEED, verbose: 1 },
    );
  });
}

/** Every order of the machines' pushes and pulls in which each machine does both once. */
function* orders(machines: number): Iterable<[machine: number, kind: "push" | "pull"][]> {
  const calls = Array.from({ length: machines }, (_, machine) => [
    [machine, "push"] as [number, "push"],
    [machine, "pull"] as [number, "pull"],
  ]).flat();
  yield* permutations(calls);
}

function* permutations<Item>(items: readonly Item[]): Iterable<Item[]> {
  if (items.length === 0) yield [];
  for (const [i, item] of items.entries()) {
    for (const rest of permutations(items.toSpliced(i, 1))) yield [item, ...rest];
  }
}

async function forked(
  dir: string,
  machines: number,
  order: readonly [number, "push" | "pull"][],
) {
  // The same folder for every order, because the records name it and branch ids hash the records.
  const home = join(dir, "world");
  try {
    const play = new Play(await newWorld(home, { names: NAMES.slice(0, machines) }));
    const at = (kind: Step["kind"], machine: number) =>
      play.take({ kind, machine, session: 0, choice: 0 });
    await at("speak", 0);
    await at("push", 0);
    for (let machine = 1; machine < machines; machine++) await at("pull", machine);
    for (let machine = 0; machine < machines; machine++) await at("speak", machine);
    for (const [machine, kind] of order) await at(kind, machine);
    await play.settle();
    await play.check();
    return play.outcome();
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

Deno.test("two machines that continue one session converge in every order of push and pull", (t) =>
  inTempDir(async (dir) => {
    let expected: unknown = null;
    for (const order of orders(2)) {
      await t.step(nameOf(order), async () => {
        const outcome = await forked(dir, 2, order);
        assert.equal(Object.keys(outcome).length, 2, "the session and its branch");
        expected ??= outcome;
        assert.deepEqual(outcome, expected, "the order does not show");
      });
    }
  }));

Deno.test("three machines that continue one session converge in every order of push and pull", () =>
  inTempDir(async (dir) => {
    let expected: unknown = null;
    for (const [index, order] of [...orders(3)].entries()) {
      // One in 16 of the 720 orders, spread over them all.
      if (index % 16 !== 0) continue;
      const outcome = await forked(dir, 3, order);
      assert.equal(Object.keys(outcome).length, 3, "the session and two branches");
      expected ??= outcome;
      assert.deepEqual(outcome, expected, nameOf(order));
    }
  }));

function nameOf(order: readonly [number, "push" | "pull"][]): string {
  return order.map(([machine, kind]) => `${NAMES[machine]} ${kind}`).join(", ");
}
