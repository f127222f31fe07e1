import assert from "node:assert/strict";
import { speakOn } from "./conversation.ts";
import type { Machine } from "./machine.ts";
import { says, type Transcript } from "./transcript.ts";
import { clientTest, MACHINE_A, MACHINE_B } from "./world.ts";

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
  const sessionId = await speakOn(a, [], "shared start");
  await world.arrives(sessionId, a, b);
  const alone = ["--settings", '{"disableAllHooks":true}', "--resume", sessionId];
  await speakOn(a, alone, "left turn");
  await speakOn(b, alone, "right turn");
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
  const sessionId = await speakOn(a, [], "A stays here");
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

clientTest("a turn spoken to an outdated view becomes a session of its own", {}, async (world) => {
  const { a, b } = world;
  const sessionId = await speakOn(a, [], "common");
  await world.arrives(sessionId, a, b);
  const open = await a.openClaude("--resume", sessionId);
  await open.shows(/Heard: common/);
  await speakOn(b, ["--resume", sessionId], "on B meanwhile");
  await b.allPushed();
  await open.type("on A, not knowing");
  await open.shows(/Heard: on A, not knowing/);
  await open.type("/exit");
  await open.ended();
  await converge([a, b]);
  const title = `common (from ${MACHINE_A})`;
  for (const machine of [a, b]) {
    assert.ok(says(await machine.transcript(sessionId), "Heard: on B meanwhile"));
    const { sessions } = await machine.syncJson("list") as { sessions: { title: string }[] };
    assert.deepEqual(sessions.map((session) => session.title).sort(), ["common", title]);
  }
  const picker = await b.openClaude("--resume");
  await picker.shows(new RegExp(title.replace(/[()]/g, "\\$&")));
  await picker.press("Enter");
  await picker.shows(/Heard: on A, not knowing/);
  await picker.close();
});

clientTest("pull names the session that it made of a continuation", {}, async (world) => {
  const { a, b } = world;
  await a.claude("one beginning");
  const { sessionId } = await a.onlySession();
  await world.arrives(sessionId, a, b);
  const alone = ["--settings", '{"disableAllHooks":true}', "--resume", sessionId];
  await a.claude(...alone, "A's end");
  await b.claude(...alone, "B's end");
  await a.sync("push");
  const answer = await b.syncJson("pull");
  assert.equal(answer["branches"], 1);
  const [made] = answer["branchSessions"] as { id: string; of: string; title: string }[];
  assert.equal(made?.of, sessionId);
  assert.equal(made?.title, `one beginning (from ${MACHINE_B})`);
  assert.ok(says(await b.transcript(made.id), "Heard: B's end"));
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
