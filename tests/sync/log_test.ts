/** What `log` tells of other machines: what they did, not only that they wrote. */
import assert from "node:assert/strict";
import { syncService } from "../../src/sync/service.ts";
import { gc, IDS, pushTurns } from "../support/gc_world.ts";
import { forget } from "../support/forget_world.ts";
import { restore } from "../support/restore_world.ts";
import { inTempDir, type SyncMachine } from "../support/sync_machine.ts";
import { newWorld } from "../support/sync_world.ts";

type Three = [SyncMachine, SyncMachine, SyncMachine];

/** Lines of other machines as `name command sessions`, the oldest first. */
async function told(machine: SyncMachine): Promise<string[]> {
  const ask = { limit: 100, sinceMs: null, errors: false };
  const { lines } = await syncService.log(machine.context(), ask);
  return lines.flatMap((line) =>
    line.source === "here" ? [] : [`${line.machine} ${line.command} ${line.sessions}`]
  ).reverse();
}

Deno.test("log tells what another machine did: push, forget, restore and gc", () =>
  inTempDir(async (dir) => {
    const world = await newWorld(dir, { names: ["anna", "bert", "carl"] });
    const [anna, bert, carl] = world.machines as Three;
    await pushTurns(bert, world.clock, 6);
    await forget(bert, [IDS[0]!]);
    world.clock.advance(60_000);
    assert.deepEqual((await restore(bert, { queries: [IDS[0]!] })).recalled, [IDS[0]]);
    world.clock.advance(60_000);
    await forget(bert, [IDS[1]!]);
    await anna.pull();
    const before = [...Array(6).fill("bert push 1"), "bert forget 0", "bert restore 0"];
    assert.deepEqual(await told(anna), [...before, "bert forget 0"]);
    world.clock.advance(60_000);
    assert.ok((await gc(bert)).compacted !== null);
    await anna.pull();
    await anna.pull();
    const after = [...before, "bert forget 0", "bert gc 0"];
    assert.deepEqual(await told(anna), after, "what is said again did not happen again");
    world.clock.advance(60_000);
    // It has written nothing yet: its first entry says again what bert's log says.
    const { retired } = await gc(carl, { machine: "bert" });
    assert.equal(retired?.machine.name, "bert");
    await anna.pull();
    assert.deepEqual(await told(anna), [...after, "carl init 0", "carl gc 0"]);
  }));
