/** `restore` of a plan, or of a file of a project's memory, in any version. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { isClaudeSyncError } from "../../src/errors.ts";
import type { FileRestoreRequest } from "../../src/sync/history_api.ts";
import { syncService } from "../../src/sync/service.ts";
import { forget } from "../support/forget_world.ts";
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
  versionsOf,
  withVersions,
} from "../support/restore_file_world.ts";
import { newcomer, objectsOf } from "../support/sync_world.ts";

const FIRST_HASH = hashOf(VERSIONS[0]);

for (const deleted of [false, true]) {
  const state = deleted ? "that was deleted here" : "that stands here";
  Deno.test(`an earlier version of a plan ${state} takes its place everywhere`, () =>
    withVersions(async (anna, bert) => {
      if (deleted) rmSync(join(anna.configDir, PLAN));
      const done = await restoreFile(anna, { version: FIRST_HASH.slice(0, 8) });
      assert.deepEqual(
        [done.outcome, done.version, done.replaced],
        ["restored", FIRST_HASH, deleted ? null : hashOf(VERSIONS[2])],
      );
      assert.equal(textOf(anna), VERSIONS[0]);
      await anna.pull();
      assert.equal(textOf(anna), VERSIONS[0], "a pull does not take it for one that is behind");
      await quiet([anna, bert]);
      for (const machine of [anna, bert]) {
        assert.equal(textOf(machine), VERSIONS[0]);
        assert.deepEqual(plansOf(machine), [PLAN], "nothing stands beside it");
      }
      assert.deepEqual(await versionsOf(bert), [
        [FIRST_HASH, "newest"],
        [hashOf(VERSIONS[2]), "earlier"],
        [hashOf(VERSIONS[1]), "earlier"],
      ]);
      assert.deepEqual((await bert.verify()).problems, []);
    }));
}

Deno.test("a machine that is behind replaces the newest version, not the one that it has", () =>
  withVersions(async (anna, bert, { clock }) => {
    clock.advance(HOUR_MS);
    anna.write(PLAN, "a fourth\n", clock.nowMs());
    await anna.push();
    const done = await restoreFile(bert, { atMs: clock.nowMs() - 4 * HOUR_MS });
    assert.equal(done.version, FIRST_HASH);
    await quiet([bert, anna]);
    assert.deepEqual([textOf(anna), plansOf(anna)], [VERSIONS[0], [PLAN]]);
  }));

Deno.test("what stands there and was never sent is in the vault before it is replaced", () =>
  withVersions(async (anna, bert, { clock }) => {
    anna.write(PLAN, "never sent\n", clock.nowMs());
    const planned = await restoreFile(anna, { version: FIRST_HASH, dryRun: true });
    assert.deepEqual([planned.outcome, textOf(anna)], ["restored", "never sent\n"]);
    const done = await restoreFile(anna, { version: FIRST_HASH });
    assert.equal(done.replaced, hashOf("never sent\n"));
    assert.equal(textOf(anna), VERSIONS[0]);
    const found = await restoreFile(bert, {
      version: hashOf("never sent\n"),
      to: bert.home + "/x",
    });
    assert.equal(readFileSync(found.path, "utf8"), "never sent\n");
    await quiet([anna, bert]);
    assert.deepEqual([textOf(bert), plansOf(bert)], [VERSIONS[0], [PLAN]], "it came after that");
  }));

Deno.test("what is written while the version comes is kept", () =>
  withVersions(async (anna, _, { between }) => {
    between.annaGets = () => anna.write(PLAN, "just now\n");
    const isRefused = (error: unknown) => isClaudeSyncError(error, "unsafe-file");
    await assert.rejects(restoreFile(anna, { version: FIRST_HASH }), isRefused);
    assert.deepEqual([textOf(anna), between.annaGets], ["just now\n", null]);
  }));

Deno.test("with a folder, nothing is sent, not even what an interrupted push has left", () =>
  withVersions(async (anna, _, { store, between, clock }) => {
    anna.write(PLAN, "a fourth\n", clock.nowMs());
    between.isCut = true;
    await assert.rejects(anna.push(), /The line is cut/);
    between.isCut = false;
    const before = (await objectsOf(store)).size;
    await restoreFile(anna, { to: join(anna.home, "out") });
    assert.equal((await objectsOf(store)).size, before);
    await restoreFile(anna, { version: FIRST_HASH });
    assert.equal((await objectsOf(store)).size, before + 1);
  }));

Deno.test("the newest version comes back by its name, and what is here already stays", () =>
  withVersions(async (anna) => {
    const path = join(anna.configDir, PLAN);
    const before = statSync(path).mtimeMs;
    assert.equal((await restoreFile(anna, {})).outcome, "unchanged");
    assert.equal(statSync(path).mtimeMs, before);
    rmSync(path);
    await anna.sync();
    assert.equal(textOf(anna), null, "what was deleted stays away");
    assert.equal((await restoreFile(anna, {})).outcome, "restored");
    assert.equal(textOf(anna), VERSIONS[2]);
    await quiet([anna]);
  }));

Deno.test("a memory's file comes back, of this folder's project or of one that is named", () =>
  withVersions(async (anna, bert) => {
    for (const project of [null, "~/code/app"]) {
      const version = project === null ? VERSIONS[0] : VERSIONS[1];
      const done = await restoreFile(anna, { file: MEMORY, project, version: hashOf(version) });
      assert.deepEqual([done.outcome, done.project], ["restored", "~/code/app"]);
      assert.equal(textOf(anna, memoryFile(anna)), version);
      await quiet([anna, bert]);
      assert.equal(textOf(bert, memoryFile(bert)), version);
    }
    const list = await syncService.listFiles(anna.context(), "memory", null);
    assert.deepEqual(list.files.map(({ file, versions }) => [file, versions]), [[MEMORY, 3]]);
    const plans = await syncService.listFiles(anna.context(), "plans", null);
    assert.deepEqual(plans.files.map(({ file, versions }) => [file, versions]), [[PLAN, 3]]);
  }));

Deno.test("with a folder, any version becomes a plain file, and nothing else changes", () =>
  withVersions(async (anna) => {
    const before = anna.files();
    const to = join(anna.home, "out");
    const done = await restoreFile(anna, { version: FIRST_HASH, to });
    assert.equal(done.path, join(to, PLAN));
    assert.equal(readFileSync(done.path, "utf8"), VERSIONS[0]);
    assert.equal((await restoreFile(anna, { version: FIRST_HASH, to })).outcome, "unchanged");
    const isRefused = (error: unknown) => isClaudeSyncError(error, "unsafe-file");
    await assert.rejects(restoreFile(anna, { to }), isRefused, "another version stands there");
    assert.equal((await restoreFile(anna, { to, force: true })).outcome, "restored");
    assert.equal(readFileSync(done.path, "utf8"), VERSIONS[2]);
    assert.deepEqual(anna.files(), before);
  }));

Deno.test("a plan of a session that is open is left alone", () =>
  withVersions(async (anna) => {
    const registry = `sessions/${process.pid}.json`;
    anna.write(registry, JSON.stringify({ pid: process.pid, sessionId: SESSION }));
    const before = anna.files();
    assert.equal((await restoreFile(anna, { version: FIRST_HASH })).outcome, "open");
    assert.deepEqual(anna.files(), before);
  }));

Deno.test("a version that stands beside its file is not put in its place", () =>
  withVersions(async (anna, bert, { clock }) => {
    bert.write(PLAN, "of bert\n", clock.nowMs() - 1000);
    anna.write(PLAN, "of anna\n", clock.nowMs());
    await quiet([anna, bert, anna]);
    const before = anna.files();
    await assert.rejects(
      restoreFile(anna, { version: hashOf("of bert\n") }),
      (error) => isClaudeSyncError(error, "usage") && error.message.includes("beside"),
    );
    assert.deepEqual(anna.files(), before);
  }));

Deno.test("what may not be sent is not replaced", () =>
  withVersions(async (anna, _, { clock }) => {
    anna.write(memoryFile(anna), "a secret\n", clock.nowMs());
    await syncService.projectExclude(anna.context(), "~/code/app", true);
    const isRefused = (error: unknown) => isClaudeSyncError(error, "unsafe-file");
    const request = { file: MEMORY, version: FIRST_HASH };
    await assert.rejects(restoreFile(anna, request), isRefused);
    assert.equal(textOf(anna, memoryFile(anna)), "a secret\n");
    anna.write(PLAN, "another secret\n", clock.nowMs());
    await assert.rejects(restoreFile(anna, { version: FIRST_HASH }), isRefused);
    assert.equal(textOf(anna), "another secret\n");
    await syncService.projectExclude(anna.context(), "~/code/app", false);
    assert.equal((await restoreFile(anna, request)).outcome, "restored");
  }));

Deno.test("a link in its place is nobody's to replace", () =>
  withVersions(async (anna) => {
    const target = join(anna.home, "elsewhere.md");
    rmSync(join(anna.configDir, PLAN));
    symlinkSync(target, join(anna.configDir, PLAN));
    await assert.rejects(
      restoreFile(anna, { version: FIRST_HASH }),
      (error) => isClaudeSyncError(error, "unsafe-file"),
    );
    assert.equal(existsSync(target), false);
  }));

Deno.test("what is forgotten has no versions, and its file here stays", () =>
  withVersions(async (anna) => {
    await forget(anna, [SESSION]);
    const before = anna.files();
    await assert.rejects(
      restoreFile(anna, { version: FIRST_HASH }),
      (error) => isClaudeSyncError(error, "not-found") && error.message.includes("forgotten"),
    );
    assert.deepEqual(anna.files(), before);
  }));

Deno.test("what is forgotten and stands there is not replaced", () =>
  withVersions(async (anna, _, world) => {
    await forget(anna, [SESSION]);
    // Never had anna's, so hers is not a state before this one.
    const cleo = await newcomer(world, dirname(anna.home), "cleo");
    cleo.writeTranscript(OTHER, planned(cleo, OTHER));
    world.clock.advance(HOUR_MS);
    cleo.write(PLAN, "of cleo\n", world.clock.nowMs());
    await cleo.push();
    const wanted = { version: hashOf("of cleo\n") };
    const isRefused = (error: unknown) => isClaudeSyncError(error, "unsafe-file");
    await assert.rejects(restoreFile(anna, wanted), isRefused);
    assert.equal(textOf(anna), VERSIONS[2]);
    rmSync(join(anna.configDir, PLAN));
    assert.equal((await restoreFile(anna, wanted)).outcome, "restored");
  }));

Deno.test("names that are none, and versions that are not there, are refused", () =>
  withVersions(async (anna) => {
    mkdirSync(join(anna.home, "empty"));
    const cases: readonly [Partial<FileRestoreRequest>, "usage" | "not-found"][] = [
      [{ file: "plans/../settings.json" }, "usage"],
      [{ file: "memory/" }, "usage"],
      [{ file: "plans/other-plan.md" }, "not-found"],
      [{ file: "plans/no plan.md" }, "usage"],
      [{ file: "memory/other.md" }, "not-found"],
      [{ file: MEMORY, project: "nobody" }, "not-found"],
      [{ version: "00000000" }, "not-found"],
      [{ version: FIRST_HASH.slice(0, 3) }, "not-found"],
      [{ atMs: 0 }, "not-found"],
      [{ to: anna.configDir }, "usage"],
    ];
    const before = anna.files();
    for (const [request, code] of cases) {
      await assert.rejects(
        restoreFile(anna, request),
        (error) => isClaudeSyncError(error, code) && error.hint !== undefined,
        JSON.stringify(request),
      );
    }
    assert.deepEqual(anna.files(), before);
  }));
