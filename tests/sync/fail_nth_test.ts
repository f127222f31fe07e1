/**
 * Breaks every single call to the disk and to the store in turn, once and from then on, and looks
 * at what is left: every file old or new, the vault good, and the next try completes. Of calls that
 * look at the same path in the same way again and again the first and the last are broken;
 * `CLAUDE_SYNC_FAIL_NTH=all` breaks all of them.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { slugOf } from "../../src/sessions/slug.ts";
import { parseObjectName } from "../../src/storage/object_name.ts";
import { MemoryStore } from "../../src/storage/memory/store.ts";
import {
  callsToBreak,
  CHANGES,
  type FaultPlan,
  type FaultyFs,
  faultyFs,
} from "../support/faulty_fs.ts";
import { failNth, type FaultyStore, faultyStore } from "../support/faulty_store.ts";
import { SessionCorpus } from "../support/session_corpus.ts";
import { filesBelow, inMemoryDir, said, type SyncMachine } from "../support/sync_machine.ts";
import { contentsOf, emptyWorld, objectsOf, type SyncWorld } from "../support/sync_world.ts";

const IDS = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"];
const PLAN = "quiet-walking-hare";
const START_MS = Date.now();
const HOUR_MS = 3_600_000;
/** Compressed, this is too much to travel inside an entry. */
const PACKED_BYTES = 1_500_000;
const HISTORY = "history.jsonl";
const ANNA = 0;
const BERT = 1;

/** A command on one machine, in a world made ready for it. */
interface Scenario {
  readonly name: string;
  readonly actor: typeof ANNA | typeof BERT;
  readonly prepare: (anna: SyncMachine, bert: SyncMachine) => Promise<void>;
  readonly run: (anna: SyncMachine, bert: SyncMachine) => Promise<unknown>;
  /** Breaks only the store: for worlds that take long. */
  readonly isLarge?: true;
}

let uuids = 0;

function turn(machine: SyncMachine, id: string, text: string): string {
  const uuid = () => `00000000-0000-4000-9000-${String(++uuids).padStart(12, "0")}`;
  const atMs = START_MS - HOUR_MS + uuids;
  const facts = { session: id, cwd: machine.project, atMs };
  return said("user", text, { ...facts, uuid: uuid() }) +
    said("assistant", text, { ...facts, atMs: atMs + 1, uuid: uuid() });
}

function speak(machine: SyncMachine, id: string, text: string): void {
  const path = machine.transcriptPath(id);
  const old = fs.existsSync(path) ? fs.readFileSync(path, "utf8") : "";
  machine.writeTranscript(id, old + turn(machine, id, text), START_MS - 60_000 + uuids);
}

function remember(machine: SyncMachine, name: string, text: string, atMs?: number): void {
  machine.write(join("projects", slugOf(machine.project), "memory", name), text, atMs);
}

function type(machine: SyncMachine, display: string): void {
  const line = { display, pastedContents: {}, timestamp: START_MS + ++uuids, sessionId: IDS[0] };
  const path = join(machine.configDir, "history.jsonl");
  fs.appendFileSync(path, JSON.stringify(line) + "\n");
}

/** A plan that the session names, a memory and a prompt. */
function shelve(machine: SyncMachine, text: string, atMs = START_MS - HOUR_MS): void {
  machine.write(`plans/${PLAN}.md`, `plan: ${text}`, atMs);
  remember(machine, "MEMORY.md", `memory: ${text}`, atMs);
  type(machine, text);
}

async function bothSetUp(anna: SyncMachine, bert: SyncMachine): Promise<void> {
  speak(anna, IDS[0]!, "base");
  fs.appendFileSync(anna.transcriptPath(IDS[0]!), `{"type":"user","slug":"${PLAN}"}\n`);
  await anna.init();
  await bert.join(anna);
  await anna.push();
  await bert.pull();
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: "init of a new vault",
    actor: ANNA,
    prepare: (anna) => Promise.resolve(speak(anna, IDS[0]!, "base")),
    run: (anna) => anna.init(),
  },
  {
    name: "init and key import on a second machine",
    actor: BERT,
    prepare: async (anna) => {
      speak(anna, IDS[0]!, "base");
      await anna.init();
      await anna.push();
    },
    run: (anna, bert) => bert.join(anna),
  },
  {
    name: "the first push",
    actor: BERT,
    prepare: async (anna, bert) => {
      await bothSetUp(anna, bert);
      speak(bert, IDS[1]!, "new");
      bert.write(`todos/${IDS[1]}-agent-${IDS[1]}.json`, "[1]");
    },
    run: (_anna, bert) => bert.push(),
  },
  {
    name: "push of a grown session",
    actor: ANNA,
    prepare: async (anna, bert) => {
      await bothSetUp(anna, bert);
      speak(anna, IDS[0]!, "more");
    },
    run: (anna) => anna.push(),
  },
  {
    name: "push of so much that it takes packs",
    actor: ANNA,
    isLarge: true,
    prepare: async (anna, bert) => {
      await bothSetUp(anna, bert);
      const facts = { session: IDS[1]!, cwd: anna.project, seed: 5, startMs: START_MS - HOUR_MS };
      anna.writeTranscript(IDS[1]!, new SessionCorpus(facts).next(PACKED_BYTES));
    },
    run: (anna) => anna.push(),
  },
  {
    name: "pull of a grown session, a new one and a sidecar",
    actor: BERT,
    prepare: async (anna, bert) => {
      await bothSetUp(anna, bert);
      speak(anna, IDS[0]!, "more");
      speak(anna, IDS[1]!, "new");
      anna.write(`todos/${IDS[1]}-agent-${IDS[1]}.json`, "[1]");
      await anna.push();
    },
    run: (_anna, bert) => bert.pull(),
  },
  {
    name: "sync of a session that was continued apart",
    actor: BERT,
    prepare: async (anna, bert) => {
      await bothSetUp(anna, bert);
      speak(anna, IDS[0]!, "from anna");
      speak(bert, IDS[0]!, "from bert");
      await anna.push();
    },
    run: (_anna, bert) => bert.sync(),
  },
  {
    name: "the first push of a plan, a memory and prompts",
    actor: ANNA,
    prepare: async (anna, bert) => {
      await bothSetUp(anna, bert);
      shelve(anna, "anna's");
    },
    run: (anna) => anna.push(),
  },
  {
    name: "pull of a plan, a memory and prompts",
    actor: BERT,
    prepare: async (anna, bert) => {
      await bothSetUp(anna, bert);
      shelve(anna, "anna's");
      type(bert, "bert's own");
      await anna.push();
    },
    run: (_anna, bert) => bert.pull(),
  },
  {
    name: "sync of a plan and a memory that were changed apart, over an outdated copy",
    actor: BERT,
    prepare: async (anna, bert) => {
      await bothSetUp(anna, bert);
      shelve(anna, "anna's first", START_MS - 50_000);
      shelve(bert, "bert's", START_MS - 30_000);
      await anna.push();
      await bert.sync();
      shelve(anna, "anna's second", START_MS - 40_000);
      await anna.push();
      type(bert, "bert again");
      remember(bert, "topic.md", "bert's topic", START_MS - 20_000);
    },
    run: (_anna, bert) => bert.sync(),
  },
];

/** A prepared world that can be had again and again, at the same place on the disk. */
class Stage {
  readonly #dir: string;
  readonly #scenario: Scenario;
  #objects = new Map<string, string>();
  /** Files of the actor before the command, and after it when nothing fails. */
  before: Record<string, string> = {};
  after: Record<string, string> = {};
  /** What both machines have when all is done. */
  settled = new Map<string, string>();

  constructor(dir: string, scenario: Scenario) {
    this.#dir = dir;
    this.#scenario = scenario;
  }

  async prepare(): Promise<void> {
    const world = emptyWorld(join(this.#dir, "world"), { startMs: START_MS });
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    await this.#scenario.prepare(anna, bert);
    this.#objects = await objectsOf(world.store);
    fs.cpSync(join(this.#dir, "world"), join(this.#dir, "kept"), keepTimes());
    this.before = this.actor(world).files();
    const healthy = await this.world({});
    await this.run(healthy);
    this.after = this.actor(healthy).files();
    this.settled = await settled(healthy, this.actor(healthy));
  }

  /** The prepared world, with faults on the actor's machine. */
  async world(
    faults: { fs?: (fs: FaultyFs) => void; plan?: FaultPlan; store?: (one: FaultyStore) => void },
  ): Promise<SyncWorld> {
    const dir = join(this.#dir, "world");
    fs.rmSync(dir, { recursive: true, force: true });
    fs.cpSync(join(this.#dir, "kept"), dir, keepTimes());
    const store = new MemoryStore();
    for (const [name, latin1] of this.#objects) {
      await store.put(parseObjectName(name)!, Uint8Array.from(latin1, (c) => c.charCodeAt(0)));
    }
    const actorName = ["anna", "bert"][this.#scenario.actor];
    return emptyWorld(dir, {
      startMs: START_MS,
      store,
      fsOf: (name, disk) => {
        if (name !== actorName || faults.plan === undefined) return disk;
        const faulty = faultyFs(disk, faults.plan);
        faults.fs?.(faulty);
        return faulty;
      },
      storeOf: (name, real) => {
        if (name !== actorName || faults.store === undefined) return real;
        const faulty = faultyStore(real);
        faults.store(faulty);
        return faulty;
      },
    });
  }

  actor(world: SyncWorld): SyncMachine {
    return world.machines[this.#scenario.actor]!;
  }

  run(world: SyncWorld): Promise<unknown> {
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    return this.#scenario.run(anna, bert);
  }

  /** A world on the same disks and store, with nothing broken any more. */
  healed(world: SyncWorld): SyncWorld {
    const { store, clock } = world;
    return emptyWorld(join(this.#dir, "world"), { startMs: clock.nowMs(), store });
  }
}

function keepTimes(): fs.CopySyncOptions {
  return { recursive: true, preserveTimestamps: true };
}

const TEMPORARY = /(^|\/)\.claude-sync-[0-9a-f]{16}\.tmp$/;

function isSetUp({ home }: SyncMachine): boolean {
  return ["config.json", "key"].every((name) => fs.existsSync(join(home, ".claude-sync", name)));
}

async function syncedCleanly(machine: SyncMachine): Promise<void> {
  const { pull, push } = await machine.sync();
  assert.deepEqual([...pull.failures, ...push.failures], []);
}

/** Finishes what is to be done, by what a person would repeat; the actor goes first. */
async function settled(world: SyncWorld, actor: SyncMachine): Promise<Map<string, string>> {
  const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
  if (!isSetUp(anna)) await anna.init();
  if (!isSetUp(bert)) await bert.join(anna);
  await syncedCleanly(actor);
  await syncedCleanly(actor === anna ? bert : anna);
  // An hour later, our own leftovers are no longer somebody's work.
  world.clock.advance(2 * HOUR_MS);
  await syncedCleanly(actor);
  assert.deepEqual(settledOf(bert), settledOf(anna), "both machines are equal");
  return settledOf(anna);
}

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
  assert.deepEqual(await settled(healed, actor), stage.settled, `${what}: the next try completes`);
  const left = Object.keys(filesBelow(actor.home)).filter((path) => TEMPORARY.test(path));
  assert.deepEqual(left, [], `${what}: leftovers are swept`);
  // Both machines have just been compared byte for byte: what lies in the vault is enough here.
  assert.deepEqual((await actor.verify(false)).problems, [], `${what}: verify at the end`);
}

const DISK_FAULTS: readonly Omit<FaultPlan, "failNth">[] = [
  { from: "once", effect: "before" },
  { from: "once", effect: "after", calls: CHANGES },
  // Like a crash: what happened before is there, and nothing else ever comes to be.
  { from: "then-on", effect: "before", calls: CHANGES },
];

for (const scenario of SCENARIOS) {
  for (const fault of scenario.isLarge ? [] : DISK_FAULTS) {
    const how = `${fault.from}, ${fault.effect} the effect`;
    Deno.test(`${scenario.name} survives every failure of the disk, ${how}`, () =>
      inMemoryDir(async (dir) => {
        const stage = new Stage(dir, scenario);
        await stage.prepare();
        const broken = async (failNth: number) => {
          const faulty: FaultyFs[] = [];
          const plan: FaultPlan = { ...fault, failNth };
          const world = await stage.world({ plan, fs: (one) => faulty.push(one) });
          await stage.run(world).catch((error) => assert.equal(error.name, "ClaudeSyncError"));
          return { world, faulty: faulty[0]! };
        };
        const { faulty: undisturbed } = await broken(Infinity);
        const chosen = callsToBreak(undisturbed.log);
        assert.ok(chosen.length > 5, `${chosen.length} calls are too few to be all`);
        for (const n of chosen) {
          const { world, faulty } = await broken(n);
          assert.equal(faulty.failed > 0, true, `call ${n} is made in every run`);
          await checkAftermath(stage, world, `call ${n} fails ${how}`);
        }
      }));
  }
  for (const times of [1, Infinity]) {
    Deno.test(`${scenario.name} survives every failure of the store, ${times} times`, () =>
      inMemoryDir(async (dir) => {
        const stage = new Stage(dir, scenario);
        await stage.prepare();
        for (const effect of ["before", "after"] as const) {
          for (let n = 1;; n++) {
            // The store is opened anew by every command, and counts on.
            const opened: FaultyStore[] = [];
            const total = (of: "calls" | "struck") => opened.reduce((sum, one) => sum + one[of], 0);
            const world = await stage.world({
              store: (one) => {
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
      }));
  }
}
