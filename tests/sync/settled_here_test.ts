/** What a pull may pass over, and what it must not. */
import assert from "node:assert/strict";
import { appendFileSync, copyFileSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { rmSync, statSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { sha256Hex } from "../../src/crypto/hash.ts";
import { discoverPlans } from "../../src/sessions/plans.ts";
import { memoryShelfId, planShelfId } from "../../src/sessions/shelf.ts";
import { slugOf } from "../../src/sessions/slug.ts";
import { LocalView } from "../../src/sync/pull_place.ts";
import { refresh } from "../../src/sync/refresh.ts";
import { unsettledSessions } from "../../src/sync/settled_here.ts";
import { computeTargets } from "../../src/sync/targets.ts";
import { withVault } from "../../src/sync/vault_access.ts";
import { inMemoryDir, said, type SyncMachine } from "../support/sync_machine.ts";
import { newWorld } from "../support/sync_world.ts";

const idOf = (digit: number) => `${digit}`.repeat(8) + "-1111-4111-8111-111111111111";
const [PLAIN, SIDE, TWICE, ROOT] = [idOf(1), idOf(2), idOf(3), idOf(4)];
const PLAN = "quiet-walking-hare";
const PLAN_SHELF = planShelfId(PLAN);
const MEMORY_SHELF = memoryShelfId({ kind: "home", path: "code/app" });

interface Looked {
  /** Null = all. */
  readonly unsettled: ReadonlySet<string> | null;
  /** Sessions and shelves that a pull works out. */
  readonly some: ReadonlySet<string>;
  /** Those that it does not, although the vault has them. */
  readonly passed: ReadonlySet<string>;
}

/** Looks at what a pull would work out, and holds what it would not against what is here. */
async function look(machine: SyncMachine): Promise<Looked> {
  return await withVault(machine.context(), async (vault) => {
    await refresh(vault);
    const local = new LocalView(vault);
    const plans = discoverPlans(vault.context.platform.fs, vault.root).files;
    const unsettled = unsettledSessions(vault, local, plans);
    const all = await computeTargets(vault);
    const some = await computeTargets(vault, unsettled);
    const found = new Map(
      [...some.sessions.values(), ...some.shelves].map((each) =>
        [each.id as string, each] as const
      ),
    );
    const passed = new Set<string>();
    for (const target of [...all.sessions.values(), ...all.shelves]) {
      const same = found.get(target.id);
      if (same !== undefined) {
        assert.deepEqual(same, target);
        continue;
      }
      passed.add(target.id);
      const memories = local.memories.map(({ files }) => files);
      const places = target.files.every(({ name }) => name.startsWith("plans/"))
        ? [plans]
        : target.files.every(({ name }) => name.startsWith("memory/"))
        ? memories
        : local.copies(target.id).map(({ files }) => files);
      assert.ok(places.length > 0, target.id);
      for (const files of places) {
        for (const { name, hash } of target.files) {
          const file = files.find((each) => each.name === name);
          assert.ok(file !== undefined, `${target.id} lacks ${name}`);
          assert.equal(sha256Hex(readFileSync(file.path)), hash, file.path);
        }
      }
    }
    assert.deepEqual(some.failures, all.failures);
    return { unsettled, some: new Set(found.keys()), passed };
  });
}

interface Home {
  readonly anna: SyncMachine;
  readonly bert: SyncMachine;
}

function turn(machine: SyncMachine, session: string, text: string, minutes: number): string {
  const atMs = machine.platform.clock.nowMs() + minutes * 60_000;
  return said("user", text, { session, cwd: machine.project, atMs });
}

function planning(machine: SyncMachine): string {
  return turn(machine, PLAIN, "plan", 0).replace(/^{/, `{"slug":"${PLAN}",`);
}

function pathIn(machine: SyncMachine, session: string, ...rest: string[]): string {
  return join(dirname(machine.transcriptPath(session)), session, ...rest);
}

/** Anna has everything of the vault; of one session a branch that bert began. */
async function inHome(work: (home: Home) => Promise<void>): Promise<void> {
  await inMemoryDir(async (dir) => {
    const { machines, clock } = await newWorld(dir);
    const [anna, bert] = machines as [SyncMachine, SyncMachine];
    const second = join(anna.home, "code", "second");
    mkdirSync(second);
    anna.writeTranscript(PLAIN, planning(anna));
    anna.writeTranscript(SIDE, turn(anna, SIDE, "side", 0));
    const output = join("projects", slugOf(anna.project), SIDE, "tool-results", "1.txt");
    anna.write(output, "output");
    const twice = turn(anna, TWICE, "twice", 0);
    anna.writeTranscript(TWICE, twice);
    anna.write(join("projects", slugOf(second), `${TWICE}.jsonl`), twice);
    const start = turn(anna, ROOT, "start", 0);
    anna.writeTranscript(ROOT, start);
    anna.write(`plans/${PLAN}.md`, "the plan\n");
    anna.write(join("projects", slugOf(anna.project), "memory", "MEMORY.md"), "a memory\n");
    await anna.push();
    await bert.pull();
    anna.writeTranscript(ROOT, start + turn(anna, ROOT, "of anna", 1));
    bert.writeTranscript(ROOT, start + turn(bert, ROOT, "of bert", 2));
    clock.advance(3_600_000);
    await anna.push();
    await bert.sync();
    await anna.sync();
    // Somebody goes on with the branch, so that the vault has it as a session of its own.
    const branch = [...(await look(anna)).some].find((id) => id !== ROOT)!;
    anna.writeTranscript(branch, anna.readTranscript(branch) + turn(anna, branch, "on", 3));
    clock.advance(3_600_000);
    await anna.sync();
    const here = await look(anna);
    assert.deepEqual([...here.some].sort(), [ROOT, branch].sort());
    assert.equal(here.passed.size, 5);
    await work({ anna, bert });
  });
}

Deno.test("a pull passes over what is here as it should be, but for families of branches", () =>
  inHome(async ({ anna }) => {
    const { passed, some } = await look(anna);
    assert.deepEqual(passed, new Set([PLAIN, SIDE, TWICE, PLAN_SHELF, MEMORY_SHELF]));
    assert.ok(some.has(ROOT));
    const { pulled, otherFiles, failures } = await anna.pull();
    assert.deepEqual([pulled, otherFiles, failures], [0, 0, []]);
  }));

/** Gives the file other bytes of the same length, and its old time. */
function replaceUnseen(path: string): void {
  const { mtimeMs } = statSync(path);
  const copy = `${path}.new`;
  writeFileSync(copy, readFileSync(path, "utf8").replace("plan", "pl@n"));
  utimesSync(copy, mtimeMs / 1000, mtimeMs / 1000);
  renameSync(copy, path);
}

const CHANGES: readonly [
  name: string,
  shelf: string,
  change: (home: Home) => void | Promise<void>,
][] = [
  ["has more", PLAIN, ({ anna }) => appendFileSync(anna.transcriptPath(PLAIN), "{}\n")],
  ["was touched", PLAIN, ({ anna }) => utimesSync(anna.transcriptPath(PLAIN), 1, 1)],
  ["is another file", PLAIN, ({ anna }) => replaceUnseen(anna.transcriptPath(PLAIN))],
  ["was removed", PLAIN, ({ anna }) => rmSync(anna.transcriptPath(PLAIN))],
  ["was moved", PLAIN, ({ anna }) => {
    const path = anna.transcriptPath(PLAIN, join(anna.home, "elsewhere"));
    mkdirSync(dirname(path));
    renameSync(anna.transcriptPath(PLAIN), path);
  }],
  ["goes on elsewhere", PLAIN, async ({ bert }) => {
    bert.writeTranscript(PLAIN, bert.readTranscript(PLAIN) + turn(bert, PLAIN, "more", 3));
    await bert.push();
  }],
  ["lacks a side file", SIDE, ({ anna }) => rmSync(pathIn(anna, SIDE, "tool-results", "1.txt"))],
  [
    "has a changed side file",
    SIDE,
    ({ anna }) => writeFileSync(pathIn(anna, SIDE, "tool-results", "1.txt"), "OUTPUT"),
  ],
  ["gets a side file", SIDE, async ({ bert }) => {
    bert.write(join("projects", slugOf(bert.project), SIDE, "tool-results", "2.txt"), "more");
    await bert.push();
  }],
  ["has a shorter copy", PLAIN, ({ anna }) => {
    const path = anna.transcriptPath(PLAIN, join(anna.home, "second"));
    mkdirSync(dirname(path));
    writeFileSync(path, anna.readTranscript(PLAIN).slice(0, 20));
  }],
  ["is behind in one of two places", TWICE, ({ anna }) => {
    truncateSync(anna.transcriptPath(TWICE, join(anna.home, "code", "second")), 20);
  }],
  ["stands in a third place", TWICE, ({ anna }) => {
    const path = anna.transcriptPath(TWICE, join(anna.home, "third"));
    mkdirSync(dirname(path));
    copyFileSync(anna.transcriptPath(TWICE), path);
  }],
  ["is an edited plan", PLAN_SHELF, ({ anna }) => anna.write(`plans/${PLAN}.md`, "the PLAN\n")],
  ["is a removed plan", PLAN_SHELF, ({ anna }) =>
    rmSync(join(anna.configDir, "plans"), {
      recursive: true,
    })],
  ["is a plan edited elsewhere", PLAN_SHELF, async ({ bert }) => {
    bert.write(`plans/${PLAN}.md`, "bert's\n");
    await bert.push();
  }],
  ["is a memory edited here", MEMORY_SHELF, ({ anna }) => {
    anna.write(join("projects", slugOf(anna.project), "memory", "MEMORY.md"), "a MEMORY\n", 1);
  }],
  ["is a memory with more elsewhere", MEMORY_SHELF, async ({ bert }) => {
    bert.write(join("projects", slugOf(bert.project), "memory", "more.md"), "more\n");
    await bert.push();
  }],
];

for (const [name, id, change] of CHANGES) {
  Deno.test(`a pull looks at what ${name}`, () =>
    inHome(async (home) => {
      await change(home);
      const { unsettled, some, passed } = await look(home.anna);
      assert.ok(unsettled !== null && unsettled.has(id));
      assert.ok(some.has(id));
      assert.equal(passed.size, 4, "and still not at the others");
    }));
}

Deno.test("a pull on a machine that has nothing looks at everything", () =>
  inHome(async ({ anna }) => {
    rmSync(join(anna.configDir, "projects"), { recursive: true });
    rmSync(join(anna.configDir, "plans"), { recursive: true });
    assert.equal((await look(anna)).passed.size, 0);
    await anna.pull({ all: true });
    assert.ok(readFileSync(anna.transcriptPath(PLAIN), "utf8").includes("plan"));
  }));
