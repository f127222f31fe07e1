/** Compaction as users and other machines see it: nothing changes but the number of objects. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { GcRequest } from "../../src/sync/gc_api.ts";
import { syncService } from "../../src/sync/service.ts";
import { inTempDir, said, type SyncMachine } from "../support/sync_machine.ts";
import {
  contentsOf,
  historyOf,
  newWorld,
  objectsOf,
  type SyncWorld,
} from "../support/sync_world.ts";

const DAY_MS = 24 * 3_600_000;
const IDS = Array.from({ length: 4 }, (_, n) => `aaaaaaaa-0000-4000-8000-00000000000${n}`);

function gc(machine: SyncMachine, request: Partial<GcRequest> = {}) {
  return syncService.gc(machine.context(), {
    dryRun: false,
    machine: null,
    approve: () => Promise.resolve(true),
    ...request,
  });
}

/** Appends a turn to a session, which is made when it is not there. */
function speak(machine: SyncMachine, session: string, text: string): void {
  const facts = { session, cwd: machine.project, atMs: machine.platform.clock.nowMs() };
  const path = join("projects", machine.transcriptPath(session).split("/").at(-2)!);
  const before = machine.files()[`${path}/${session}.jsonl`] ?? "";
  machine.writeTranscript(session, before + said("user", text, facts));
}

async function pushTurns(machine: SyncMachine, world: SyncWorld, turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) {
    speak(machine, IDS[turn % 3]!, `turn ${turn} of ${machine.name}`);
    assert.deepEqual((await machine.push()).failures, []);
    world.clock.advance(60_000);
  }
}

/** Looks at the vault on each of these days. */
async function liveOn(machine: SyncMachine, world: SyncWorld, days: number): Promise<void> {
  for (let day = 0; day < days; day++) {
    world.clock.advance(DAY_MS);
    await machine.pull();
  }
}

function sorted(history: Awaited<ReturnType<typeof historyOf>>): string[] {
  return history.map((state) => JSON.stringify(state)).sort();
}

Deno.test("a compacted log says the same in fewer objects, which go after the grace", () =>
  inTempDir(async (dir) => {
    const world = await newWorld(dir);
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    await pushTurns(anna, world, 12);
    const before = sorted(await historyOf(bert));
    const dry = await gc(anna, { dryRun: true });
    assert.equal(dry.compacted?.entries, 12);
    assert.equal(dry.compacted?.written, null);
    assert.equal((await objectsOf(world.store)).size, 13, "a dry run writes nothing");
    const done = await gc(anna);
    assert.equal(done.compacted?.entries, 12);
    assert.equal(done.compacted?.written?.entries, 2);
    assert.deepEqual(done.deleted, { objects: 0, bytes: 0 });
    assert.equal(done.waiting?.objects, 12);
    assert.equal(done.waiting?.daysLeft, 7);
    assert.deepEqual(sorted(await historyOf(bert)), before, "for who had read the old entries");
    await liveOn(anna, world, 6);
    assert.equal((await gc(anna)).deleted.objects, 0, "not before the grace");
    await liveOn(anna, world, 1);
    assert.equal((await gc(anna, { dryRun: true })).deleted.objects, 12);
    assert.equal((await gc(anna)).deleted.objects, 12);
    assert.equal((await objectsOf(world.store)).size, 3, "header, content, checkpoint");
    assert.deepEqual((await bert.verify()).problems, []);
    assert.deepEqual(sorted(await historyOf(bert)), before);
    speak(anna, IDS[0]!, "later");
    await anna.push();
    await bert.pull({ all: true });
    assert.deepEqual(contentsOf(bert), contentsOf(anna));
    const idle = await gc(anna);
    assert.equal(idle.compacted, null);
    assert.equal(idle.waiting, null);
  }));
