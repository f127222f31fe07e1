/** Forgetting on two and three machines, as their users notice it. */
import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { ClaudeSyncError } from "../../src/errors.ts";
import { listForgotten } from "../../src/sync/recall.ts";
import { syncService } from "../../src/sync/service.ts";
import {
  compactIndex,
  dropState,
  forget,
  HOUR_MS,
  listed,
  recall,
  speak,
  type,
} from "../support/forget_world.ts";
import { inTempDir, said, type SyncMachine } from "../support/sync_machine.ts";
import { contentsOf, newWorld, type SyncWorld, transcriptsOf } from "../support/sync_world.ts";

const FIRST = "11111111-1111-4111-8111-111111111111";
const OTHER = "22222222-2222-4222-8222-222222222222";
const DAY_MS = 24 * HOUR_MS;

type Machines = [SyncMachine, SyncMachine, SyncMachine];

/** Three machines that have two sessions, one with other files and prompts. */
async function withShared(
  work: (machines: Machines, world: SyncWorld) => Promise<void>,
): Promise<void> {
  await inTempDir(async (dir) => {
    const world = await newWorld(dir, { names: ["anna", "bert", "cleo"] });
    const machines = world.machines as unknown as Machines;
    const [anna, bert, cleo] = machines;
    speak(anna, FIRST, "one");
    speak(anna, OTHER, "another");
    anna.write(`projects/${slugOf(anna)}/${FIRST}/subagents/agent-a1.jsonl`, "{}\n");
    anna.write(`todos/${FIRST}-agent-${FIRST}.json`, "[1]");
    type(anna, FIRST, "one");
    await anna.push();
    speak(anna, FIRST, "two");
    await anna.push();
    await bert.pull();
    await cleo.pull();
    await work(machines, world);
  });
}

function slugOf(machine: SyncMachine): string {
  return machine.transcriptPath(FIRST).split("/").at(-2)!;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(() => null, (thrown) => thrown);
  assert.ok(error instanceof ClaudeSyncError, `failed with ${error}`);
  return error.code;
}

async function isIdle(machine: SyncMachine): Promise<void> {
  const { pull, push } = await machine.sync();
  assert.deepEqual([...pull.failures, ...push.failures], []);
  assert.deepEqual([pull.pulled, pull.archived, push.pushed, push.bytes.sent], [0, 0, 0, 0]);
}

Deno.test("a forgotten session is gone from every machine's list, and no file is touched", () =>
  withShared(async (machines) => {
    const [anna, bert] = machines;
    const before = machines.map((machine) => machine.files());
    const dry = await forget(bert, [FIRST], { dryRun: true });
    assert.deepEqual(dry.sessions.map(({ id, machines }) => [id, machines]), [[FIRST, ["anna"]]]);
    assert.equal((await listed(bert))[FIRST], "both", "a dry run does nothing");
    const done = await forget(bert, [FIRST.slice(0, 6)]);
    assert.deepEqual(done.sessions, dry.sessions);
    for (const [at, machine] of machines.entries()) {
      await isIdle(machine);
      assert.deepEqual(machine.files(), before[at], `${machine.name} keeps its files`);
      assert.equal((await listed(machine))[FIRST], "here, forgotten");
      assert.equal((await listed(machine))[OTHER], "both");
      const status = await syncService.status(machine.context());
      assert.deepEqual([status.verdict, status.unsent, status.vaultSessions], ["ok", 0, 1]);
    }
    const again = await forget(anna, [FIRST]);
    assert.deepEqual([again.sessions.length, again.already], [0, [FIRST]]);
    assert.deepEqual((await anna.verify()).problems, []);
  }));

Deno.test("a machine that never had it does not get it, however it asks", () =>
  withShared(async ([anna, , cleo]) => {
    rmSync(join(cleo.configDir, "projects"), { recursive: true });
    rmSync(join(cleo.configDir, "todos"), { recursive: true });
    dropState(cleo);
    await forget(anna, [FIRST]);
    const pull = await cleo.pull({ all: true });
    assert.equal(pull.pulled, 1);
    assert.deepEqual(Object.keys(await listed(cleo)), [OTHER]);
    assert.equal(await codeOf(cleo.pull({ sessions: [FIRST] })), "not-found");
    assert.equal(Object.keys(cleo.files()).some((path) => path.includes(FIRST)), false);
  }));

Deno.test("without the local state nothing forgotten is pushed again, nor its other files", () =>
  withShared(async ([anna, bert]) => {
    await forget(anna, [FIRST]);
    for (const machine of [anna, bert]) {
      dropState(machine);
      machine.write(`todos/${FIRST}-agent-${FIRST}.json`, "[1, 2]");
      type(machine, FIRST, "a prompt that nobody has");
      await isIdle(machine);
      await isIdle(machine);
      assert.equal((await listed(machine))[FIRST], "here, forgotten");
    }
  }));

Deno.test("new turns on any machine bring the session back, as a whole", () =>
  withShared(async ([anna, bert, cleo]) => {
    await forget(anna, [FIRST]);
    await bert.sync();
    speak(bert, FIRST, "three");
    type(bert, FIRST, "three");
    assert.equal((await bert.push()).pushed, 1);
    for (const machine of [anna, cleo]) {
      assert.equal((await machine.pull()).pulled, 1);
      assert.equal(machine.readTranscript(FIRST), bert.readTranscript(FIRST));
      assert.equal((await listed(machine))[FIRST], "both");
      assert.match(readFileSync(join(machine.configDir, "history.jsonl"), "utf8"), /three/);
    }
    // Its other files are there again, too: a new machine gets all of it.
    rmSync(join(cleo.configDir, "projects"), { recursive: true });
    rmSync(join(cleo.configDir, "todos"), { recursive: true });
    dropState(cleo);
    await cleo.pull();
    assert.deepEqual([...contentsOf(cleo).keys()].sort(), [...contentsOf(anna).keys()].sort());
    assert.deepEqual((await anna.verify()).problems, []);
  }));

// Seed 9104713 of the simulation: what stands in another folder came a push late.
for (const isMoved of [false, true]) {
  const where = isMoved ? "in the folder that the transcript was moved from" : "beside it";
  Deno.test(`new turns bring files along that were never sent, ${where}`, () =>
    inTempDir(async (dir) => {
      const world = await newWorld(dir);
      const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
      speak(anna, FIRST, "one");
      await anna.push();
      anna.write(`projects/${slugOf(anna)}/${FIRST}/tool-results/a.txt`, "b");
      await forget(anna, [FIRST]);
      if (isMoved) {
        const worktree = `${dirname(anna.transcriptPath(FIRST))}--claude-worktrees-wt`;
        mkdirSync(worktree);
        renameSync(anna.transcriptPath(FIRST), join(worktree, `${FIRST}.jsonl`));
      }
      const facts = { session: FIRST, cwd: anna.project, atMs: world.clock.nowMs() };
      const [path] = transcriptsOf(anna, FIRST);
      appendFileSync(path!, said("user", "two", facts));
      world.clock.advance(HOUR_MS);
      await anna.push();
      await bert.pull({ all: true });
      assert.deepEqual([...contentsOf(bert).keys()].sort(), [
        `${FIRST}.jsonl`,
        `${FIRST}/tool-results/a.txt`,
      ]);
    }));
}

Deno.test("a machine that was offline revives it, and it can be forgotten again", () =>
  withShared(async ([anna, bert, cleo]) => {
    speak(cleo, FIRST, "from afar");
    await forget(anna, [FIRST]);
    await bert.sync();
    const { pull, push } = await cleo.sync();
    assert.deepEqual([pull.failures, push.pushed], [[], 1]);
    await bert.sync();
    assert.match(bert.readTranscript(FIRST), /from afar/);
    await forget(bert, [FIRST]);
    for (const machine of [anna, bert, cleo]) {
      await machine.sync();
      assert.equal((await listed(machine))[FIRST], "here, forgotten", machine.name);
    }
  }));

Deno.test("turns that were not sent yet are forgotten here, and are not sent for it", () =>
  withShared(async ([anna, bert]) => {
    speak(bert, FIRST, "never sent");
    const before = bert.readTranscript(FIRST);
    await forget(bert, [FIRST]);
    await isIdle(bert);
    dropState(bert);
    await isIdle(bert);
    assert.equal(bert.readTranscript(FIRST), before);
    await recall(anna, [FIRST]);
    assert.equal((await bert.push()).pushed, 1, "now they are wanted");
    await anna.pull();
    assert.equal(anna.readTranscript(FIRST), before);
  }));

Deno.test("a pull after a recall replaces no turns that were never sent", () =>
  withShared(async ([anna, bert]) => {
    speak(bert, FIRST, "never sent");
    const before = bert.readTranscript(FIRST);
    await forget(bert, [FIRST]);
    await isIdle(bert);
    await recall(anna, [FIRST]);
    await bert.sync();
    await anna.pull();
    for (const machine of [anna, bert]) assert.equal(machine.readTranscript(FIRST), before);
  }));

Deno.test("a recall brings everything back, on all machines and in whatever state they are", () =>
  withShared(async ([anna, bert, cleo]) => {
    await forget(anna, [FIRST]);
    rmSync(join(cleo.configDir, "projects"), { recursive: true });
    dropState(cleo);
    await cleo.sync();
    const [row] = await listForgotten(cleo.context());
    assert.deepEqual([row!.id, row!.by, row!.daysLeft, row!.isHere], [FIRST, "anna", 30, false]);
    assert.deepEqual(await recall(bert, [FIRST]), [FIRST]);
    assert.deepEqual(await listForgotten(bert.context()), []);
    assert.deepEqual(await recall(bert, [FIRST]), [], "once is enough");
    await cleo.sync();
    assert.equal(cleo.readTranscript(FIRST), anna.readTranscript(FIRST));
    for (const machine of [anna, bert, cleo]) {
      await isIdle(machine);
      assert.equal((await listed(machine))[FIRST], "both");
    }
  }));

Deno.test("what can be brought back is told with what was forgotten last first", () =>
  withShared(async ([anna, bert], world) => {
    await forget(anna, [OTHER]);
    world.clock.advance(HOUR_MS);
    await forget(anna, [FIRST]);
    await bert.sync();
    const told = async () => (await listForgotten(bert.context())).map(({ id }) => id);
    assert.deepEqual(await told(), [FIRST, OTHER]);
    await recall(anna, [OTHER]);
    world.clock.advance(HOUR_MS);
    await forget(anna, [OTHER]);
    await bert.sync();
    assert.deepEqual(await told(), [OTHER, FIRST]);
  }));

Deno.test("after a compaction it is not pushed again, but whole when somebody goes on", () =>
  withShared(async ([anna, bert], world) => {
    await forget(anna, [FIRST]);
    await bert.sync();
    assert.equal(await compactIndex(bert, [FIRST, OTHER]), 0, "not yet");
    for (let day = 0; day < 30; day++) {
      world.clock.advance(DAY_MS);
      await bert.pull();
    }
    assert.ok(await compactIndex(bert, [FIRST, OTHER]) >= 4);
    assert.deepEqual(await listForgotten(bert.context()), []);
    await isIdle(bert);
    speak(bert, FIRST, "after all");
    const push = await bert.push();
    assert.equal(push.pushed, 1);
    // What bert pushed stands alone: nothing of it leads back to what is gone.
    assert.equal(await compactIndex(bert, [FIRST]), 0);
    const other = [...(await historyFrom(bert, FIRST))];
    assert.deepEqual(other, [
      "side/subagents/agent-a1.jsonl",
      "todos/@-agent-@.json",
      "transcript",
    ]);
  }));

/** Files of a session that the machine's index can put together. */
async function historyFrom(machine: SyncMachine, session: string): Promise<string[]> {
  const { withFreshVault } = await import("../../src/sync/fresh_vault.ts");
  return await withFreshVault(machine.context(), "left", ({ vault }) => {
    const files = vault.index.files(session).filter((file) => file !== "history");
    for (const file of files) {
      const [leaf] = vault.index.leaves(session, file);
      assert.notEqual(vault.index.chain(session, file, leaf!), null, file);
    }
    return Promise.resolve(files);
  });
}

Deno.test("a session that is open here is not forgotten", () =>
  withShared(async ([anna, bert]) => {
    const start = { sessionId: FIRST, pid: process.pid };
    bert.write(`sessions/${process.pid}.json`, JSON.stringify(start));
    assert.equal(await codeOf(forget(bert, [FIRST])), "busy");
    const all = await forget(bert, [], { beforeMs: bert.platform.clock.nowMs() });
    assert.deepEqual(all.sessions.map(({ id }) => id), [OTHER]);
    assert.deepEqual(all.failures.map(({ sessionId, code }) => [sessionId, code]), [[
      FIRST,
      "busy",
    ]]);
    await anna.sync();
    assert.equal((await listed(anna))[FIRST], "both");
  }));

Deno.test("what is not in the vault, or fits nothing or too much, is said", () =>
  withShared(async ([anna]) => {
    const here = "33333333-3333-4333-8333-333333333333";
    speak(anna, here, "only here");
    assert.equal(await codeOf(forget(anna, [here])), "not-found");
    assert.equal(await codeOf(forget(anna, ["4444"])), "not-found");
    assert.equal(await codeOf(forget(anna, ["no", "such", "title"])), "not-found");
    assert.equal(await codeOf(forget(anna, [], {})), "usage");
    assert.equal(await codeOf(forget(anna, [], { project: "nowhere" })), "not-found");
    const { sessions } = await forget(anna, ["another"], { dryRun: true });
    assert.deepEqual(sessions.map(({ id }) => id), [OTHER]);
  }));

Deno.test("what went on while the user was asked is not forgotten", () =>
  withShared(async ([anna, bert]) => {
    const plan = await forget(anna, [], {
      beforeMs: anna.platform.clock.nowMs() + DAY_MS,
      dryRun: true,
    });
    assert.deepEqual(plan.sessions.map(({ id }) => id).sort(), [FIRST, OTHER]);
    speak(bert, FIRST, "said while anna reads the question");
    await bert.push();
    const only = plan.sessions;
    const done = await forget(anna, [], { beforeMs: anna.platform.clock.nowMs() + DAY_MS, only });
    assert.deepEqual(done.sessions.map(({ id }) => id), [OTHER]);
    assert.deepEqual(done.failures.map(({ sessionId, code }) => [sessionId, code]), [
      [FIRST, "busy"],
    ]);
    assert.match(done.failures[0]!.message, /went on since you were asked/);
    assert.equal((await listed(anna))[FIRST], "vault-newer");
    const named = forget(anna, [FIRST], { only });
    await assert.rejects(
      named,
      (error: ClaudeSyncError) =>
        error.code === "busy" && /^Look at it again/.test(error.hint ?? ""),
    );
    await anna.pull();
    assert.match(anna.readTranscript(FIRST), /said while anna reads/);
  }));

Deno.test("only what was shown and confirmed is forgotten", () =>
  withShared(async ([anna]) => {
    const request = { beforeMs: anna.platform.clock.nowMs() };
    const plan = await forget(anna, [], { ...request, dryRun: true });
    const done = await forget(anna, [], {
      ...request,
      only: plan.sessions.filter(({ id }) => id === OTHER),
    });
    assert.deepEqual(done.sessions.map(({ id }) => id), [OTHER]);
    assert.equal((await listed(anna))[FIRST], "both");
  }));
