/** What `diff` tells of two sides, and that it touches neither. */
import assert from "node:assert/strict";
import { appendFileSync, rmSync } from "node:fs";
import { syncService } from "../../src/sync/service.ts";
import { forget } from "../support/forget_world.ts";
import { inTempDir, said, SyncMachine } from "../support/sync_machine.ts";
import { newWorld, objectsOf } from "../support/sync_world.ts";

const ID = "11111111-1111-4111-8111-111111111111";
const NOW = Date.UTC(2026, 0, 14);

function turn(machine: SyncMachine, text: string, atMs: number): string {
  const facts = { session: ID, cwd: machine.project, atMs };
  return said("user", text, facts) + said("assistant", `echo ${text}`, facts);
}

function diff(machine: SyncMachine) {
  return syncService.diff(machine.context(), [ID.slice(0, 6)]);
}

Deno.test("diff tells what only one side has, and changes nothing", () =>
  inTempDir(async (dir) => {
    const world = await newWorld(dir, { startMs: NOW });
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    const base = turn(anna, "base", NOW - 9000);
    anna.writeTranscript(ID, base);
    const unsent = await diff(anna);
    assert.deepEqual([unsent.vault, unsent.common, unsent.onlyHere.length], [null, 0, 2]);
    await anna.push();
    await bert.pull();
    const same = await diff(bert);
    assert.deepEqual([same.common, same.onlyHere, same.onlyVault], [2, [], []]);
    assert.deepEqual([same.title, same.here!.sizeBytes], ["base", base.length]);
    appendFileSync(anna.transcriptPath(ID), turn(anna, "from anna", NOW - 5000));
    await anna.push();
    appendFileSync(bert.transcriptPath(ID), turn(bert, "from bert", NOW - 4000) + '{"torn');
    const [files, objects] = [bert.files(), await objectsOf(world.store)];
    const apart = await diff(bert);
    assert.equal(apart.common, 2);
    assert.deepEqual(
      apart.onlyHere.map(({ kind, text }) => [kind, text]),
      [["user", "from bert"], ["assistant", "echo from bert"], ["line", ""]],
    );
    assert.deepEqual(
      apart.onlyVault.map(({ text, atMs }) => [text, atMs]),
      [["from anna", NOW - 5000], ["echo from anna", NOW - 5000]],
    );
    assert.deepEqual(bert.files(), files);
    assert.deepEqual(await objectsOf(world.store), objects);
    // When both have pushed, the other continuation is a branch.
    await bert.sync();
    const after = await diff(anna);
    assert.deepEqual(after.branches.map(({ said }) => said.map(({ text }) => text)), [
      ["from bert", "echo from bert"],
    ]);
    const ofBranch = await syncService.diff(anna.context(), [after.branches[0]!.id]);
    assert.equal(ofBranch.here, null);
    assert.deepEqual(ofBranch.branches.map(({ id, said }) => [id, said.length]), [[ID, 2]]);
    rmSync(anna.transcriptPath(ID));
    const gone = await diff(anna);
    assert.deepEqual([gone.here, gone.onlyVault.length], [null, 4]);
  }));

Deno.test("diff tells what is forgotten from what was never sent", () =>
  inTempDir(async (dir) => {
    const world = await newWorld(dir, { startMs: NOW });
    const [anna] = world.machines as [SyncMachine];
    anna.writeTranscript(ID, turn(anna, "base", NOW - 9000));
    const states = async () => {
      const { vault, isForgotten } = await diff(anna);
      return [vault !== null, isForgotten];
    };
    assert.deepEqual(await states(), [false, false]);
    await anna.push();
    assert.deepEqual(await states(), [true, false]);
    await forget(anna, [ID]);
    assert.deepEqual(await states(), [false, true]);
  }));
