/** What a push makes of a changed object that it reads only to compare. */
import assert from "node:assert/strict";
import { said } from "../support/sync_machine.ts";
import { changed, flipped, isLog, SMALL, withWorld } from "./tamper_world.ts";

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
    assert.ok(failures.length > 0, "it is said");
    for (const { code, message } of failures) {
      assert.equal(code, "damaged");
      assert.ok(logs.some((name) => message.includes(name)), message);
    }
    // Said once: what was sent needs no comparing any more.
    assert.deepEqual((await bert.push()).failures, []);
  }));
