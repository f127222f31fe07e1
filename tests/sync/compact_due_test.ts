import assert from "node:assert/strict";
import { isGcDue } from "../../src/sync/compact_due.ts";
import { withFreshVault } from "../../src/sync/fresh_vault.ts";
import { GRACE_DAYS } from "../../src/sync/watched_days.ts";
import { gc, liveOn, pushTurns } from "../support/gc_world.ts";
import { inTempDir, type SyncMachine } from "../support/sync_machine.ts";
import { newWorld } from "../support/sync_world.ts";

function isDue(machine: SyncMachine): Promise<boolean> {
  return withFreshVault(
    machine.context(),
    "left",
    ({ vault, sender }) => Promise.resolve(isGcDue(vault, sender.tag)),
  );
}

Deno.test("gc is due by itself when the grace of what it replaced is over, not before", () =>
  inTempDir(async (dir) => {
    const { machines: [anna], clock } = await newWorld(dir, { names: ["anna"] });
    await pushTurns(anna!, clock, 8);
    assert.ok((await gc(anna!)).compacted !== null);
    for (let day = 0; day < GRACE_DAYS; day++) {
      assert.equal(await isDue(anna!), false, `day ${day}`);
      await liveOn(anna!, clock, 1);
    }
    assert.equal(await isDue(anna!), true);
    assert.ok((await gc(anna!)).deleted.objects > 0);
    assert.equal(await isDue(anna!), false, "not twice a day");
    await liveOn(anna!, clock, 2);
    assert.equal(await isDue(anna!), false, "nothing waits any more");
  }));
