/**
 * What is not done every day, to be killed at its steps: a checkpoint and the deletion after its
 * grace, forget, restore and import. Nobody may miss anything then, local files are old or new, and
 * the same command again completes.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { sha256Hex } from "../../src/crypto/hash.ts";
import { folderLocationOf } from "../../src/storage/location.ts";
import { syncService } from "../../src/sync/service.ts";
import { listed } from "./forget_world.ts";
import { allStates, gc, liveOn, pushTurns } from "./gc_world.ts";
import { APART, cleanUp, DAY_MS, FIRST, goOn, HOUR_MS, NOW } from "./history_world.ts";
import { oldLaptop, pushVersions, SECOND } from "./history_world.ts";
import {
  type Budget,
  type Killable,
  killAtSteps,
  machineHere,
  runProgram,
  stepsOf,
  succeeds,
  TAKES_ALL,
  TEMPORARY,
} from "./kill_steps.ts";
import { seededNumbers } from "./session_corpus.ts";
import { filesBelow, type SyncMachine } from "./sync_machine.ts";
import { TestClock } from "./sync_machine.ts";
import { objectsOf } from "./sync_world.ts";
import { withoutFlush } from "./unflushed_fs.ts";

const HISTORY = ".claude/history.jsonl";
/** Compressed, this is too much to travel inside an entry, and too little for a pack that stays. */
const PACKED_BYTES = 600_000;

/** A command that is killed; the files that it may change are below anna's home. */
export interface Scenario {
  readonly name: string;
  /** Days before now on which the world begins. */
  readonly daysAgo: number;
  readonly prepare: (world: World) => Promise<void>;
  readonly args: (world: World) => readonly string[];
  /**
   * It writes to the vault, so that the processes of Git are killed as well. `always`: some of it
   * in a Git repository also when there is little time.
   */
  readonly inGit?: "at-night" | "always";
  /** What must hold when all is done, besides that both machines are equal. */
  readonly finish: (world: World, what: string) => Promise<void>;
}

/** Where the vault is. */
export type Place = "folder" | "git";

/** Two machines over one vault. */
export class World {
  readonly dir: string;
  readonly place: Place;
  readonly clock: TestClock;
  readonly anna: SyncMachine;
  readonly bert: SyncMachine;

  constructor(dir: string, place: Place, nowMs: number) {
    this.dir = dir;
    this.place = place;
    this.clock = new TestClock(nowMs);
    const { clock } = this;
    const path = join(dir, "vault");
    const location = place === "folder" ? folderLocationOf(path) : { kind: place, url: path };
    const childEnv = { GIT_CONFIG_NOSYSTEM: "1", HOME: dir };
    const options = { dir, location, clock, fs: withoutFlush, childEnv };
    this.anna = machineHere({ name: "anna", ...options });
    this.bert = machineHere({ name: "bert", ...options });
  }

  async objects(): Promise<string[]> {
    const { bert } = this;
    return [...(await objectsOf(await bert.openStore(bert.location, false))).keys()];
  }
}

/** Text that does not get smaller. */
function noise(): string {
  const next = seededNumbers(4);
  const bytes = Uint8Array.from({ length: PACKED_BYTES }, () => next() * 256);
  return bytes.toBase64();
}

async function bothSetUp({ anna, bert }: World): Promise<void> {
  await anna.init();
  await bert.join(anna);
}

/** anna's FIRST has two versions with side files, SECOND is large. */
async function withVersions(world: World): Promise<void> {
  const { anna, bert } = world;
  await bothSetUp(world);
  await pushVersions(anna);
  goOn(anna, SECOND, noise(), NOW - DAY_MS);
  await anna.push();
  await bert.pull();
}

/** anna's log is worth a compaction; bert has read the first half of it. */
async function withManyEntries(world: World): Promise<void> {
  const { anna, bert, clock } = world;
  await bothSetUp(world);
  goOn(anna, SECOND, noise(), clock.nowMs());
  await anna.push();
  await pushTurns(anna, clock, 3);
  await bert.pull();
  await pushTurns(anna, clock, 4);
}

async function firstVersion({ anna }: World): Promise<string> {
  const { versions } = await syncService.restoreVersions(anna.context(), [FIRST]);
  return versions.at(-1)!.version;
}

/** All of them. */
export const SCENARIOS: readonly Scenario[] = [
  {
    name: "gc that writes a checkpoint",
    inGit: "at-night",
    daysAgo: 2,
    prepare: withManyEntries,
    args: () => ["gc"],
    finish: async (world, what) => {
      assert.ok((await world.objects()).length > 9, `${what}: nothing is deleted yet`);
      await afterGraces(world, what, 4);
    },
  },
  {
    name: "gc that deletes after the grace",
    inGit: "at-night",
    daysAgo: 20,
    prepare: async (world) => {
      await withManyEntries(world);
      await gc(world.anna);
      await liveOn(world.anna, world.clock, 7);
    },
    args: () => ["gc"],
    finish: async (world, what) => {
      const objects = await world.objects();
      assert.ok(objects.length <= 4, `${what}: ${objects}`);
      await afterGraces(world, what, 4);
    },
  },
  {
    name: "forget",
    inGit: "always",
    daysAgo: 0,
    prepare: async (world) => {
      await withVersions(world);
      goOn(world.anna, FIRST, "never sent", NOW - HOUR_MS);
    },
    args: () => ["forget", FIRST, "--yes"],
    finish: async ({ anna, bert }, what) => {
      for (const machine of [anna, bert]) {
        const expected = { [FIRST]: "here, forgotten", [SECOND]: "both" };
        assert.deepEqual(await listed(machine), expected, `${what}, ${machine.name}`);
      }
    },
  },
  {
    name: "restore of what was deleted, and of what is old",
    daysAgo: 0,
    prepare: async (world) => {
      await withVersions(world);
      cleanUp(world.anna, FIRST);
      // Here still, but the client would delete it soon.
      const old = (NOW - 200 * DAY_MS) / 1000;
      fs.utimesSync(world.anna.transcriptPath(SECOND), old, old);
      goOn(world.bert, FIRST, "three", NOW - HOUR_MS);
      await world.bert.push();
    },
    args: () => ["restore", FIRST, SECOND],
    finish: ({ anna, bert }, what) => {
      assert.equal(anna.readTranscript(FIRST), bert.readTranscript(FIRST), what);
      const { mtimeMs } = fs.statSync(anna.transcriptPath(SECOND));
      assert.ok(mtimeMs > NOW - 30 * DAY_MS, `${what}: kept from the clean-up`);
      return Promise.resolve();
    },
  },
  {
    name: "restore of an earlier version",
    daysAgo: 0,
    prepare: withVersions,
    args: () => ["restore", FIRST, "--at", "60h"],
    finish: ({ anna, bert }, what) => {
      const transcripts = (machine: SyncMachine) =>
        Object.keys(machine.files()).filter((path) => /^projects\/[^/]+\/[^/]+\.jsonl$/.test(path));
      assert.equal(transcripts(anna).length, 3, what);
      assert.equal(transcripts(bert).length, 2, `${what}: nobody has spoken in the copy`);
      return Promise.resolve();
    },
  },
  {
    name: "restore into a folder, over what an earlier one left there",
    daysAgo: 0,
    prepare: async (world) => {
      await withVersions(world);
      const version = await firstVersion(world);
      const out = join(world.anna.home, "out");
      succeeds(runProgram(world.anna, ["restore", FIRST, "--pick", version, "--to", out]));
    },
    args: ({ anna }) => ["restore", FIRST, SECOND, "--to", join(anna.home, "out"), "--force"],
    finish: ({ anna }, what) => {
      const out = Object.values(filesBelow(join(anna.home, "out")));
      for (const id of [FIRST, SECOND]) assert.ok(out.includes(anna.readTranscript(id)), what);
      return Promise.resolve();
    },
  },
  {
    name: "import of an old laptop",
    inGit: "at-night",
    daysAgo: 0,
    prepare: async (world) => {
      await bothSetUp(world);
      goOn(world.anna, FIRST, "one", NOW - 3 * DAY_MS);
      goOn(world.anna, APART, "base", NOW - 3 * DAY_MS);
      await world.anna.push();
      await world.bert.pull();
      oldLaptop(join(world.dir, "old-laptop", "annabelle", ".claude"), world.anna, noise());
      goOn(world.anna, APART, "anna's way", NOW - 2 * HOUR_MS);
    },
    args: ({ dir }) => ["import", join(dir, "old-laptop", "annabelle")],
    finish: ({ anna }, what) => {
      const files = Object.entries(anna.files());
      const all = files.map(([, text]) => text).join("");
      for (const text of ["further on", "another way", "anna's way", "what I learned"]) {
        assert.ok(all.includes(text), `${what}: ${text}`);
      }
      assert.equal(all.split("old prompt").length, 2, `${what}: a prompt once`);
      return Promise.resolve();
    },
  },
];

/** Digests of all states that the vault can give back. */
async function statesOf(machine: SyncMachine): Promise<string[]> {
  const states = await allStates(machine);
  return states.map((state) => sha256Hex(new TextEncoder().encode(state)));
}

/** Digests of files by path, which a message can show. */
function digests(files: ReadonlyMap<string, string>): Record<string, string> {
  const encoder = new TextEncoder();
  const entries = [...files].map(([path, text]) => [path, sha256Hex(encoder.encode(text))]);
  return Object.fromEntries(entries);
}

/** Weeks later all leftovers are gone, and nobody has noticed. */
async function afterGraces(
  world: World,
  what: string,
  objectsMax: number,
): Promise<void> {
  const { anna, bert, clock, place } = world;
  // Dozens of looks at a repository take too long but for nights.
  if (place === "git" && !TAKES_ALL) return;
  const states = await statesOf(bert);
  for (let round = 0; round < 2; round++) {
    await liveOn(anna, clock, 7);
    await gc(anna);
  }
  const objects = await world.objects();
  assert.ok(objects.length <= objectsMax, `${what}: ${objects}`);
  assert.deepEqual(await statesOf(bert), states, `${what}: weeks later`);
  assert.deepEqual((await bert.verify()).problems, [], `${what}: weeks later`);
}

/** What people have on this machine: all but what belongs to the program. */
function filesOf({ home }: SyncMachine): Map<string, string> {
  const files = Object.entries(filesBelow(home))
    .filter(([path]) => !path.startsWith(".claude-sync/") && !TEMPORARY.test(path));
  return new Map(files);
}

/** Digests of what the vault and both machines have when there is nothing more to do. */
interface Settled {
  readonly states: readonly string[];
  readonly files: readonly Readonly<Record<string, string>>[];
}

/** A prepared world that can be had again and again, and what comes of it when nothing happens. */
export class Stage {
  readonly #dir: string;
  readonly #scenario: Scenario;
  readonly #kind: Place;
  #before = new Map<string, string>();
  #after = new Map<string, string>();
  #states: readonly string[] = [];
  #settled: Settled | null = null;

  constructor(dir: string, scenario: Scenario, kind: Place) {
    [this.#dir, this.#scenario, this.#kind] = [dir, scenario, kind];
  }

  get #place(): string {
    return join(this.#dir, "world");
  }

  /** The world as it is now. */
  world(): World {
    return new World(this.#place, this.#kind, Date.now());
  }

  /** Makes the world, and sees what comes of it. */
  async prepare(): Promise<void> {
    const startMs = NOW - this.#scenario.daysAgo * DAY_MS;
    const world = new World(this.#place, this.#kind, startMs);
    await this.#scenario.prepare(world);
    this.#states = await statesOf(world.bert);
    fs.renameSync(this.#place, join(this.#dir, "kept"));
    this.restore();
    this.#before = filesOf(this.world().anna);
    succeeds(this.killable.run([]));
    this.#after = filesOf(this.world().anna);
    this.#settled = await this.#settle("undisturbed");
    this.restore();
  }

  /** The world as it was made. */
  restore(): void {
    fs.rmSync(this.#place, { recursive: true, force: true });
    const kept = join(this.#dir, "kept");
    fs.cpSync(kept, this.#place, { recursive: true, preserveTimestamps: true });
  }

  /** The run itself, behind a program that watches it. */
  get killable(): Killable {
    return {
      dir: this.#dir,
      below: this.#place,
      run: (before) => {
        const world = this.world();
        return runProgram(world.anna, this.#scenario.args(world), before);
      },
    };
  }

  /** What must hold after a kill. */
  async check(what: string): Promise<void> {
    const { anna, bert } = this.world();
    const files = filesOf(anna);
    for (const [path, bytes] of files) {
      const [old, now] = [this.#before.get(path), this.#after.get(path)];
      const isGrown = path === HISTORY && bytes.startsWith(old ?? "");
      assert.ok(bytes === old || bytes === now || isGrown, `${what}: ${path} is half`);
    }
    for (const path of this.#before.keys()) assert.ok(files.has(path), `${what}: ${path} is gone`);
    assert.deepEqual((await bert.verify()).problems, [], `${what}: verify`);
    const { failures } = await bert.pull({ all: true });
    assert.deepEqual(failures, [], `${what}: bert pulls`);
    const states = new Set(await statesOf(bert));
    for (const state of this.#states) assert.ok(states.has(state), `${what}: bert misses one`);
    succeeds(this.killable.run([]));
    const settled = await this.#settle(what);
    assert.deepEqual(settled.files, this.#settled!.files, `${what}: the next try completes`);
    // A branch that was written and not noted is stored besides, which changes nothing.
    const now = new Set(settled.states);
    for (const state of this.#settled!.states) assert.ok(now.has(state), `${what}: all states`);
  }

  /** Both machines' files and states when there is nothing more to do. */
  async #settle(what: string): Promise<Settled> {
    const world = this.world();
    const { anna, bert } = world;
    // The program's own notes of anna's files have times that are finer than those of this process.
    const sync = () => succeeds(runProgram(anna, ["sync"]));
    sync();
    const { pull, push } = await bert.sync();
    assert.deepEqual([...pull.failures, ...push.failures], [], what);
    sync();
    const states = await statesOf(anna);
    assert.deepEqual(await statesOf(bert), states, `${what}: both know the same`);
    assert.deepEqual((await anna.verify()).problems, [], `${what}: verify at the end`);
    const settled = { states, files: [anna, bert].map((machine) => digests(filesOf(machine))) };
    await this.#scenario.finish(world, what);
    return settled;
  }
}

/** Ends the program at its steps; says how many there were. */
export async function killProgram(stage: Stage, budget: Budget): Promise<string> {
  await stage.prepare();
  const steps = stepsOf(stage.killable);
  return await killAtSteps(stage.killable, steps, budget, {
    prepare: () => stage.restore(),
    check: (what) => stage.check(what),
  });
}
