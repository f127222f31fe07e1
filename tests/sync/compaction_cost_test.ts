/** What a new machine pays for a vault's age. The same after 5,000 pushes: `bench compaction`. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { gc, liveOn } from "../support/gc_world.ts";
import { countedWorld, firstPull, freshWorld, pushMany } from "../support/many_pushes.ts";
import { inTempDir, type SyncMachine } from "../support/sync_machine.ts";

const MANY = { pushes: 250, sessions: 10, pushBytes: 20_000 };

Deno.test("after gc a first pull costs what a fresh vault's does, an idle one a request", () =>
  inTempDir(async (dir) => {
    const world = await countedWorld(join(dir, "old"));
    const [anna] = world.machines as [SyncMachine];
    await pushMany(anna, world, MANY);
    const before = await firstPull(world, "before");
    await gc(anna);
    await liveOn(anna, world.clock, 7);
    assert(((await gc(anna)).deleted?.objects ?? 0) >= MANY.pushes);
    const after = await firstPull(world, "after");
    assert.equal((await anna.pull()).requests, 1);
    const fresh = await firstPull(await freshWorld(dir, anna, world), "fresh");
    assert(before.requests > 10 * after.requests, `${before.requests}, then ${after.requests}`);
    assert(after.requests <= 2 * fresh.requests, `${after.requests} for ${fresh.requests}`);
    assert(after.bytes <= 1.05 * fresh.bytes, `${after.bytes} for ${fresh.bytes} bytes`);
  }));
