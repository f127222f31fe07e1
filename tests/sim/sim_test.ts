/**
 * The fixed part of the simulation: the same worlds in every run of the tests. `deno task sim`
 * makes others.
 */
import assert from "node:assert/strict";
import { COMMANDS } from "./commands.ts";
import { LIE_KINDS } from "./options.ts";
import { Report } from "./report.ts";
import { Simulator } from "./simulate.ts";
import { ACTIONS } from "./workload.ts";
import { World } from "./world.ts";

const FIRST_SEED = 1;
const SEEDS = 80;
/** Worlds of what is rare. */
const RARE_SEEDS: readonly number[] = [9500014, 9500222];

/** What clients and people do, and what befalls machines (`workload.ts`): all of it happens. */
const EVENTS = [
  "append",
  "state lines",
  "torn line",
  "torn line completed",
  "/clear",
  "/branch",
  "rewrite: record dropped",
  "rewrite: end cut off",
  "worktree move",
  "subagent",
  "sidecar",
  "plan",
  "memory",
  "prompt",
  "session opened",
  "sessions closed",
  "user delete",
  // The client's clean-up has deleted something.
  "retention",
  "kill",
  "kill of a run",
  "power cut",
  "power cut of a run",
  "interrupt of a run",
  "sleep",
  "sleep of a run",
  "long sleep of a run",
  "clock jump",
  "clone",
  "home from backup: all",
  "home from backup: client",
  "home from backup: program",
  "state lost",
];
/** How stores and disks break; lies have their own list. */
const FAULTS = [
  "fail before",
  // The answer is lost.
  "fail after",
  "delay",
  "store down",
  "snapshot list",
  "reordered list",
  "disk full",
  "disk read-only",
];
const COUNTS = ["objects deleted", "states forgotten", "runs given up after a long sleep"];

/** Worlds that were broken once, with what broke them. */
const REGRESSIONS: readonly { readonly seed: number; readonly what: string }[] = [
  {
    seed: 9000630,
    what: "a pack goes because a store hides for a week the log that names it",
  },
  {
    seed: 9019194,
    what: "verify misses an entry that an old list shows and a compaction has replaced",
  },
  {
    seed: 9019569,
    what: "verify misses an entry that another machine deletes while it reads",
  },
];

async function withSimulator(work: (simulator: Simulator) => Promise<void>): Promise<void> {
  const simulator = new Simulator();
  try {
    await work(simulator);
  } finally {
    simulator.close();
  }
}

function assertUnbroken(report: Report): void {
  const [violation] = report.violations;
  if (violation === undefined) return;
  const { seed, promise, what } = violation;
  assert.fail(
    `Seed ${seed} breaks "${promise}": ${what}\nReplay: deno task sim --seed ${seed} --trace`,
  );
}

function assertSome(counts: ReadonlyMap<string, number>, kind: string): void {
  assert.ok((counts.get(kind) ?? 0) > 0, `${kind} never happened`);
}

Deno.test("no two kinds of actions have one name: a seed leaves each out by itself", () => {
  const names = ACTIONS.map(({ name }) => name);
  assert.deepEqual(names, [...new Set(names)]);
});

Deno.test("simulated worlds lose nothing, agree in the end and raise alarms when lied to", () =>
  withSimulator(async (simulator) => {
    const total = new Report(0);
    const first = Array.from({ length: SEEDS }, (_, index) => FIRST_SEED + index);
    for (const seed of [...first, ...RARE_SEEDS]) {
      const report = await simulator.run(seed);
      assertUnbroken(report);
      total.merge(report);
    }
    console.log(total.text());
    for (const kind of Object.keys(COMMANDS)) assertSome(total.operations, kind);
    for (const kind of EVENTS) assertSome(total.events, kind);
    for (const kind of FAULTS) assertSome(total.faults, kind);
    for (const kind of LIE_KINDS) assertSome(total.faults, `lie: ${kind}`);
    for (const what of COUNTS) assertSome(total.counts, what);
    for (const code of ["damaged", "rolled-back"]) assertSome(total.alarms, code);
  }));

for (const { seed, what } of REGRESSIONS) {
  Deno.test(`what was mended stays mended: ${what} (seed ${seed})`, () =>
    withSimulator(async (simulator) => assertUnbroken(await simulator.run(seed))));
}

Deno.test("a seed is the whole world: it happens twice in the same way", () =>
  withSimulator(async (simulator) => {
    const hashes: string[] = [];
    for (const seed of [3, 8, 3, 8]) hashes.push((await simulator.run(seed)).traceHash());
    assert.deepEqual(hashes.slice(2), hashes.slice(0, 2));
    assert.notEqual(hashes[0], hashes[1]);
  }));

Deno.test("a world that breaks says so, and how to see it again", () =>
  withSimulator(async (simulator) => {
    const { live } = World.prototype;
    // A client that is robbed: the checkers must not depend on the program's word.
    World.prototype.live = async function (this: World) {
      const { machines } = this;
      const robbed = this.scheduler;
      robbed.briefly(5_000_000, null, () => {
        for (const { disk, configDir } of machines) {
          for (const path of disk.files(configDir).keys()) {
            if (path.endsWith(".jsonl")) disk.removeFile(path);
          }
        }
      });
      await live.call(this);
    };
    try {
      let broken = 0;
      for (let seed = 1; seed <= 5; seed++) {
        const { violations } = await simulator.run(seed);
        if (violations.length > 0) broken++;
      }
      assert.ok(broken > 0);
    } finally {
      World.prototype.live = live;
    }
  }));
