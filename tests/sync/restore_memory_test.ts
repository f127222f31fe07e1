/** `restore` and a project's memory, which belongs to no session. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { slugOf } from "../../src/sessions/slug.ts";
import { speak } from "../support/forget_world.ts";
import { restore } from "../support/restore_world.ts";
import { filesBelow, inTempDir, said, type SyncMachine } from "../support/sync_machine.ts";
import { newWorld, WORLD_START_MS } from "../support/sync_world.ts";

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
    const request = { project: "~/code/app" };
    assert.equal((await restore(bert, { ...request, dryRun: true })).otherFiles, 1);
    const done = await restore(bert, request);
    assert.deepEqual([done.failures, done.otherFiles], [[], 1]);
    const newest = { "MEMORY.md": "written here", "a.md": "a" };
    assert.deepEqual(memoryOf(bert, "app"), newest);
    assert.deepEqual(memoryOf(bert, "lib"), {}, "another project's");
    await anna.pull();
    assert.deepEqual(memoryOf(anna, "app"), newest);
  }));

/** What bert does to a memory before `restore --project`, which never was sent. */
const UNSENT: readonly {
  readonly name: string;
  readonly edit: (bert: SyncMachine, memory: string) => void;
}[] = [
  { name: "nothing", edit: () => {} },
  { name: "one file goes on", edit: (bert, memory) => bert.write(`${memory}/MEMORY.md`, "more") },
  {
    name: "one file goes on, long ago",
    edit: (bert, memory) => bert.write(`${memory}/MEMORY.md`, "more", WORLD_START_MS - 9e9),
  },
  {
    name: "a new file",
    edit: (bert, memory) => bert.write(`${memory}/new.md`, "new"),
  },
  {
    name: "all of it is written anew",
    edit: (bert, memory) => {
      for (const name of ["MEMORY.md", "a.md", "b.md"]) bert.write(`${memory}/${name}`, "anew");
    },
  },
];

for (const vaultIsNewer of [false, true]) {
  const other = vaultIsNewer ? " and another machine has gone on" : "";
  for (const { name, edit } of UNSENT) {
    Deno.test(`restore --dry-run counts what it would write of a memory: ${name}${other}`, () =>
      inTempDir(async (dir) => {
        const { machines, clock } = await newWorld(dir);
        const [anna, bert] = machines as [SyncMachine, SyncMachine];
        speak(anna, APP, "about the app");
        for (const file of ["MEMORY.md", "a.md", "b.md"]) {
          anna.write(`${folderOf(anna, "app")}/memory/${file}`, `first ${file}`);
        }
        await anna.push();
        for (let round = 0; round < 2; round++) await bert.pull({ all: true });
        const memory = `${folderOf(bert, "app")}/memory`;
        rmSync(join(bert.configDir, memory, "a.md"));
        if (vaultIsNewer) {
          anna.write(`${folderOf(anna, "app")}/memory/MEMORY.md`, "anna goes on");
          await anna.push();
          clock.advance(7_200_000);
        }
        edit(bert, memory);
        const before = memoryOf(bert, "app");
        const request = { project: "~/code/app" };
        const planned = await restore(bert, { ...request, dryRun: true });
        assert.deepEqual(memoryOf(bert, "app"), before);
        const done = await restore(bert, request);
        assert.deepEqual([done.failures, planned.otherFiles], [[], done.otherFiles]);
        assert.ok(name.startsWith("all") || done.otherFiles > 0, "a.md at least");
      }));
  }
}
