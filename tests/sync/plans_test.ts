import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { sha256Hex } from "../../src/crypto/hash.ts";
import { utf8 } from "../../src/base/bytes.ts";
import { syncService } from "../../src/sync/service.ts";
import { restore } from "../support/restore_world.ts";
import { syncAll } from "../support/shelf_world.ts";
import { inTempDir, said, type SyncMachine } from "../support/sync_machine.ts";
import { historyOf, newWorld, notingReads, type SyncWorld } from "../support/sync_world.ts";

const FIRST = "11111111-1111-4111-8111-111111111111";
const FORK = "22222222-2222-4222-8222-222222222222";
const PLAN = "linear-swinging-cat";
const FILE = `plans/${PLAN}.md`;
const HOUR_MS = 3_600_000;

/** A transcript whose second record names the plan. */
function planned(machine: SyncMachine, session: string, plan = PLAN): string {
  const facts = { session, cwd: machine.project, atMs: machine.platform.clock.nowMs() - HOUR_MS };
  const record = JSON.parse(said("assistant", "a plan", facts));
  return said("user", "plan it", facts) + JSON.stringify({ ...record, slug: plan }) + "\n";
}

function plansOf(machine: SyncMachine): Record<string, string> {
  const files = Object.entries(machine.files()).filter(([path]) => path.startsWith("plans/"));
  return Object.fromEntries(files);
}

function hash8(text: string): string {
  return sha256Hex(utf8(text)).slice(0, 8);
}

/** Two machines that have the session; the first one has its plan, which nobody has pushed. */
async function withPlan(
  work: (world: SyncWorld, anna: SyncMachine, bert: SyncMachine) => Promise<void>,
): Promise<void> {
  await inTempDir(async (dir) => {
    const world = await newWorld(dir);
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    anna.writeTranscript(FIRST, planned(anna, FIRST));
    anna.write(FILE, "first plan\n");
    await work(world, anna, bert);
  });
}

/** Both machines have the plan of the vault. */
async function withSharedPlan(
  work: (world: SyncWorld, anna: SyncMachine, bert: SyncMachine) => Promise<void>,
): Promise<void> {
  await withPlan(async (world, anna, bert) => {
    await anna.push();
    await bert.pull();
    assert.deepEqual(plansOf(bert), plansOf(anna));
    await work(world, anna, bert);
  });
}

async function settle(machines: readonly SyncMachine[]): Promise<void> {
  await syncAll(machines);
  for (const machine of machines) {
    const push = await machine.push();
    assert.deepEqual([push.pushed, push.otherFiles, push.bytes.sent, push.requests], [0, 0, 0, 1]);
    const pull = await machine.pull();
    assert.deepEqual([pull.pulled, pull.otherFiles, pull.requests], [0, 0, 1]);
  }
}

Deno.test("a plan goes with the session that names it, and no other one goes", () =>
  withPlan(async (_, anna, bert) => {
    anna.write(`plans/${PLAN}-agent-a1b2c3.md`, "an agent's part\n");
    anna.write("plans/unnamed-plan.md", "of no session here\n");
    anna.write("plans/notes.txt", "no plan\n");
    const pushed = await anna.push();
    assert.deepEqual([pushed.pushed, pushed.otherFiles, pushed.failures], [1, 2, []]);
    const pulled = await bert.pull();
    assert.deepEqual([pulled.pulled, pulled.otherFiles, pulled.failures], [1, 2, []]);
    assert.deepEqual(plansOf(bert), {
      [FILE]: "first plan\n",
      [`plans/${PLAN}-agent-a1b2c3.md`]: "an agent's part\n",
    });
    const mode = statSync(join(bert.configDir, FILE)).mode & 0o777;
    assert.equal(mode, process.platform === "win32" ? mode : 0o600);
    await settle([anna, bert]);
    assert.deepEqual((await bert.verify()).problems, []);
  }));

// The simulation, seed 1001253: only what came after the old end was searched for names.
Deno.test("a plan goes when the record that names it came after a record was taken out", () =>
  withSharedPlan(async (_, anna) => {
    const other = "calm-river";
    anna.write(FILE, "second plan\n");
    await anna.push();
    const [, old] = planned(anna, FIRST).split(/(?<=\n)/);
    const [, added] = planned(anna, FIRST, other).split(/(?<=\n)/);
    anna.writeTranscript(FIRST, old! + added!);
    anna.write(`plans/${other}.md`, "another plan\n");
    assert.equal((await anna.push()).otherFiles, 1);
  }));

Deno.test("a plan is no session in list, status, verify and resume", () =>
  withSharedPlan(async (_, anna, bert) => {
    for (const machine of [anna, bert]) {
      const rows = await syncService.list(machine.context());
      assert.deepEqual(rows.map(({ id, where }) => [id, where]), [[FIRST, "both"]]);
      const status = await syncService.status(machine.context());
      assert.deepEqual(
        [status.vaultSessions, status.localSessions, status.unsent, status.unreceived],
        [1, 1, 0, 0],
      );
      assert.equal((await machine.verify()).sessions, 1);
    }
    assert.equal((await syncService.resume(bert.context(), null)).id, FIRST);
  }));

Deno.test("an edit of a plan replaces the other machine's copy, which the vault keeps", () =>
  withSharedPlan(async (world, anna, bert) => {
    bert.write(FILE, "bert's plan\n");
    await bert.push();
    await anna.pull();
    assert.deepEqual(plansOf(anna), { [FILE]: "bert's plan\n" });
    await settle(world.machines);
    const states = (await historyOf(anna)).filter(({ file }) => file === FILE);
    assert.deepEqual(states.map(({ bytes }) => bytes).sort(), ["bert's plan\n", "first plan\n"]);
  }));

const ORDERS = [
  ["anna push", "bert push", "anna pull", "bert pull"],
  ["bert push", "anna push", "bert pull", "anna pull"],
  ["anna push", "bert pull", "anna pull", "bert push"],
  ["bert push", "anna pull", "bert pull", "anna push"],
  ["anna pull", "bert pull", "anna push", "bert push"],
  ["bert pull", "anna push", "anna pull", "bert push"],
];

for (const order of ORDERS) {
  Deno.test(`a plan edited on both machines: ${order.join(", ")}`, () =>
    withSharedPlan(async (world, anna, bert) => {
      const now = world.clock.nowMs();
      anna.write(FILE, "anna's plan\n", now - 60_000);
      bert.write(FILE, "bert's plan\n", now - 30_000);
      for (const step of order) {
        const [name, what] = step.split(" ");
        const machine = name === "anna" ? anna : bert;
        const result = what === "push" ? await machine.push() : await machine.pull();
        assert.deepEqual(result.failures, []);
      }
      await settle(world.machines);
      const beside = `plans/${PLAN}.${hash8("anna's plan\n")}.md`;
      const expected = { [FILE]: "bert's plan\n", [beside]: "anna's plan\n" };
      for (const machine of world.machines) {
        assert.deepEqual(plansOf(machine), expected, machine.name);
      }
      // A machine without its memory of what it did makes no third one.
      for (const machine of world.machines) {
        rmSync(join(machine.home, ".claude-sync", "state.db"));
        assert.equal((await machine.push()).otherFiles, 0);
        await settle(world.machines);
        assert.deepEqual(plansOf(machine), expected, machine.name);
      }
    }));
}

Deno.test("a version that stands beside can be edited and taken away like any other file", () =>
  withSharedPlan(async (world, anna, bert) => {
    const now = world.clock.nowMs();
    anna.write(FILE, "anna's plan\n", now - 60_000);
    bert.write(FILE, "bert's plan\n", now - 30_000);
    await settle(world.machines);
    const beside = `plans/${PLAN}.${hash8("anna's plan\n")}.md`;
    anna.write(beside, "anna's second thought\n", now - 10_000);
    await settle(world.machines);
    const expected = { [FILE]: "bert's plan\n", [beside]: "anna's second thought\n" };
    assert.deepEqual([plansOf(anna), plansOf(bert)], [expected, expected]);
    rmSync(join(anna.configDir, beside));
    await settle(world.machines);
    assert.deepEqual(plansOf(anna), { [FILE]: "bert's plan\n" });
    assert.deepEqual(plansOf(bert), expected, "nothing is deleted elsewhere");
  }));

Deno.test("sessions that name one plan share it", () =>
  withPlan(async (world, anna, bert) => {
    anna.writeTranscript(FORK, planned(anna, FORK));
    await settle(world.machines);
    for (const machine of world.machines) {
      assert.deepEqual(plansOf(machine), { [FILE]: "first plan\n" });
    }
    const plans = (await historyOf(bert)).filter(({ file }) => file === FILE);
    assert.equal(plans.length, 1, "one copy in the vault");
    // The first session is gone here; the fork goes on with the plan.
    rmSync(bert.transcriptPath(FIRST));
    bert.write(FILE, "the fork's plan\n");
    await settle(world.machines);
    assert.deepEqual(plansOf(anna), { [FILE]: "the fork's plan\n" });
  }));

Deno.test("push and pull of one session take its plan and no other", () =>
  withPlan(async (_, anna, bert) => {
    anna.writeTranscript(FORK, planned(anna, FORK, "another-plan"));
    anna.write("plans/another-plan.md", "another\n");
    const pushed = await anna.push({ sessions: [FIRST] });
    assert.deepEqual([pushed.pushed, pushed.otherFiles], [1, 1]);
    await anna.push();
    const pulled = await bert.pull({ sessions: [FORK] });
    assert.deepEqual([pulled.pulled, pulled.otherFiles], [1, 1]);
    assert.deepEqual(plansOf(bert), { "plans/another-plan.md": "another\n" });
  }));

Deno.test("a plan that was taken away stays away until it changes or is asked for", () =>
  withSharedPlan(async (_, anna, bert) => {
    rmSync(join(bert.configDir, FILE));
    assert.equal((await bert.pull()).otherFiles, 0);
    assert.equal((await bert.push()).otherFiles, 0);
    await bert.pull({ all: true });
    assert.deepEqual(plansOf(bert), { [FILE]: "first plan\n" });
    rmSync(join(bert.configDir, FILE));
    assert.equal((await bert.pull({ sessions: [FIRST] })).otherFiles, 1);
    assert.deepEqual(plansOf(bert), { [FILE]: "first plan\n" });
    rmSync(join(bert.configDir, FILE));
    const restored = await restore(bert, { queries: [FIRST] });
    assert.deepEqual([restored.otherFiles, restored.restored], [1, 0]);
    assert.deepEqual(plansOf(bert), { [FILE]: "first plan\n" });
    rmSync(join(bert.configDir, FILE));
    anna.write(FILE, "second plan\n");
    await anna.push();
    await bert.pull();
    assert.deepEqual(plansOf(bert), { [FILE]: "second plan\n" });
  }));

Deno.test("what the client would delete again is not brought, but when it is asked for", () =>
  withPlan(async (world, anna, bert) => {
    const old = world.clock.nowMs() - 40 * 24 * HOUR_MS;
    anna.write(FILE, "old plan\n", old);
    await anna.push();
    assert.deepEqual([(await bert.pull()).otherFiles, plansOf(bert)], [0, {}]);
    await bert.pull({ sessions: [FIRST] });
    assert.deepEqual(plansOf(bert), { [FILE]: "old plan\n" });
    const { mtimeMs } = statSync(join(bert.configDir, FILE));
    assert.ok(mtimeMs > world.clock.nowMs() - 30 * 24 * HOUR_MS, "the client keeps it");
    rmSync(join(anna.configDir, FILE));
    assert.equal((await anna.push()).failures.length, 0);
    assert.deepEqual(plansOf(anna), {}, "the client's clean-up is not undone");
  }));

Deno.test("unsent bytes of a plan are in the vault before they are replaced", () =>
  withSharedPlan(async (world, anna, bert) => {
    const now = world.clock.nowMs();
    anna.write(FILE, "newer\n", now - 1_000);
    bert.write(FILE, "older and unsent\n", now - 50_000);
    await anna.push();
    await bert.pull();
    assert.equal(plansOf(bert)[FILE], "newer\n");
    const states = (await historyOf(anna)).map(({ bytes }) => bytes);
    assert.ok(states.includes("older and unsent\n"));
  }));

Deno.test("plans of excluded projects stay where they are", () =>
  withPlan(async (_, anna, bert) => {
    await syncService.projectExclude(anna.context(), "home:code/app", true);
    assert.deepEqual((await anna.push()).otherFiles, 0);
    await anna.push({ all: true });
    await bert.pull({ sessions: [FIRST] });
    rmSync(join(bert.configDir, FILE));
    await syncService.projectExclude(bert.context(), "home:code/app", true);
    bert.writeTranscript(FORK, planned(bert, FORK));
    await bert.pull();
    assert.deepEqual(plansOf(bert), {});
  }));

Deno.test("a plan waits while a session that names it is open", () =>
  withSharedPlan(async (_, anna, bert) => {
    anna.write(FILE, "second plan\n");
    await anna.push();
    const registry = `sessions/${process.pid}.json`;
    bert.write(registry, JSON.stringify({ pid: process.pid, sessionId: FIRST }));
    const waiting = await bert.pull();
    assert.deepEqual([waiting.waitingIds, waiting.otherFiles], [[FIRST], 0]);
    rmSync(join(bert.configDir, registry));
    assert.equal((await bert.pull()).otherFiles, 1);
  }));

Deno.test("links in the place of plans are neither read nor written through", () =>
  withPlan(async (_, anna, bert) => {
    const secret = join(anna.home, "secret.md");
    anna.write("../secret.md", "secret\n");
    symlinkSync(secret, join(anna.configDir, "plans", "cheeky-mixing-dawn.md"));
    anna.writeTranscript(FORK, planned(anna, FORK, "cheeky-mixing-dawn"));
    assert.equal((await anna.push()).otherFiles, 1);
    const outside = join(bert.home, "outside");
    bert.write("../outside/x", "x");
    symlinkSync(outside, join(bert.configDir, "plans"));
    await bert.pull();
    assert.deepEqual(readdirSync(outside), ["x"]);
    rmSync(join(bert.configDir, "plans"));
    bert.write("plans/x.txt", "");
    symlinkSync(join(outside, "new"), join(bert.configDir, FILE));
    await bert.pull();
    assert.deepEqual(readdirSync(outside), ["x"]);
  }));

Deno.test("a push with nothing new reads no transcript", () =>
  inTempDir(async (dir) => {
    const reads: string[] = [];
    const world = await newWorld(dir, { fsOf: (_, fs) => notingReads(fs, reads) });
    const [anna] = world.machines as [SyncMachine];
    anna.writeTranscript(FIRST, planned(anna, FIRST));
    anna.write(FILE, "first plan\n");
    anna.write("plans/unnamed-plan.md", "of no session here\n");
    await anna.push();
    reads.length = 0;
    await anna.push();
    assert.deepEqual(reads.filter((path) => path.includes("projects")), []);
    // A longer transcript is read on from where it ended, and names one plan more.
    const path = anna.transcriptPath(FIRST);
    const more = planned(anna, FIRST, "unnamed-plan");
    anna.write(path.slice(anna.configDir.length), readFileSync(path, "utf8") + more);
    assert.equal((await anna.push()).otherFiles, 1);
  }));

Deno.test("empty plans do not stand in the way of what is stored behind them", () =>
  withPlan(async (_world, anna, bert) => {
    // An empty group has no length, so that the next one begins at the same place.
    anna.writeTranscript(FORK, planned(anna, FORK, "a-brown-fox"));
    anna.write("plans/a-brown-fox.md", "");
    await anna.push();
    for (const machine of [anna, bert]) assert.deepEqual((await machine.verify()).problems, []);
    assert.deepEqual((await bert.pull()).failures, []);
    assert.deepEqual(plansOf(bert), plansOf(anna));
  }));
