/** Branches that the vault made once and nobody wants any more: what stays where. */
import assert from "node:assert/strict";
import { appendFileSync, writeFileSync } from "node:fs";
import { syncService } from "../../src/sync/service.ts";
import { forget, speak } from "../support/forget_world.ts";
import { inTempDir, said, type SyncMachine } from "../support/sync_machine.ts";
import { newWorld, type SyncWorld } from "../support/sync_world.ts";

const SESSION = "11111111-1111-4111-8111-111111111111";
const PLAN = "quick-fox";
const PLAN_FILE = `plans/${PLAN}.md`;
const MODE = JSON.stringify({ type: "mode", mode: "normal", sessionId: SESSION }) + "\n";
const HOUR_MS = 3_600_000;

type Machines = [SyncMachine, SyncMachine, SyncMachine];

async function withThree(
  work: (machines: Machines, world: SyncWorld) => Promise<void>,
): Promise<void> {
  await inTempDir(async (dir) => {
    const world = await newWorld(dir, { names: ["anna", "bert", "cleo"] });
    await work(world.machines as unknown as Machines, world);
  });
}

/** Syncs until nothing moves. */
async function settle(machines: readonly SyncMachine[]): Promise<void> {
  for (let round = 0; round < 3; round++) for (const machine of machines) await machine.sync();
  for (const machine of machines) {
    const { pull, push } = await machine.sync();
    assert.deepEqual([pull.pulled, push.bytes.sent, pull.failures, push.failures], [0, 0, [], []]);
  }
}

function branchesOn(machine: SyncMachine): string[] {
  const paths = Object.keys(machine.files()).join("\n");
  const ids = [...paths.matchAll(/([0-9a-f-]{36})\.jsonl$/gm)].map((match) => match[1]!);
  return ids.filter((id) => id !== SESSION).sort();
}

// Seed 3002993 of the simulation: its checker took the one that is left for a difference.
Deno.test("a branch of an answer that its machine lost stays where it is and comes to nobody", () =>
  withThree(async ([anna, bert, cleo], { clock }) => {
    speak(anna, SESSION, "start");
    await anna.push();
    for (const machine of [bert, cleo]) await machine.pull();
    const before = bert.readTranscript(SESSION)!;
    const answer = (machine: SyncMachine, text: string, atMs: number) => {
      const facts = { session: SESSION, cwd: machine.project, atMs };
      appendFileSync(machine.transcriptPath(SESSION), said("assistant", text, facts));
    };
    const nowMs = clock.nowMs();
    answer(cleo, "of cleo", nowMs - 2000);
    answer(bert, "of bert", nowMs - 1000);
    clock.advance(HOUR_MS);
    await bert.push();
    await cleo.sync();
    const [branch, ...others] = branchesOn(cleo);
    assert.deepEqual(others, []);
    assert.match(cleo.readTranscript(branch!)!, /of bert/);
    // As after a power cut, before anything else was synced there.
    writeFileSync(bert.transcriptPath(SESSION), before + MODE);
    clock.advance(HOUR_MS);
    await bert.push();
    await settle([bert, anna, cleo]);
    for (const machine of [anna, bert]) {
      assert.deepEqual(branchesOn(machine), []);
      assert.match(machine.readTranscript(SESSION)!, /of cleo/);
    }
    assert.deepEqual(branchesOn(cleo), [branch], "nothing is ever removed");
    const { versions } = await syncService.restoreVersions(anna.context(), [SESSION]);
    assert.ok(versions.some(({ kind }) => kind === "rewritten"), "it can be restored");
  }));

// Seeds 9004674 and 9016611 of the simulation: its checker took such a plan for a difference.
Deno.test("a plan that only a branch of no use names stays beside it and comes to nobody", () =>
  withThree(async ([anna, bert, cleo], { clock }) => {
    speak(anna, SESSION, "start");
    await anna.push();
    for (const machine of [bert, cleo]) await machine.pull();
    const before = bert.readTranscript(SESSION)!;
    const nowMs = clock.nowMs();
    const answer = (machine: SyncMachine, text: string, atMs: number) =>
      said("assistant", text, { session: SESSION, cwd: machine.project, atMs });
    appendFileSync(cleo.transcriptPath(SESSION), answer(cleo, "of cleo", nowMs - 2000));
    const planned = { ...JSON.parse(answer(bert, "of bert", nowMs - 1000)), slug: PLAN };
    appendFileSync(bert.transcriptPath(SESSION), JSON.stringify(planned) + "\n");
    bert.write(PLAN_FILE, "the plan\n");
    clock.advance(HOUR_MS);
    await bert.push();
    await cleo.sync();
    const [branch] = branchesOn(cleo);
    assert.match(cleo.readTranscript(branch!)!, /of bert/);
    assert.equal(cleo.files()[PLAN_FILE], "the plan\n", "a branch names it as its session does");
    // The client takes the record that names it out again.
    writeFileSync(bert.transcriptPath(SESSION), before + MODE);
    clock.advance(HOUR_MS);
    await settle([bert, anna, cleo]);
    assert.deepEqual(branchesOn(cleo), [branch], "nothing is ever removed");
    for (const machine of [bert, cleo]) assert.equal(machine.files()[PLAN_FILE], "the plan\n");
    assert.deepEqual(branchesOn(anna), []);
    assert.equal(anna.files()[PLAN_FILE], undefined);
    const { failures } = await anna.pull({ all: true });
    assert.deepEqual([failures, anna.files()[PLAN_FILE]], [[], undefined], "nobody asks for it");
  }));

for (const isTorn of [true, false]) {
  const [what, where] = isTorn ? ["half a line", "nobody"] : ["a line", "everybody"];
  // Seed 9013678 of the simulation: its checker took the torn line for something that was said.
  Deno.test(`a branch that says ${what} more than its session comes to ${where}`, () =>
    withThree(async ([anna, bert, cleo], { clock }) => {
      speak(anna, SESSION, "start");
      await anna.push();
      await bert.pull();
      const line = (machine: SyncMachine, text: string, session: string) =>
        said("user", text, { session, cwd: machine.project, atMs: clock.nowMs() });
      appendFileSync(anna.transcriptPath(SESSION), line(anna, "of anna", SESSION));
      clock.advance(1000);
      const ofBert = line(bert, "of bert", SESSION);
      appendFileSync(bert.transcriptPath(SESSION), ofBert);
      clock.advance(HOUR_MS);
      await bert.push();
      await anna.sync();
      const [branch] = branchesOn(anna) as [string];
      const whole = line(anna, "one more", branch);
      const last = isTorn ? whole.slice(0, whole.indexOf("one more") + 4) : whole;
      appendFileSync(anna.transcriptPath(branch), last);
      clock.advance(HOUR_MS);
      await anna.push();
      // The session gets what the branch says but for that.
      await bert.pull();
      appendFileSync(bert.transcriptPath(SESSION), ofBert);
      clock.advance(HOUR_MS);
      await settle([bert, anna, cleo]);
      assert.ok(anna.readTranscript(branch)!.endsWith(last), "nothing is ever removed");
      const told = branchesOn(cleo).map((id) => spokenIn(cleo, id));
      assert.deepEqual(told.map((text) => text.includes("one more")), isTorn ? [] : [true]);
      assert.match(cleo.readTranscript(SESSION)!, /of anna[^]*of bert/);
    }));
}

// Seed 3004218 of the simulation: its checker took the two that are left for a difference.
Deno.test("a branch may get other ids when its session is forgotten and gone on with", () =>
  withThree(async (machines, { clock }) => {
    const [anna, bert, cleo] = machines;
    speak(anna, SESSION, "start");
    await anna.push();
    for (const machine of [bert, cleo]) await machine.pull();
    speak(cleo, SESSION, "of cleo");
    await cleo.push();
    clock.advance(-1000);
    speak(anna, SESSION, "of anna");
    clock.advance(1000);
    await anna.sync();
    await bert.sync();
    const [branch] = branchesOn(anna) as [string];
    assert.match(bert.readTranscript(branch), /of cleo/);
    await forget(anna, [SESSION, branch]);
    clock.advance(HOUR_MS);
    speak(cleo, SESSION, "more of cleo");
    clock.advance(HOUR_MS);
    speak(anna, branch, "more of anna");
    clock.advance(HOUR_MS);
    speak(bert, branch, "more of bert");
    for (const machine of machines) await machine.push();
    await settle(machines);
    // The others keep what anna wished to forget, in place of what cleo went on with.
    assert.match(cleo.readTranscript(SESSION), /more of cleo/);
    const ids = branchesOn(cleo);
    const told = ids.map((id) => spokenIn(cleo, id)).join();
    for (const { name } of [anna, bert]) assert.ok(told.includes(`more of ${name}`), name);
    assert.equal(ids.length, 2, "one for each who went on with it");
    assert.ok(!ids.includes(branch));
    for (const machine of [anna, bert]) {
      const all = branchesOn(machine);
      for (const id of [...ids, branch]) assert.ok(all.includes(id), `${id} on ${machine.name}`);
      const told = ids.map((id) => spokenIn(machine, id)).join();
      for (const { name } of [anna, bert]) assert.ok(told.includes(`more of ${name}`), name);
    }
  }));

/** What was said in a session, whatever it is called. */
function spokenIn(machine: SyncMachine, session: string): string {
  return [...machine.readTranscript(session).matchAll(/"(?:content|text)":"([^"]*)"/g)]
    .map(([, text]) => text).join("; ");
}
