/**
 * Breaks every call that store move makes to the disk, which is here the store's disk as well, once
 * and from then on: the old place stays as it was, and the next try completes.
 */
import assert from "node:assert/strict";
import { cpSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { folderLocationOf } from "../../src/storage/location.ts";
import { syncService } from "../../src/sync/service.ts";
import { CHANGES, type FaultPlan, type FaultyFs, faultyFs } from "../support/faulty_fs.ts";
import { filesBelow, inMemoryDir, said, SyncMachine, TestClock } from "../support/sync_machine.ts";
import { withoutFlush } from "../support/unflushed_fs.ts";

const ID = "11111111-1111-4111-8111-111111111111";
const FAULTS: readonly Omit<FaultPlan, "failNth">[] = [
  { from: "once", effect: "before" },
  { from: "once", effect: "after", calls: CHANGES },
  // Like a crash: what happened before is there, and nothing else ever comes to be.
  { from: "then-on", effect: "before", calls: CHANGES },
];

function machine(dir: string, plan?: FaultPlan, made: FaultyFs[] = []): SyncMachine {
  return new SyncMachine({
    name: "anna",
    dir,
    // What is tried again waits by this clock: not at all.
    clock: new TestClock(Date.now()),
    fs: (disk) => {
      const quick = withoutFlush(disk);
      if (plan === undefined) return quick;
      const faulty = faultyFs(quick, plan);
      made.push(faulty);
      return faulty;
    },
  });
}

function move(anna: SyncMachine, target: string): Promise<unknown> {
  const location = folderLocationOf(target);
  const request = { location, createBucket: false, keys: null, dryRun: false };
  return syncService.storeMove(anna.context(), request);
}

function placeOf(anna: SyncMachine): string {
  const path = join(anna.home, ".claude-sync", "config.json");
  return JSON.parse(readFileSync(path, "utf8")).store.path;
}

for (const fault of FAULTS) {
  const how = `${fault.from}, ${fault.effect} the effect`;
  Deno.test(`store move survives every failure of both places and of our folder, ${how}`, () =>
    inMemoryDir(async (dir) => {
      const [world, kept] = [join(dir, "world"), join(dir, "kept")];
      const anna = machine(world);
      const facts = { session: ID, cwd: anna.project, atMs: Date.now() - 3_600_000 };
      anna.writeTranscript(ID, said("user", "a", facts) + said("assistant", "b", facts));
      await anna.init();
      await anna.push();
      const noise = Array.from(
        { length: 40_000 },
        (_, n) => (n * 2654435761 % 2 ** 32).toString(36),
      );
      anna.writeTranscript(ID, anna.readTranscript(ID) + said("user", noise.join(""), facts));
      await anna.push();
      cpSync(world, kept, { recursive: true, preserveTimestamps: true });
      const [vault, files] = [filesBelow(anna.vaultDir), anna.files()];
      const target = join(world, "second");
      let broken = 0;
      for (let failNth = 1;; failNth++) {
        rmSync(world, { recursive: true });
        cpSync(kept, world, { recursive: true, preserveTimestamps: true });
        const made: FaultyFs[] = [];
        const ended = await move(machine(world, { ...fault, failNth }, made), target)
          .then(() => "done", (error) => error.name);
        if (made.every(({ failed }) => failed === 0)) break;
        broken++;
        assert.ok(["done", "ClaudeSyncError"].includes(ended), `call ${failNth}: ${ended}`);
        assert.deepEqual(filesBelow(anna.vaultDir), vault, `call ${failNth}: the old place`);
        assert.deepEqual(anna.files(), files, `call ${failNth}: local files`);
        assert.deepEqual((await anna.verify()).problems, [], `call ${failNth}: verify`);
        if (placeOf(anna) !== target) await move(anna, target);
        assert.equal(placeOf(anna), target);
        const moved = Object.entries(filesBelow(target)).filter(([name]) => !name.endsWith(".tmp"));
        assert.deepEqual(Object.fromEntries(moved), vault, `call ${failNth}: the new place`);
        assert.deepEqual((await anna.verify()).problems, [], `call ${failNth}: verify at the end`);
        assert.equal((await anna.push()).failed, 0);
      }
      assert.ok(broken > 20, `${broken} calls are too few to be all`);
    }));
}
