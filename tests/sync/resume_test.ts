import assert from "node:assert/strict";
import { join } from "node:path";
import { syncService } from "../../src/sync/service.ts";
import { ClaudeSyncError } from "../../src/errors.ts";
import { IDS, speak } from "../support/gc_world.ts";
import { filesBelow, inTempDir, type SyncMachine } from "../support/sync_machine.ts";
import { newWorld } from "../support/sync_world.ts";

Deno.test("resume with --dry-run brings nothing, and says where it would start", () =>
  inTempDir(async (dir) => {
    const world = await newWorld(dir);
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    const [first, second] = IDS as [string, string];
    speak(anna, first, "one");
    await anna.push();
    await bert.pull();
    speak(anna, first, "more");
    speak(anna, second, "two");
    await anna.push();
    const before = filesBelow(bert.configDir);
    const dry = { dryRun: true };
    const here = await syncService.resume(bert.context(), first, dry);
    assert.deepEqual([here.id, here.dir], [first, bert.project]);
    await assert.rejects(
      syncService.resume(bert.context(), second, dry),
      (error) => error instanceof ClaudeSyncError && error.code === "not-found",
      "the store is not asked",
    );
    await bert.pull({ sessions: [first] });
    const known = filesBelow(bert.configDir);
    const { platform } = bert;
    const elsewhere = { ...platform, host: { ...platform.host, cwd: () => join(dir, "bert") } };
    const there = await syncService.resume(
      { ...bert.context(), platform: { ...elsewhere } },
      second,
      dry,
    );
    assert.deepEqual([there.id, there.dir], [second, bert.project]);
    assert.deepEqual(filesBelow(bert.configDir), known);
    assert.notDeepEqual(known, before);
    await syncService.resume(bert.context(), second);
    assert.equal(bert.readTranscript(second), anna.readTranscript(second));
  }));
