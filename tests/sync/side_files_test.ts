/** Files beside a transcript that two machines have written apart from each other. */
import assert from "node:assert/strict";
import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { syncService } from "../../src/sync/service.ts";
import { ID, turn } from "../support/pair.ts";
import { restore } from "../support/restore_world.ts";
import { inTempDir, type SyncMachine } from "../support/sync_machine.ts";
import { newWorld, type SyncWorld } from "../support/sync_world.ts";

/** What `/rewind` needs, and a task list. */
const FILES = [`file-history/${ID}/0123456789abcdef@v2`, `todos/${ID}-agent-${ID}.json`];

/** A turn, and the files beside it as they are after it. */
function goOn({ clock }: SyncWorld, machine: SyncMachine, text: string): void {
  clock.advance(60_000);
  appendFileSync(machine.transcriptPath(ID), turn(machine, text, clock.nowMs()));
  // The client writes the list after the record.
  for (const file of FILES) machine.write(file, `${file} of ${text}`, clock.nowMs() + 300);
}

function beside(machine: SyncMachine, folder = machine.configDir): string[] {
  return FILES.map((file) => readFileSync(join(folder, file), "utf8").split(" of ")[1]!);
}

/** anna and bert go on apart; the branch is bert's, and its files are newer. */
async function withFork(
  work: (world: SyncWorld, machines: [SyncMachine, SyncMachine], dir: string) => Promise<void>,
): Promise<void> {
  await inTempDir(async (dir) => {
    const world = await newWorld(dir);
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    anna.writeTranscript(ID, turn(anna, "start", world.clock.nowMs()));
    for (const file of FILES) anna.write(file, `${file} of start`, world.clock.nowMs());
    await anna.push();
    await bert.pull();
    goOn(world, anna, "anna");
    goOn(world, bert, "bert");
    await bert.push();
    await anna.sync();
    await bert.sync();
    await work(world, [anna, bert], dir);
  });
}

async function versionOf(machine: SyncMachine, kind: string, by: string): Promise<string> {
  const { versions } = await syncService.restoreVersions(machine.context(), [ID]);
  const found = versions.find((each) => each.kind === kind && each.machine === by);
  assert(found !== undefined, `a version of ${by} is ${kind}`);
  return found.version;
}

Deno.test("files beside a transcript are those of the machine that went on with it", () =>
  withFork(async (_world, [anna, bert]) => {
    for (const machine of [anna, bert]) {
      assert.match(machine.readTranscript(ID), /anna/);
      assert.deepEqual(beside(machine), ["anna", "anna"], machine.name);
      const { push, pull } = await machine.sync();
      assert.deepEqual([push.pushed, pull.pulled], [0, 0]);
    }
  }));

Deno.test("restore brings a branch's own files beside it", () =>
  withFork(async (_world, [anna], dir) => {
    for (const [kind, by] of [["newest", "anna"], ["branch", "bert"]] as const) {
      const to = join(dir, by);
      const request = { queries: [ID], version: await versionOf(anna, kind, by), to };
      assert.deepEqual((await restore(anna, request)).failures, []);
      assert.deepEqual(beside(anna, to), [by, by]);
    }
    const request = { queries: [ID], version: await versionOf(anna, "branch", "bert") };
    const [copy] = (await restore(anna, request)).sessions;
    const place = join(anna.configDir, FILES[0]!.replace(ID, copy!.id));
    assert.match(readFileSync(place, "utf8"), / of bert$/);
  }));

Deno.test("what machines write one after the other is the newest of it, also after a fork", () =>
  withFork(async (world, [anna, bert]) => {
    goOn(world, bert, "bert again");
    await bert.sync();
    await anna.sync();
    for (const machine of [anna, bert]) {
      assert.deepEqual(beside(machine), ["bert again", "bert again"], machine.name);
    }
    goOn(world, anna, "anna again");
    await anna.sync();
    // Of a turn without a change of the files they stay as they were.
    await bert.sync();
    world.clock.advance(60_000);
    appendFileSync(bert.transcriptPath(ID), turn(bert, "and on", world.clock.nowMs()));
    await bert.sync();
    await anna.sync();
    for (const machine of [anna, bert]) {
      assert.deepEqual(beside(machine), ["anna again", "anna again"], machine.name);
    }
  }));
