/** Giving up a lost machine, and what becomes of it when it was not lost. */
import assert from "node:assert/strict";
import fs from "node:fs";
import { join } from "node:path";
import { isClaudeSyncError } from "../../src/errors.ts";
import type { GivenUpMachine } from "../../src/sync/gc_api.ts";
import { syncService } from "../../src/sync/service.ts";
import { allStates, DAY_MS, gc, IDS, liveOn, pushTurns, speak } from "../support/gc_world.ts";
import { inTempDir, SyncMachine } from "../support/sync_machine.ts";
import { contentsOf, newcomer, newWorld, objectsOf } from "../support/sync_world.ts";
import type { SyncWorld } from "../support/sync_world.ts";

type Two = [SyncMachine, SyncMachine];
type Three = [SyncMachine, SyncMachine, SyncMachine];

Deno.test("a lost machine's log is taken over and goes after the grace", () =>
  inTempDir(async (dir) => {
    const world = await newWorld(dir, { names: ["anna", "bert", "carl"] });
    const [anna, bert, carl] = world.machines as Three;
    await pushTurns(bert, world.clock, 7);
    await anna.pull({ all: true });
    speak(anna, IDS[0]!, "anna goes on");
    await anna.push();
    await carl.pull({ all: true });
    const before = await allStates(anna);
    const places = [
      ...(await syncService.projectList(anna.context())).map((
        { key, sessions },
      ) => [key, sessions]),
    ];
    const done = await gc(anna, { machine: "bert" });
    assert.deepEqual([done.retired?.machine.name, done.retired?.entries], ["bert", 7]);
    assert.deepEqual([done.waiting?.objects, done.waiting?.daysLeft], [7, 7]);
    await liveOn(anna, world.clock, 7);
    assert.equal((await gc(anna)).deleted.objects, 7);
    const logs = [...(await objectsOf(world.store)).keys()].filter((name) => /^log/.test(name));
    assert.equal(new Set(logs.map((name) => name.split("/")[1])).size, 1, "one log is left");
    for (const machine of [anna, carl]) {
      assert.deepEqual(await allStates(machine), before);
      assert.deepEqual((await machine.verify()).problems, []);
    }
    const fresh = await newcomer(world, dir, "dora");
    await fresh.pull({ all: true });
    assert.deepEqual(await allStates(fresh), before);
    assert.deepEqual(
      (await syncService.projectList(fresh.context())).map(({ key, sessions }) => [key, sessions]),
      places,
    );
    await pushTurns(anna, world.clock, 6);
    const states = await allStates(carl);
    assert.ok((await gc(anna)).compacted !== null, "what was taken over is in the next checkpoint");
    await liveOn(anna, world.clock, 7);
    await gc(anna);
    assert.deepEqual(await allStates(carl), states);
    assert.deepEqual(await allStates(fresh), states);
    assert.deepEqual((await carl.verify()).problems, []);
  }));

Deno.test("a machine that comes back after it was given up begins anew and loses nothing", () =>
  inTempDir(async (dir) => {
    const world = await newWorld(dir);
    const [anna, bert] = world.machines as Two;
    await pushTurns(anna, world.clock, 2);
    await pushTurns(bert, world.clock, 5);
    await anna.pull({ all: true });
    speak(bert, IDS[1]!, "said while it was away");
    await gc(anna, { machine: "bert" });
    await liveOn(anna, world.clock, 7);
    await gc(anna);
    const tagOf = () =>
      JSON.parse(fs.readFileSync(join(bert.home, ".claude-sync", "machine.json"), "utf8")).tag;
    const tag = tagOf();
    assert.equal((await bert.push()).pushed, 1);
    assert.notEqual(tagOf(), tag);
    assert.ok(bert.events.some((event) => event.kind === "note" && /given/.test(event.message)));
    await bert.pull({ all: true });
    await anna.pull({ all: true });
    assert.deepEqual(contentsOf(anna), contentsOf(bert));
    assert.deepEqual(await allStates(anna), await allStates(bert));
    for (const machine of [anna, bert]) assert.deepEqual((await machine.verify()).problems, []);
    const { machines } = await syncService.status(anna.context());
    assert.deepEqual(machines.map(({ name }) => name).sort(), ["anna", "bert"]);
    const states = await allStates(anna);
    const again = await gc(anna, { machine: "bert" });
    assert.equal(again.retired?.entries, 1, "his new log may be given up as well");
    assert.deepEqual(await allStates(bert), states);
  }));

Deno.test("a log that grew after it was given up stays until it is given up again", () =>
  inTempDir(async (dir) => {
    const world = await newWorld(dir);
    const [anna, bert] = world.machines as Two;
    await pushTurns(bert, world.clock, 4);
    await anna.pull({ all: true });
    // A copy of the vault that lags: bert does not see that he was given up.
    const before = await objectsOf(world.store);
    await gc(anna, { machine: "bert" });
    const hidden: [string, Uint8Array][] = [];
    for (const [name] of await objectsOf(world.store)) {
      if (before.has(name)) continue;
      hidden.push([name, (await world.store.get(name as never))!]);
      await world.store.delete(name as never);
    }
    await pushTurns(bert, world.clock, 1);
    for (const [name, bytes] of hidden) await world.store.put(name as never, bytes as never);
    await liveOn(anna, world.clock, 8);
    const states = await allStates(anna);
    assert.equal((await gc(anna)).deleted.objects, 0);
    assert.ok(
      anna.events.some((event) => event.kind === "note" && /its log stays/.test(event.message)),
    );
    const again = await gc(anna, { machine: "bert" });
    assert.equal(again.retired?.entries, 1);
    await liveOn(anna, world.clock, 7);
    assert.equal((await gc(anna)).deleted.objects, 5);
    assert.deepEqual(await allStates(bert), states);
    assert.deepEqual((await bert.verify()).problems, []);
  }));

Deno.test("whoever asks for it must mean it", () =>
  inTempDir(async (dir) => {
    const world = await newWorld(dir);
    const [anna, bert] = world.machines as Two;
    await pushTurns(anna, world.clock, 1);
    await pushTurns(bert, world.clock, 1);
    const asked: GivenUpMachine[] = [];
    const approve = (machine: GivenUpMachine) => {
      asked.push(machine);
      return Promise.resolve(false);
    };
    const count = (await objectsOf(world.store)).size;
    const refused = async (machine: string, code: "usage" | "not-found" | "interrupted") => {
      const given = gc(anna, { machine, approve });
      await assert.rejects(given, (error) => isClaudeSyncError(error, code));
    };
    await refused("anna", "usage");
    await refused("nobody", "not-found");
    await refused("bert", "interrupted");
    world.clock.advance(31 * DAY_MS);
    await refused("bert", "interrupted");
    assert.deepEqual(asked.map(({ name, isRecent }) => [name, isRecent]), [
      ["bert", true],
      ["bert", false],
    ]);
    assert.equal((await gc(anna, { machine: "bert", approve, dryRun: true })).retired?.entries, 1);
    assert.equal((await objectsOf(world.store)).size, count, "nothing was written");
  }));

Deno.test("gc holds nobody up while it asks whether a machine is lost", () =>
  inTempDir(async (dir) => {
    const world = await newWorld(dir);
    const [anna, bert] = world.machines as Two;
    await pushTurns(anna, world.clock, 1);
    await pushTurns(bert, world.clock, 3);
    world.clock.advance(31 * DAY_MS);
    const states: string[] = [];
    const approve = async () => {
      speak(anna, IDS[0]!, "a session ends while the user thinks");
      assert.equal((await anna.push()).pushed, 1);
      // The laptop is shut for longer than half the grace: what is known is looked up afterwards.
      world.clock.advance(4 * DAY_MS);
      states.push(...await allStates(anna));
      return true;
    };
    const done = await gc(anna, { machine: "bert", approve });
    assert.equal(done.retired?.entries, 3);
    assert.ok(done.ms < DAY_MS, "the time of the user is not ours");
    assert.deepEqual(await allStates(anna), states);
    assert.deepEqual((await anna.verify()).problems, []);
  }));

/** What happens while the user thinks, and what they are told. */
const MEANWHILE: readonly {
  readonly name: string;
  readonly says: RegExp;
  readonly happens: (others: Two, world: SyncWorld) => Promise<unknown>;
}[] = [
  {
    name: "has pushed",
    says: /^"bert" has pushed since you were asked/,
    happens: ([bert], { clock }) => pushTurns(bert, clock, 1),
  },
  {
    name: "has compacted its log",
    says: /^"bert" has pushed since you were asked/,
    happens: ([bert]) => gc(bert),
  },
  {
    name: "was given up by another machine",
    says: /^"bert" was given up by another machine since you were asked$/,
    happens: ([, carl]) => gc(carl, { machine: "bert" }),
  },
];

for (const { name, says, happens } of MEANWHILE) {
  Deno.test(`gc gives no machine up that ${name} while it asked`, () =>
    inTempDir(async (dir) => {
      const world = await newWorld(dir, { names: ["anna", "bert", "carl"] });
      const [anna, bert, carl] = world.machines as Three;
      await pushTurns(anna, world.clock, 1);
      await pushTurns(bert, world.clock, 7);
      await pushTurns(carl, world.clock, 1);
      let before: string[] = [];
      const approve = async () => {
        await happens([bert, carl], world);
        before = [...(await objectsOf(world.store)).keys()];
        return true;
      };
      await assert.rejects(
        gc(anna, { machine: "bert", approve }),
        (error) => isClaudeSyncError(error, "busy") && says.test(error.message),
      );
      assert.deepEqual([...(await objectsOf(world.store)).keys()], before, "nothing was written");
    }));
}

// The simulation, seed 1001113: it was told that its log was forked.
Deno.test("a machine that was given up itself may give another one up", () =>
  inTempDir(async (dir) => {
    const world = await newWorld(dir, { names: ["anna", "bert", "carl"] });
    const [anna, bert, carl] = world.machines as Three;
    await pushTurns(anna, world.clock, 1);
    await pushTurns(bert, world.clock, 3);
    await pushTurns(carl, world.clock, 3);
    await anna.pull({ all: true });
    const states = await allStates(anna);
    await gc(anna, { machine: "bert" });
    const planned = await gc(bert, { machine: "carl", dryRun: true });
    assert.equal(planned.retired?.entries, 3);
    assert.equal((await gc(bert, { machine: "carl" })).retired?.entries, 3);
    await liveOn(bert, world.clock, 7);
    assert.equal((await gc(bert)).deleted.objects, 3);
    for (const machine of [anna, bert, carl]) {
      assert.deepEqual(await allStates(machine), states);
      assert.deepEqual((await machine.verify()).problems, []);
    }
  }));

Deno.test("a log that two clones wrote is given up whole", () =>
  inTempDir(async (dir) => {
    const world = await newWorld(dir);
    const [anna, bert] = world.machines as Two;
    await pushTurns(bert, world.clock, 3);
    const home = join(dir, "bert");
    fs.cpSync(home, join(dir, "kept"), { recursive: true, preserveTimestamps: true });
    speak(bert, IDS[4]!, "one clone");
    await bert.push();
    // The other clone writes the same number, not having seen the first one's.
    const before = await objectsOf(world.store);
    fs.rmSync(home, { recursive: true });
    fs.cpSync(join(dir, "kept"), home, { recursive: true, preserveTimestamps: true });
    const twin = [...before.keys()].find((name) => name.includes("000000000004."))!;
    const bytes = (await world.store.get(twin as never))!;
    await world.store.delete(twin as never);
    speak(bert, IDS[5]!, "the other clone");
    await bert.push();
    await world.store.put(twin as never, bytes);
    await anna.pull({ all: true });
    const states = await allStates(anna);
    const { id } = (await syncService.status(anna.context())).machines
      .find(({ name }) => name === "bert")!;
    assert.equal((await gc(anna, { machine: id })).retired?.entries, 5);
    await liveOn(anna, world.clock, 7);
    assert.equal((await gc(anna)).deleted.objects, 5);
    assert.deepEqual(await allStates(anna), states);
    await bert.sync();
    assert.deepEqual(await allStates(bert), states);
    assert.deepEqual((await anna.verify()).problems, []);
  }));
