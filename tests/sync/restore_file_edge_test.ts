/** `restore` of a plan or a memory's file where something stands in its way. Found in a review. */
import assert from "node:assert/strict";
import { mkdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { isClaudeSyncError } from "../../src/errors.ts";
import { memoryShelfId, planShelfId } from "../../src/sessions/shelf.ts";
import { slugOf } from "../../src/sessions/slug.ts";
import { syncService } from "../../src/sync/service.ts";
import {
  hashOf,
  HOUR_MS,
  MEMORY,
  memoryFile,
  OTHER,
  PLAN,
  planned,
  plansOf,
  quiet,
  restoreFile,
  SESSION,
  textOf,
  VERSIONS,
  withVersions,
} from "../support/restore_file_world.ts";
import { memoryOf, ONE, remember, talk } from "../support/shelf_world.ts";
import { inTempDir, type SyncMachine } from "../support/sync_machine.ts";
import { newWorld, objectsOf } from "../support/sync_world.ts";
import { addOf } from "./hostile_member.ts";
import { HASH_A, HONEST, withVictims } from "./hostile_world.ts";

const FIRST_HASH = hashOf(VERSIONS[0]);
const isUnsafe = (error: unknown) => isClaudeSyncError(error, "unsafe-file");

Deno.test("on a machine that is behind, what stands there can be made the newest again", () =>
  withVersions(async (anna, bert, { clock }) => {
    anna.write(PLAN, "a fourth, bad\n", clock.nowMs());
    await anna.push();
    clock.advance(HOUR_MS);
    const done = await restoreFile(bert, { version: hashOf(VERSIONS[2]) });
    assert.deepEqual([done.outcome, done.replaced], ["restored", null]);
    await quiet([bert, anna]);
    for (const machine of [anna, bert]) assert.equal(textOf(machine), VERSIONS[2]);
    assert.deepEqual(plansOf(anna), [PLAN]);
  }));

Deno.test("by its name alone, the vault's newest replaces an edit, which is sent first", () =>
  withVersions(async (anna, bert, { clock, store }) => {
    anna.write(PLAN, "spoilt\n", clock.nowMs());
    const before = (await objectsOf(store)).size;
    const planned = await restoreFile(anna, { dryRun: true });
    assert.deepEqual([textOf(anna), (await objectsOf(store)).size], ["spoilt\n", before]);
    const done = await restoreFile(anna, {});
    assert.deepEqual(
      [done.outcome, done.version, done.replaced],
      [planned.outcome, planned.version, planned.replaced],
    );
    assert.deepEqual([done.replaced, textOf(anna)], [hashOf("spoilt\n"), VERSIONS[2]]);
    assert.ok(done.bytes.sent > 0);
    await quiet([anna, bert]);
    assert.deepEqual([textOf(bert), plansOf(bert)], [VERSIONS[2], [PLAN]]);
    assert.equal((await restoreFile(bert, { version: hashOf("spoilt\n") })).outcome, "restored");
  }));

Deno.test("an edit that was there at the time that is asked for stays", () =>
  withVersions(async (anna, _, { clock }) => {
    anna.write(PLAN, "not sent yet\n", clock.nowMs());
    clock.advance(2 * HOUR_MS);
    const done = await restoreFile(anna, { atMs: clock.nowMs() - HOUR_MS });
    assert.deepEqual([done.outcome, done.version], ["unchanged", hashOf("not sent yet\n")]);
    assert.equal(textOf(anna), "not sent yet\n");
  }));

Deno.test("an edit that its size and time do not show is sent before it is replaced", () =>
  withVersions(async (_, bert) => {
    await bert.sync();
    const path = join(bert.configDir, PLAN);
    const { atimeMs, mtimeMs } = statSync(path);
    writeFileSync(path, "- [z] first\n");
    utimesSync(path, atimeMs / 1000, mtimeMs / 1000);
    const done = await restoreFile(bert, { version: FIRST_HASH });
    assert.deepEqual([done.outcome, done.replaced], ["restored", hashOf("- [z] first\n")]);
    const back = await restoreFile(bert, { version: hashOf("- [z] first\n") });
    assert.deepEqual([back.outcome, textOf(bert)], ["restored", "- [z] first\n"]);
  }));

Deno.test("a plan whose session is opened while the version comes is left alone", () =>
  withVersions(async (anna, _, { between }) => {
    const registry = `sessions/${process.pid}.json`;
    between.annaGets = () =>
      anna.write(registry, JSON.stringify({ pid: process.pid, sessionId: SESSION }));
    const before = plansOf(anna);
    assert.equal((await restoreFile(anna, { version: FIRST_HASH })).outcome, "open");
    assert.deepEqual([textOf(anna), plansOf(anna)], [VERSIONS[2], before]);
  }));

Deno.test("a dry run refuses what the run refuses", () =>
  withVersions(async (anna, _, { clock }) => {
    anna.write(memoryFile(anna), "a secret\n", clock.nowMs());
    await syncService.projectExclude(anna.context(), "~/code/app", true);
    const request = { file: MEMORY, version: FIRST_HASH, dryRun: true };
    await assert.rejects(restoreFile(anna, request), isUnsafe);
  }));

for (const isUnsent of [false, true]) {
  const what = isUnsent ? ", nor anything sent to it" : "";
  Deno.test(`a folder that holds another memory is not given to this one${what}`, () =>
    inTempDir(async (dir) => {
      const world = await newWorld(dir);
      const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
      anna.writeTranscript(ONE, talk(anna));
      for (const name of ["MEMORY.md", "other.md"]) remember(anna, name, `${name} of anna\n`);
      await anna.push();
      repository(bert.project);
      bert.writeTranscript(OTHER, talk(bert, OTHER));
      remember(bert, "MEMORY.md", "of bert\n");
      await bert.push();
      repository(anna.project);
      await anna.sync();
      if (isUnsent) remember(anna, "MEMORY.md", "unsent\n", world.clock.nowMs());
      const before = [memoryOf(anna), (await objectsOf(world.store)).size];
      await assert.rejects(
        restoreFile(anna, { file: MEMORY, version: hashOf("of bert\n") }),
        isUnsafe,
      );
      assert.deepEqual([memoryOf(anna), (await objectsOf(world.store)).size], before);
    }));
}

Deno.test("a memory at a repository's top is found by its name and by a folder in it", () =>
  inTempDir(async (dir) => {
    const world = await newWorld(dir);
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    repository(anna.project);
    const web = join(anna.project, "web");
    mkdirSync(web);
    anna.write(`projects/${slugOf(web)}/${ONE}.jsonl`, talk(anna, ONE, web));
    remember(anna, "MEMORY.md", "of app\n");
    await anna.push();
    for (const project of ["app", "web", "git:example.com/acme/app//web"]) {
      const list = await syncService.listFiles(bert.context(), "memory", project);
      assert.deepEqual([list.project, list.files.map(({ file }) => file)], ["app", [MEMORY]]);
    }
  }));

const SHELF = planShelfId("linear-swinging-cat");
const MEMORY_SHELF = memoryShelfId({ kind: "home", path: "code/app" });
const UNSOUND = [
  ["a plan and a memory", SHELF, { [PLAN]: "x", "memory/x.md": "x" }, PLAN],
  ["a plan beside another's", SHELF, { [PLAN]: "x", "plans/other-plan.md": "x" }, PLAN],
  ["two memories that differ in case", MEMORY_SHELF, { "memory/a.md": "x", "memory/A.md": "y" }],
  ["an unsafe name", MEMORY_SHELF, { "memory/a.md": "x", "memory/../../../evil.md": "y" }],
] as const;
for (const [what, shelf, files, file = "memory/a.md"] of UNSOUND) {
  Deno.test(`what a pull refuses is refused by its name, too: ${what}`, () =>
    withVictims(async ({ bert, mallory }) => {
      await bert.sync();
      await mallory.add(addOf(shelf, files));
      const before = bert.files();
      for (const to of [null, join(bert.home, "out")]) {
        await assert.rejects(restoreFile(bert, { file, to }), isUnsafe);
      }
      assert.deepEqual(bert.files(), before);
    }));
}

Deno.test("a version that is not what was said fails alone, and nothing is sent for it", () =>
  withVictims(async ({ bert, mallory }) => {
    bert.writeTranscript(HONEST, planned(bert, HONEST));
    await bert.sync();
    const add = addOf(SHELF, { [PLAN]: "x" });
    const [group] = add.op.groups as { segments: { hash: string }[] }[];
    group!.segments[0]!.hash = HASH_A;
    await mallory.add(add);
    bert.write(PLAN, "unsent\n");
    const isPartial = (error: unknown) => isClaudeSyncError(error, "partial");
    for (const to of [null, join(bert.home, "out")]) {
      await assert.rejects(restoreFile(bert, { to }), isPartial);
    }
    assert.equal(textOf(bert), "unsent\n");
    rmSync(join(bert.configDir, PLAN));
    await assert.rejects(restoreFile(bert, {}), isPartial);
    assert.equal(textOf(bert), null);
  }));

function repository(top: string): void {
  mkdirSync(join(top, ".git"), { recursive: true });
  writeFileSync(join(top, ".git", "HEAD"), "ref: refs/heads/main\n");
  const remote = '[remote "origin"]\n\turl = https://example.com/acme/app.git\n';
  writeFileSync(join(top, ".git", "config"), remote);
}
