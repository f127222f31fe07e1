/** Titles in the vault: what the other machines call a session that is not here. */
import assert from "node:assert/strict";
import { appendFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ClaudeSyncError } from "../../src/errors.ts";
import { listForgotten } from "../../src/sync/recall.ts";
import { syncService } from "../../src/sync/service.ts";
import { dropState, forget, recall, speak } from "../support/forget_world.ts";
import { gc, IDS, liveOn, pushTurns, withOwnContent } from "../support/gc_world.ts";
import { inTempDir, SyncMachine } from "../support/sync_machine.ts";
import { newWorld, objectsOf, type SyncWorld } from "../support/sync_world.ts";

const ID = IDS[0]!;
const OTHER = IDS[1]!;

type Two = [SyncMachine, SyncMachine];

async function withTwo(work: (two: Two, world: SyncWorld, dir: string) => Promise<void>) {
  await inTempDir(async (dir) => {
    const world = await newWorld(dir);
    await work(world.machines as Two, world, dir);
  });
}

/** Titles as `list` shows them. */
async function titles(machine: SyncMachine): Promise<Record<string, string | null>> {
  const rows = await syncService.list(machine.context());
  return Object.fromEntries(rows.map(({ id, title }) => [id, title]));
}

async function forgottenTitles(machine: SyncMachine): Promise<Record<string, string | null>> {
  const rows = await listForgotten(machine.context());
  return Object.fromEntries(rows.map(({ id, title }) => [id, title]));
}

/** The user names the session. */
function name(machine: SyncMachine, session: string, title: string): void {
  const record = { type: "custom-title", customTitle: title, sessionId: session };
  appendFileSync(machine.transcriptPath(session), JSON.stringify(record) + "\n");
}

/** What the client's clean-up leaves: nothing. */
function cleanUp(machine: SyncMachine): void {
  rmSync(join(machine.configDir, "projects"), { recursive: true });
}

/** Reads the vault, and writes nothing here. */
async function look(machine: SyncMachine): Promise<void> {
  await machine.pull({ dryRun: true });
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(() => null, (thrown) => thrown);
  assert.ok(error instanceof ClaudeSyncError, `failed with ${error}`);
  return error.code;
}

Deno.test("a session that the client has deleted keeps its title, and is found by it", () =>
  withTwo(async ([anna]) => {
    speak(anna, ID, "fix the flaky\n  test");
    speak(anna, OTHER, "something else");
    await anna.push();
    cleanUp(anna);
    const expected = { [ID]: "fix the flaky test", [OTHER]: "something else" };
    assert.deepEqual(await titles(anna), expected);
    dropState(anna);
    await look(anna);
    assert.deepEqual(await titles(anna), expected, "the vault has it, not the index");
    const target = await syncService.resume(anna.context(), "flaky test");
    assert.deepEqual([target.id, target.title], [ID, "fix the flaky\n  test"]);
    assert.equal(await codeOf(syncService.resume(anna.context(), "flaky bird")), "not-found");
  }));

Deno.test("a title is said when it is new and something of the transcript is", () =>
  withTwo(async ([anna, bert], world) => {
    const objects = async () => (await objectsOf(world.store)).size;
    speak(anna, ID, "first words");
    await anna.push();
    await look(bert);
    assert.deepEqual(await titles(bert), { [ID]: "first words" });
    name(anna, ID, "Named");
    await anna.push();
    await look(bert);
    assert.deepEqual(await titles(bert), { [ID]: "Named" });
    const before = await objects();
    const log = () =>
      withOwnContent(anna, ({ content }) => Promise.resolve(content.title(ID)?.title.time));
    const time = await log();
    world.clock.advance(1_000);
    speak(anna, ID, "more");
    await anna.push();
    assert.equal(await log(), time, "what holds is not said again");
    assert.equal(await objects(), before + 1);
    await anna.push();
    dropState(anna);
    await anna.push();
    assert.equal(await objects(), before + 1, "a title alone is no reason to push");
  }));

Deno.test("the last one to name a session is right, whatever the clocks say", () =>
  withTwo(async ([anna, bert], world, dir) => {
    speak(anna, ID, "first words");
    await anna.push();
    await bert.pull();
    const slow = new SyncMachine({ name: "cleo", dir, store: () => Promise.resolve(world.store) });
    await slow.join(anna);
    name(bert, ID, "Bert's name");
    await bert.push();
    await anna.pull();
    world.clock.advance(-40 * 24 * 3_600_000);
    name(anna, ID, "Anna's name");
    await anna.push();
    for (const machine of [bert, slow]) await look(machine);
    assert.deepEqual(await titles(slow), { [ID]: "Anna's name" });
    cleanUp(bert);
    assert.deepEqual(await titles(bert), { [ID]: "Anna's name" });
  }));

Deno.test("with a session its title is forgotten, recalled, and at last gone", () =>
  withTwo(async ([anna, bert], world) => {
    await pushTurns(anna, world.clock, 6);
    await look(bert);
    const all = await titles(bert);
    assert.equal(Object.values(all).every((title) => title !== null), true);
    cleanUp(anna);
    await forget(anna, [ID]);
    await look(bert);
    for (const machine of [anna, bert]) {
      assert.equal(ID in await titles(machine), false, machine.name);
      assert.deepEqual(await forgottenTitles(machine), { [ID]: all[ID] }, machine.name);
    }
    await recall(anna, [ID]);
    await look(bert);
    assert.deepEqual([await titles(anna), await titles(bert)], [all, all]);
    const words = all[ID]!.split(" ");
    assert.deepEqual((await forget(bert, words)).sessions.map(({ id }) => id), [ID]);
    await look(anna);
    await gc(anna);
    await look(bert);
    assert.deepEqual(await forgottenTitles(bert), { [ID]: all[ID] }, "it can be brought back");
    await liveOn(anna, world.clock, 31);
    assert.ok((await gc(anna)).compacted !== null);
    const said = await withOwnContent(anna, ({ content, scratch }) =>
      Promise.resolve([
        content.title(ID),
        scratch.prepare("SELECT count(*) AS n FROM said_title").get()?.["n"],
      ]));
    assert.deepEqual(said, [null, Object.keys(all).length - 1]);
    for (const machine of [anna, bert]) {
      await look(machine);
      assert.deepEqual(await forgottenTitles(machine), {});
      const { [ID]: _, ...rest } = all;
      assert.deepEqual(await titles(machine), rest);
    }
  }));

Deno.test("a compaction and a machine's retirement keep all titles", () =>
  withTwo(async ([anna, bert], world, dir) => {
    await pushTurns(anna, world.clock, 6);
    await bert.pull({ all: true });
    speak(bert, ID, "bert goes on");
    name(bert, ID, "Bert's");
    await bert.push();
    speak(bert, IDS[7]!, "bert alone");
    await bert.push();
    await anna.pull({ all: true });
    const all = await titles(anna);
    assert.deepEqual([all[ID], all[IDS[7]!]], ["Bert's", "bert alone"]);
    assert.ok((await gc(anna)).compacted !== null);
    await gc(anna, { machine: "bert" });
    await liveOn(anna, world.clock, 8);
    await gc(anna);
    const fresh = new SyncMachine({
      ...{ name: "dora", dir, clock: world.clock },
      store: () => Promise.resolve(world.store),
    });
    await fresh.join(anna);
    await look(fresh);
    cleanUp(anna);
    for (const machine of [anna, fresh]) assert.deepEqual(await titles(machine), all);
    assert.deepEqual((await anna.verify()).problems, []);
  }));

Deno.test("who goes on with a forgotten session says its title again", () =>
  withTwo(async ([anna, bert], world) => {
    await pushTurns(anna, world.clock, 6);
    const title = (await titles(anna))[ID]!;
    await forget(anna, [ID]);
    await liveOn(anna, world.clock, 31);
    await gc(anna);
    speak(anna, ID, "and on");
    await anna.push();
    await look(bert);
    assert.equal((await titles(bert))[ID], title);
  }));

Deno.test("words that fit a session here and one in the vault mean the one here", () =>
  withTwo(async ([anna, bert]) => {
    speak(anna, ID, "flaky one");
    await anna.push();
    await look(bert);
    speak(bert, OTHER, "flaky two");
    await bert.push();
    cleanUp(anna);
    await anna.pull({ sessions: [OTHER] });
    const target = await syncService.resume(anna.context(), "flaky");
    assert.equal(target.id, OTHER);
    assert.equal(await codeOf(forget(anna, ["flaky"])), "ambiguous", "deleting needs more");
  }));
