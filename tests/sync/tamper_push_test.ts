/** What a push and a pull make of a changed object that they read only to compare. */
import assert from "node:assert/strict";
import type { Failure } from "../../src/sync/api.ts";
import { said } from "../support/sync_machine.ts";
import { changed, flipped, isLog, SMALL, withWorld } from "./tamper_world.ts";

function checkSaid(failures: readonly Failure[], logs: readonly string[]): void {
  assert.ok(failures.length > 0, "it is said");
  for (const { code, message } of failures) {
    assert.equal(code, "damaged");
    assert.ok(logs.some((name) => message.includes(name)), message);
  }
}

// The simulation, seed 200856: such a push ended as if all were well.
Deno.test("a push that reads a changed object goes on and says so (sim 200856)", () =>
  withWorld(async ({ store, bert, whole, clock }) => {
    const logs = [...whole.keys()].filter(isLog);
    let objects = whole;
    for (const name of logs) objects = changed(objects, name, flipped(whole.get(name)!, 40));
    await store.show(objects);
    // Words are taken back, so the push looks at what the vault has of the session.
    const text = bert.readTranscript(SMALL);
    const facts = { session: SMALL, cwd: bert.project, atMs: clock.nowMs() };
    bert.writeTranscript(
      SMALL,
      text.slice(0, text.indexOf("\n") + 1) + said("user", "anew", facts),
    );
    clock.advance(3_600_000);
    const { pushed, failures } = await bert.push();
    assert.equal(pushed, 2);
    checkSaid(failures, logs);
    // Said once: what was sent needs no comparing any more.
    assert.deepEqual((await bert.push()).failures, []);
  }));

// The simulation, seed 701600: the session is open, so its file waits, and nothing is pushed.
Deno.test("a pull that reads a changed object goes on and says so (sim 701600)", () =>
  withWorld(async ({ store, anna, bert, clock }) => {
    // This client keeps no list of open sessions: a fresh file counts as one.
    for (const machine of [anna, bert]) {
      const facts = { session: SMALL, cwd: machine.project, atMs: clock.nowMs() };
      const text = machine.readTranscript(SMALL) +
        said("user", `here ${machine.name}`, facts).replace("2.1.330", "2.0.77");
      machine.writeTranscript(SMALL, text, clock.nowMs());
    }
    await anna.push();
    const { waiting, failures } = await bert.pull();
    assert.deepEqual([waiting, failures], [1, []]);
    const newest = store.puts.at(-1)!;
    const objects = store.objects();
    await store.show(changed(objects, newest, flipped(objects.get(newest)!, 40)));
    const again = await bert.pull();
    assert.equal(again.waiting, 1);
    checkSaid(again.failures, [newest]);
    await store.show(objects);
    assert.deepEqual((await bert.pull()).failures, []);
  }));
