import assert from "node:assert/strict";
import type { Machine } from "./machine.ts";
import { says, type Transcript } from "./transcript.ts";
import { clientTest, MACHINE_B } from "./world.ts";

/** Rounds of pulling and pushing in which two machines must have come to the same. */
const ROUNDS_LIMIT = 3;

for (const order of ["A then B", "B then A"] as const) {
  clientTest(`two continuations of a session both resume, synced ${order}`, {}, async (world) => {
    const { a, b } = world;
    await a.claude("common ground");
    const { sessionId } = await a.onlySession();
    await world.arrives(sessionId, a, b);
    // Without hooks, so that neither machine hears of the other's turn before both are spoken.
    const alone = ["--settings", '{"disableAllHooks":true}', "--resume", sessionId];
    await a.claude(...alone, "only said on A");
    await b.claude(...alone, "only said on B");
    const spoken = [await a.transcript(sessionId), await b.transcript(sessionId)];

    await converge(order === "A then B" ? [a, b] : [b, a]);
    const branches = await a.transcripts();
    assert.equal(branches.length, 2, branches.map(({ path }) => path).join(", "));
    assertNothingLost(spoken, branches);
    const kept = branches.find((branch) => branch.sessionId === sessionId);
    const other = branches.find((branch) => branch.sessionId !== sessionId);
    assert.ok(kept && says(kept, "only said on A"), "the older continuation keeps the id");
    assert.ok(other && says(other, "only said on B"), "the younger one has a session of its own");
    for (
      const [machine, branch, words] of [
        [a, other, "only said on B"],
        [b, kept, "only said on A"],
      ] as const
    ) {
      await machine.claude("--resume", branch.sessionId, `which one is ${branch.sessionId}`);
      const shown = machine.shownBefore(`which one is ${branch.sessionId}`);
      const prompts = shown.filter(({ role }) => role === "user").map(({ text }) => text);
      assert.deepEqual(prompts, ["common ground", words]);
    }
  });
}

clientTest("the picker shows both continuations of a session", {}, async (world) => {
  const { a, b } = world;
  const sessionId = await speak(a, [], "shared start");
  await world.arrives(sessionId, a, b);
  const alone = ["--settings", '{"disableAllHooks":true}', "--resume", sessionId];
  await speak(a, alone, "left turn");
  await speak(b, alone, "right turn");
  await converge([a, b]);
  const picker = await b.openClaude("--resume");
  await picker.shows(/left turn/);
  // The younger continuation has a title that names the machine on which it was spoken.
  const screen = await picker.shows(/(ago|now) ·[^]*(ago|now) ·/);
  assert.ok(screen.includes(MACHINE_B), screen);
  await picker.close();
});

clientTest("a session open on A is left alone until the client ends", {}, async (world) => {
  const { a, b } = world;
  const sessionId = await speak(a, [], "A stays here");
  await world.arrives(sessionId, a, b);
  const open = await a.openClaude("--resume", sessionId);
  await open.shows(/Heard: A stays here/);
  await b.claude("--resume", sessionId, "meanwhile on B");
  await b.allPushed();
  const before = await a.transcript(sessionId);
  const answer = await a.syncJson("pull");
  assert.equal(answer["waiting"], 1, JSON.stringify(answer));
  assert.equal((await a.transcript(sessionId)).text, before.text);
  await open.type("/exit");
  await open.ended();
  await converge([a, b]);
  await a.claude("--resume", sessionId, "what did B say?");
  const shown = a.shownBefore("what did B say?").map(({ text }) => text);
  assert.ok(shown.includes("Heard: meanwhile on B"), shown.join(" | "));
});

/** Pulls and pushes in turn until both machines have the same transcripts, byte for byte. */
async function converge(machines: readonly Machine[]): Promise<void> {
  let states: string[] = [];
  for (let round = 0; round < ROUNDS_LIMIT; round++) {
    for (const machine of machines) await machine.sync("sync");
    for (const machine of machines) await machine.sync("pull");
    const all = await Promise.all(machines.map((machine) => machine.transcripts()));
    states = all.map((some) => some.map(({ sessionId, text }) => `${sessionId}\n${text}`).join());
    if (states.every((state) => state === states[0])) return;
  }
  assert.equal(states[0], states[1], "the machines have not come to the same transcripts");
}

/** Every record that was on either machine is in one of the sessions now. */
function assertNothingLost(before: readonly Transcript[], after: readonly Transcript[]): void {
  const kept = new Set(after.flatMap(({ records }) => records.map(({ uuid }) => uuid)));
  for (const { records } of before) {
    for (const { uuid, type } of records) {
      if (uuid !== undefined) assert.ok(kept.has(uuid), `the ${type} record ${uuid} is gone`);
    }
  }
}

/** Says one thing in the interactive client and leaves; returns the session's id. */
async function speak(machine: Machine, args: readonly string[], prompt: string): Promise<string> {
  const terminal = await machine.openClaude(...args);
  await terminal.shows(/^❯/m);
  await terminal.type(prompt);
  await terminal.shows(new RegExp(`Heard: ${prompt}`));
  await terminal.type("/exit");
  await terminal.ended();
  const spoken = (await machine.transcripts()).filter((transcript) => says(transcript, prompt));
  assert.equal(spoken.length, 1, `"${prompt}" is in one session`);
  return spoken[0]!.sessionId;
}
