/** Forgetting one of several continuations, and plans and memories with their sessions. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { syncService } from "../../src/sync/service.ts";
import { changedStore } from "../support/changed_store.ts";
import { dropState, forget, listed, recall, speak } from "../support/forget_world.ts";
import { inTempDir, SyncMachine } from "../support/sync_machine.ts";
import { newWorld, objectsOf, type SyncWorld } from "../support/sync_world.ts";

const FIRST = "11111111-1111-4111-8111-111111111111";
const SECOND = "22222222-2222-4222-8222-222222222222";
const PLAN = "quiet-walking-hare";

type Machines = [SyncMachine, SyncMachine, SyncMachine];

/** anna and bert went on with one session apart; cleo has bert's continuation and is offline. */
async function withBranch(
  work: (machines: Machines, branch: string, world: SyncWorld) => Promise<void>,
): Promise<void> {
  await inTempDir(async (dir) => {
    const world = await newWorld(dir, { names: ["anna", "bert", "cleo"] });
    const machines = world.machines as unknown as Machines;
    const [anna, bert, cleo] = machines;
    speak(anna, FIRST, "base");
    await anna.push();
    await bert.pull();
    speak(bert, FIRST, "from bert");
    await bert.push();
    await cleo.pull();
    world.clock.advance(-1000);
    speak(anna, FIRST, "from anna");
    world.clock.advance(1000);
    await anna.sync();
    await bert.sync();
    const branch = Object.keys(await listed(anna)).find((id) => id !== FIRST)!;
    assert.match(anna.readTranscript(branch), /from bert/);
    assert.match(bert.readTranscript(FIRST), /from anna/);
    await work(machines, branch, world);
  });
}

async function quietly(machine: SyncMachine): Promise<void> {
  const { pull, push } = await machine.sync();
  assert.deepEqual([...pull.failures, ...push.failures], []);
  assert.equal(push.bytes.sent, 0);
}

Deno.test("a forgotten branch goes alone, and no machine pushes its copy", () =>
  withBranch(async ([anna, bert], branch) => {
    const before = [anna, bert].map((machine) => machine.files());
    const { sessions } = await forget(anna, [branch]);
    assert.deepEqual(sessions.map(({ id, of }) => [id, of]), [[branch, null]]);
    for (const [at, machine] of [anna, bert].entries()) {
      await quietly(machine);
      assert.deepEqual(machine.files(), before[at]);
      assert.deepEqual(await listed(machine), { [FIRST]: "both", [branch]: "here, forgotten" });
      dropState(machine);
      assert.equal((await machine.push()).bytes.sent, 0);
      await quietly(machine);
      assert.deepEqual(machine.files(), before[at]);
    }
    assert.deepEqual(await recall(bert, [branch]), [FIRST, branch].sort());
    for (const machine of [anna, bert]) {
      // Without its state it cannot tell the copy from words that were never sent: it is stored.
      await machine.sync();
      await quietly(machine);
      assert.deepEqual(machine.files(), before[machine === anna ? 0 : 1]);
      assert.deepEqual(await listed(machine), { [FIRST]: "both", [branch]: "both" });
    }
  }));

/** Files of `machine` that are not in `before`; what was there is as it was. */
function added(machine: SyncMachine, before: Record<string, string>): [string, string][] {
  const now = machine.files();
  for (const [path, text] of Object.entries(before)) assert.equal(now[path], text, path);
  return Object.entries(now).filter(([path]) => !(path in before));
}

Deno.test("a file that is a forgotten continuation stays, and the other one stands beside it", () =>
  withBranch(async ([anna, , cleo], branch) => {
    await forget(anna, [branch]);
    const before = cleo.files();
    const { pull } = await cleo.sync();
    const [copy, ...others] = added(cleo, before);
    assert.deepEqual(others, []);
    assert.match(copy![1], /from anna/);
    assert.match(copy![1], /\(from anna\)/, "the title says where it comes from");
    assert.deepEqual(pull.branchSessions.map(({ of, how }) => [of, how]), [[FIRST, "forgotten"]]);
    assert.equal(pull.pulled, 1);
    const after = cleo.files();
    for (let round = 0; round < 2; round++) {
      await quietly(cleo);
      assert.deepEqual(cleo.files(), after, "cleo keeps what bert said");
      assert.equal((await cleo.sync()).pull.bytes.received, 0, "and knows what to do");
    }
    const { unreceived, unsent } = await syncService.status(cleo.context());
    assert.deepEqual([unreceived, unsent], [0, 0]);
    dropState(cleo);
    await cleo.sync();
    await quietly(cleo);
    assert.deepEqual(cleo.files(), after);
    await anna.sync();
    assert.deepEqual(Object.keys(await listed(anna)).sort(), [FIRST, branch].sort());
    speak(cleo, FIRST, "from cleo");
    await cleo.sync();
    await anna.sync();
    const all = Object.values(anna.files()).join("");
    assert.match(all, /from cleo/, "who goes on with it brings it back");
  }));

/**
 * anna has forgotten what bert has only the beginning of, who has gone on from there since. `tail`
 * is what stands at the end of anna's file.
 */
async function withRevived(
  tail: (anna: SyncMachine) => void,
  work: (anna: SyncMachine, bert: SyncMachine) => Promise<void>,
): Promise<void> {
  await inTempDir(async (dir) => {
    const [anna, bert] = (await newWorld(dir)).machines as [SyncMachine, SyncMachine];
    speak(anna, FIRST, "base");
    await anna.push();
    await bert.pull();
    tail(anna);
    await anna.push();
    speak(bert, FIRST, "from bert");
    await forget(anna, [FIRST]);
    await bert.push();
    await work(anna, bert);
  });
}

Deno.test("what another machine goes on with arrives where a forgotten end stays", () =>
  withRevived((anna) => speak(anna, FIRST, "from anna"), async (anna, bert) => {
    const before = anna.files();
    await anna.sync();
    const [copy, ...others] = added(anna, before);
    assert.deepEqual(others, []);
    assert.match(copy![1], /base[^]*from bert/);
    assert.doesNotMatch(copy![1], /from anna/);
    const id = /([0-9a-f-]{36})\.jsonl$/.exec(copy![0])![1]!;
    // Turns on both sides go on from there.
    speak(bert, FIRST, "more of bert");
    await bert.sync();
    await anna.sync();
    const grown = anna.readTranscript(id);
    assert.ok(grown.startsWith(copy![1]), "it grows");
    assert.match(grown, /more of bert/);
    speak(anna, id, "anna again");
    assert.equal((await anna.sync()).push.pushed, 1);
    await bert.sync();
    assert.match(bert.readTranscript(FIRST), /more of bert[^]*anna again/);
    assert.doesNotMatch(bert.readTranscript(FIRST), /from anna/);
    assert.deepEqual(Object.keys(await listed(bert)), [FIRST]);
    for (const machine of [anna, bert]) {
      await quietly(machine);
      assert.deepEqual((await machine.verify()).problems, []);
    }
    assert.equal(anna.readTranscript(FIRST), before[forgottenPath(anna)], "the forgotten end");
    assert.match(anna.readTranscript(id), /anna again/);
  }));

function forgottenPath(machine: SyncMachine): string {
  return machine.transcriptPath(FIRST).slice(machine.configDir.length + 1);
}

Deno.test("a forgotten end whose lines others have is continued in its place", () =>
  withRevived(() => {}, async (anna, bert) => {
    const { pull } = await anna.sync();
    assert.deepEqual(pull.branchSessions, []);
    assert.equal(anna.readTranscript(FIRST), bert.readTranscript(FIRST));
    assert.deepEqual(Object.keys(await listed(anna)), [FIRST]);
    await quietly(anna);
  }));

// The simulation, seed 6005451: the lines were replaced, and nobody else had them.
Deno.test("a forgotten end keeps its place when it has a line that nobody else has", () => {
  const leave = (anna: SyncMachine) =>
    anna.writeTranscript(FIRST, `${anna.readTranscript(FIRST)}{"type":"mode","mode":"plan"}\n`);
  return withRevived(leave, async (anna, bert) => {
    const before = anna.files();
    await anna.sync();
    const [copy, ...others] = added(anna, before);
    assert.deepEqual(others, []);
    assert.match(copy![1], /base[^]*from bert/);
    assert.equal(anna.readTranscript(FIRST), before[forgottenPath(anna)]);
    await quietly(anna);
    await bert.sync();
    assert.deepEqual(Object.keys(await listed(bert)), [FIRST]);
  });
});

// The simulation, seed 9002781: the copy's id was that of a branch, which was forgotten as well.
Deno.test("what stands beside a forgotten end stands beside its forgotten branch, too", () =>
  withBranch(async ([anna, bert, cleo], branch) => {
    speak(bert, branch, "bert again");
    await bert.sync();
    await anna.sync();
    await forget(anna, [FIRST]);
    speak(cleo, FIRST, "from cleo");
    await cleo.push();
    const before = anna.files();
    const { pull } = await anna.sync();
    assert.deepEqual(pull.failures, []);
    const [copy, ...others] = added(anna, before);
    assert.deepEqual(others, []);
    assert.match(copy![1], /base[^]*from bert[^]*from cleo/);
    assert.doesNotMatch(copy![1], /bert again|from anna/);
    const after = anna.files();
    for (let round = 0; round < 2; round++) {
      await quietly(anna);
      assert.deepEqual(anna.files(), after);
    }
    dropState(anna);
    await anna.sync();
    await quietly(anna);
    assert.deepEqual(anna.files(), after);
    await cleo.sync();
    assert.deepEqual(Object.keys(await listed(cleo)), [FIRST]);
  }));

Deno.test("a session goes with its branches, which are shown", () =>
  withBranch(async ([anna, bert, cleo], branch) => {
    const { sessions } = await forget(bert, [FIRST]);
    assert.deepEqual(sessions.map(({ id, of }) => [id, of]), [[FIRST, null], [branch, FIRST]]);
    for (const machine of [anna, bert, cleo]) {
      await quietly(machine);
      const all = Object.values(await listed(machine));
      assert.ok(all.every((where) => where === "here, forgotten"), machine.name);
      dropState(machine);
      await quietly(machine);
    }
    await recall(anna, [branch]);
    await anna.sync();
    await quietly(anna);
    assert.deepEqual(await listed(anna), { [FIRST]: "both", [branch]: "both" });
  }));

Deno.test("a branch that somebody goes on with comes back under its own id", () =>
  withBranch(async ([anna, bert], branch) => {
    await forget(anna, [branch]);
    await bert.sync();
    speak(bert, branch, "once more");
    assert.equal((await bert.push()).pushed, 1);
    await anna.sync();
    assert.match(anna.readTranscript(branch), /once more/);
    assert.doesNotMatch(anna.readTranscript(FIRST), /from bert/);
    assert.deepEqual((await anna.verify()).problems, []);
  }));

/** anna has two sessions that name the plan, a memory, and all of it is pushed. */
async function withShelves(
  work: (anna: SyncMachine, bert: SyncMachine) => Promise<void>,
): Promise<void> {
  await inTempDir(async (dir) => {
    const world = await newWorld(dir);
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    for (const id of [FIRST, SECOND]) {
      speak(anna, id, "hello");
      const text = anna.readTranscript(id);
      anna.writeTranscript(id, `${text}{"type":"user","slug":"${PLAN}"}\n`);
    }
    anna.write(`plans/${PLAN}.md`, "the plan\n");
    const memory = join(anna.transcriptPath(FIRST), "..", "memory").slice(
      anna.configDir.length + 1,
    );
    anna.write(`${memory}/MEMORY.md`, "the memory\n");
    await anna.push();
    await work(anna, bert);
  });
}

Deno.test("a plan stays while another session names it, and goes with the last one", () =>
  withShelves(async (anna, bert) => {
    assert.equal((await forget(anna, [FIRST])).otherFiles, 0);
    await bert.pull();
    assert.ok(existsSync(join(bert.configDir, "plans", `${PLAN}.md`)));
    // bert does not have the first session; anna, who has both, knows that none is left.
    assert.equal((await forget(anna, [SECOND])).otherFiles, 1);
    dropState(anna);
    const push = await anna.push();
    assert.deepEqual([push.otherFiles, push.pushed, push.failures], [0, 0, []]);
    assert.equal(readFileSync(join(anna.configDir, "plans", `${PLAN}.md`), "utf8"), "the plan\n");
  }));

Deno.test("a machine that has not all sessions of the project leaves the plan alone", () =>
  withShelves(async (anna, bert) => {
    await bert.pull({ sessions: [SECOND] });
    assert.equal((await forget(bert, [SECOND])).otherFiles, 0);
    await anna.sync();
    assert.equal((await listed(anna))[FIRST], "both");
  }));

Deno.test("a whole project goes with its memory and plans, and comes back with a new memory", () =>
  withShelves(async (anna, bert) => {
    const [project] = await syncService.projectList(anna.context());
    const done = await forget(anna, [], { project: project!.key });
    assert.deepEqual([done.sessions.length, done.otherFiles, done.project], [2, 2, project!.name]);
    const pull = await bert.pull({ all: true });
    assert.deepEqual([pull.pulled, pull.otherFiles, Object.keys(bert.files())], [0, 0, []]);
    dropState(anna);
    const push = await anna.push();
    assert.deepEqual([push.pushed, push.otherFiles], [0, 0]);
    const again = await forget(anna, [], { project: project!.name });
    assert.deepEqual([again.sessions.length, again.otherFiles], [0, 0]);
    const memory = join(anna.transcriptPath(FIRST), "..", "memory").slice(
      anna.configDir.length + 1,
    );
    anna.write(`${memory}/MEMORY.md`, "another memory\n");
    assert.equal((await anna.push()).otherFiles, 1);
  }));

// The simulation, seed 1000146: the branch was taken for one that every machine can make.
Deno.test("a pull after a recall replaces no turns of a branch that were never sent", () =>
  withBranch(async ([anna, bert], branch) => {
    speak(anna, branch, "never sent");
    const before = anna.readTranscript(branch);
    await forget(anna, [FIRST]);
    await anna.sync();
    await bert.sync();
    await recall(bert, [FIRST]);
    await anna.sync();
    await bert.sync();
    for (const machine of [anna, bert]) assert.equal(machine.readTranscript(branch), before);
  }));

// The simulation, seed 1007383: such a session was decided as a family without a transcript, and
// every pull ended with "bug".
Deno.test("a session of which only a file and a branch are not forgotten stops no pull", () =>
  withBranch(async ([anna, bert], branch, { store, clock }) => {
    let shown: ReadonlySet<string> | null = null;
    const dora = new SyncMachine({
      name: "dora",
      dir: dirname(anna.home),
      clock,
      store: () =>
        Promise.resolve(changedStore(store, {
          list: async function* (prefix, options) {
            for await (const info of store.list(prefix, options)) {
              if (shown?.has(info.name) !== false) yield info;
            }
          },
        })),
    });
    await dora.join(anna);
    await dora.pull({ all: true });
    shown = new Set((await objectsOf(store)).keys());
    await forget(anna, [FIRST]);
    // Dora does not know of that yet.
    speak(dora, branch, "goes on");
    const path = dora.transcriptPath(FIRST).slice(dora.configDir.length + 1, -".jsonl".length);
    dora.write(join(path, "tool-results", "1.txt"), "output");
    assert.deepEqual((await dora.push()).failures, []);
    for (const machine of [anna, bert]) {
      const { pull, push } = await machine.sync();
      assert.deepEqual([...pull.failures, ...push.failures], []);
    }
    const all = [anna, bert].map((machine) => Object.values(machine.files()).join(""));
    for (const files of all) assert.match(files, /goes on/);
  }));
