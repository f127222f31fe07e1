/** Plans and memories where a wrong guess about a file would cost bytes that are nowhere else. */
import assert from "node:assert/strict";
import { mkdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { utf8 } from "../../src/base/bytes.ts";
import { sha256Hex } from "../../src/crypto/hash.ts";
import {
  INDEX,
  memoryDir,
  memoryOf,
  ONE,
  remember,
  syncAll,
  talk,
  withShared,
} from "../support/shelf_world.ts";
import { inTempDir, type SyncMachine } from "../support/sync_machine.ts";
import { historyOf, newWorld, type SyncWorld } from "../support/sync_world.ts";

function besideIndex(text: string): string {
  return `MEMORY.${sha256Hex(utf8(text)).slice(0, 8)}.md`;
}

/** Changes the content of a file in place, and nothing that a look at its metadata shows. */
function editUnseen(machine: SyncMachine, name: string, text: string): void {
  const path = join(machine.configDir, memoryDir(machine), name);
  const before = statSync(path);
  assert.equal(utf8(text).length, before.size);
  writeFileSync(path, text);
  utimesSync(path, before.atimeMs / 1000, before.mtimeMs / 1000);
  const { size, mtimeMs, ino } = statSync(path);
  assert.deepEqual([size, mtimeMs, ino], [before.size, before.mtimeMs, before.ino]);
}

async function settle(world: SyncWorld): Promise<void> {
  await syncAll(world.machines);
  const before = world.machines.map((machine) => machine.files());
  for (const machine of world.machines) {
    const { pull, push } = await machine.sync();
    assert.deepEqual([pull.otherFiles, push.otherFiles, push.bytes.sent], [0, 0, 0]);
  }
  assert.deepEqual(world.machines.map((machine) => machine.files()), before);
}

async function assertKept(machine: SyncMachine, text: string): Promise<void> {
  const inVault = (await historyOf(machine)).some(({ bytes }) => bytes === text);
  assert.ok(inVault || Object.values(memoryOf(machine)).includes(text), `"${text}" is lost`);
}

Deno.test("an edit that no metadata show is in the vault before a pull replaces the file", () =>
  withShared(async (world, anna, bert) => {
    const now = world.clock.nowMs();
    remember(anna, INDEX, "- [ ] one", now - 50_000);
    await settle(world);
    editUnseen(bert, INDEX, "- [x] one");
    remember(anna, INDEX, "anna's next", now - 40_000);
    await anna.push();
    await bert.pull();
    await assertKept(bert, "- [x] one");
    await settle(world);
    for (const machine of world.machines) {
      assert.deepEqual(Object.values(memoryOf(machine)).sort(), ["- [x] one", "anna's next"]);
    }
  }));

Deno.test("an outdated copy with an edit that no metadata show is not taken away", () =>
  withShared(async (world, anna, bert) => {
    const now = world.clock.nowMs();
    remember(anna, INDEX, "anna's 1st", now - 40_000);
    remember(bert, INDEX, "bert's", now - 10_000);
    await anna.push();
    await bert.sync();
    const beside = besideIndex("anna's 1st");
    assert.equal(memoryOf(bert)[beside], "anna's 1st");
    editUnseen(bert, beside, "bert's 2nd");
    remember(anna, INDEX, "anna's second", now - 30_000);
    await anna.sync();
    await bert.pull();
    await assertKept(bert, "bert's 2nd");
    await settle(world);
    for (const machine of world.machines) assert.equal(memoryOf(machine)[beside], "bert's 2nd");
  }));

Deno.test("a folder holds the memory of one project, whatever its identity was before", () =>
  inTempDir(async (dir) => {
    const world = await newWorld(dir, { names: ["anna", "bert", "cleo"] });
    const [anna, bert, cleo] = world.machines as [SyncMachine, SyncMachine, SyncMachine];
    const now = world.clock.nowMs();
    // anna's project is no repository yet.
    anna.writeTranscript(ONE, talk(anna));
    remember(anna, INDEX, "without git", now - 50_000);
    await anna.push();
    for (const { project } of world.machines) {
      mkdirSync(join(project, ".git"), { recursive: true });
      writeFileSync(join(project, ".git", "HEAD"), "ref: refs/heads/main\n");
      const config = '[remote "origin"]\n\turl = https://example.com/team/app.git\n';
      writeFileSync(join(project, ".git", "config"), config);
    }
    const two = "22222222-2222-4222-8222-222222222222";
    bert.writeTranscript(two, talk(bert, two));
    remember(bert, INDEX, "with git", now - 40_000);
    await bert.push();
    const three = "33333333-3333-4333-8333-333333333333";
    cleo.writeTranscript(three, talk(cleo, three));
    await settle(world);
    for (const text of ["without git", "with git"]) await assertKept(cleo, text);
    assert.deepEqual(memoryOf(anna), { [INDEX]: "without git" });
    remember(anna, INDEX, "anna's edit", now - 20_000);
    await settle(world);
    for (const text of ["without git", "with git", "anna's edit"]) await assertKept(cleo, text);
    assert.deepEqual(memoryOf(anna), { [INDEX]: "anna's edit" });
  }));

/** Edits the file, which says "- [ ] one", unseen; the next push has the edit. */
async function editGoes(world: SyncWorld, anna: SyncMachine, bert: SyncMachine): Promise<void> {
  editUnseen(anna, INDEX, "- [x] one");
  world.clock.advance(10_000);
  assert.equal((await anna.push()).otherFiles, 1);
  await bert.pull();
  assert.deepEqual(memoryOf(bert), { [INDEX]: "- [x] one" });
}

Deno.test("an edit in the same tick of the disk's clock as a push goes with the next one", () =>
  withShared(async (world, anna, bert) => {
    for (const ageMs of [0, 1_999]) {
      remember(anna, INDEX, "- [ ] one", world.clock.nowMs() - ageMs);
      await anna.push();
      await editGoes(world, anna, bert);
    }
    await settle(world);
  }));

Deno.test("an edit in the same tick as a push that had nothing to send goes with the next", () =>
  withShared(async (world, anna, bert) => {
    remember(anna, INDEX, "- [ ] one", world.clock.nowMs() - 10_000);
    await anna.push();
    remember(anna, INDEX, "- [ ] one", world.clock.nowMs());
    assert.equal((await anna.push()).otherFiles, 0, "written again, with the same bytes");
    await editGoes(world, anna, bert);
    await settle(world);
  }));
