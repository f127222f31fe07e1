/** `restore` and a project's memory, which belongs to no session. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { slugOf } from "../../src/sessions/slug.ts";
import { speak } from "../support/forget_world.ts";
import { restore } from "../support/restore_world.ts";
import { filesBelow, inTempDir, said, type SyncMachine } from "../support/sync_machine.ts";
import { newWorld } from "../support/sync_world.ts";

const APP = "11111111-1111-4111-8111-111111111111";
const LIB = "22222222-2222-4222-8222-222222222222";

function folderOf({ home }: SyncMachine, project: string): string {
  return `projects/${slugOf(join(home, "code", project))}`;
}

/** The memory of a project, by its files' names. */
function memoryOf(machine: SyncMachine, project: string): Record<string, string> {
  const dir = join(machine.configDir, folderOf(machine, project), "memory");
  return existsSync(dir) ? filesBelow(dir) : {};
}

Deno.test("restore brings a project's memory back when the project is named", () =>
  inTempDir(async (dir) => {
    const [anna, bert] = (await newWorld(dir)).machines as [SyncMachine, SyncMachine];
    const lib = join(anna.home, "code", "lib");
    for (const { home } of [anna, bert]) mkdirSync(join(home, "code", "lib"));
    speak(anna, APP, "about the app");
    const facts = { session: LIB, cwd: lib, atMs: anna.platform.clock.nowMs() };
    anna.write(`${folderOf(anna, "lib")}/${LIB}.jsonl`, said("user", "about the library", facts));
    anna.write(`${folderOf(anna, "lib")}/memory/MEMORY.md`, "of the library");
    anna.write(`${folderOf(anna, "app")}/memory/MEMORY.md`, "x");
    anna.write(`${folderOf(anna, "app")}/memory/a.md`, "a");
    await anna.push();
    for (let round = 0; round < 2; round++) await bert.pull({ all: true });
    assert.deepEqual(memoryOf(bert, "lib"), { "MEMORY.md": "of the library" });
    for (const project of ["app", "lib"]) {
      rmSync(join(bert.configDir, folderOf(bert, project), "memory"), { recursive: true });
    }
    await bert.sync();
    assert.deepEqual(memoryOf(bert, "app"), {}, "what was taken away stays away");
    assert.equal((await restore(bert, { queries: [APP] })).otherFiles, 0, "a session has none");
    assert.equal((await restore(bert, { project: "~/code/app", dryRun: true })).otherFiles, 2);
    assert.deepEqual(memoryOf(bert, "app"), {});
    // What was written here meanwhile goes on from what was deleted.
    bert.write(`${folderOf(bert, "app")}/memory/MEMORY.md`, "written here");
    const done = await restore(bert, { project: "~/code/app" });
    assert.deepEqual([done.failures, done.otherFiles], [[], 1]);
    const newest = { "MEMORY.md": "written here", "a.md": "a" };
    assert.deepEqual(memoryOf(bert, "app"), newest);
    assert.deepEqual(memoryOf(bert, "lib"), {}, "another project's");
    await anna.pull();
    assert.deepEqual(memoryOf(anna, "app"), newest);
  }));
