import assert from "node:assert/strict";
import { mkdirSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { utf8 } from "../../src/base/bytes.ts";
import { sha256Hex } from "../../src/crypto/hash.ts";
import { memoryShelfId } from "../../src/sessions/shelf.ts";
import { slugOf } from "../../src/sessions/slug.ts";
import { syncService } from "../../src/sync/service.ts";
import {
  HOUR_MS,
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
import { historyOf, newWorld, notingReads, type SyncWorld } from "../support/sync_world.ts";

function hash8(text: string): string {
  return sha256Hex(utf8(text)).slice(0, 8);
}

async function assertAtRest(world: SyncWorld): Promise<void> {
  const before = world.machines.map((machine) => machine.files());
  for (const machine of world.machines) {
    const push = await machine.push();
    assert.deepEqual([push.failures, push.otherFiles, push.requests], [[], 0, 1]);
    const pull = await machine.pull();
    assert.deepEqual([pull.failures, pull.otherFiles, pull.requests], [[], 0, 1]);
  }
  assert.deepEqual(world.machines.map((machine) => machine.files()), before);
}

async function settle(world: SyncWorld): Promise<void> {
  await syncAll(world.machines);
  await assertAtRest(world);
}

Deno.test("a project's memory comes to where the project is", () =>
  withShared(async (world, anna, bert) => {
    remember(anna, INDEX, "- [topic](topics/a.md)\n");
    remember(anna, "topics/a.md", "");
    remember(anna, "topics/日本.md", "\ufeffbytes\r\n");
    remember(anna, ".credentials.json", "secret");
    remember(anna, "sub/settings.json", "secret");
    const pushed = await anna.push();
    assert.deepEqual([pushed.pushed, pushed.otherFiles, pushed.failures], [0, 3, []]);
    const pulled = await bert.pull();
    assert.deepEqual([pulled.pulled, pulled.otherFiles, pulled.failures], [0, 3, []]);
    const { ".credentials.json": _, "sub/settings.json": __, ...expected } = memoryOf(anna);
    assert.deepEqual(memoryOf(bert), expected);
    assert.ok(!JSON.stringify(await historyOf(bert)).includes("secret"));
    await assertAtRest(world);
    assert.deepEqual((await bert.verify()).problems, []);
  }));

Deno.test("a memory is no session in list, status, verify, project list and resume", () =>
  withShared(async (world, anna, bert) => {
    remember(anna, INDEX, "x");
    await settle(world);
    for (const machine of [anna, bert]) {
      const context = machine.context();
      const rows = await syncService.list(context);
      assert.deepEqual(rows.map(({ id, where }) => [id, where]), [[ONE, "both"]]);
      const status = await syncService.status(context);
      assert.deepEqual(
        [status.vaultSessions, status.localSessions, status.unsent, status.unreceived],
        [1, 1, 0, 0],
      );
      const projects = await syncService.projectList(context);
      assert.deepEqual(projects.map(({ key }) => key), ["home:code/app"]);
      assert.ok(!JSON.stringify(projects).includes('"sessions":2'), JSON.stringify(projects));
      assert.equal((await machine.verify()).sessions, 1);
    }
    assert.equal((await syncService.resume(bert.context(), null)).id, ONE);
    const id = memoryShelfId({ kind: "home", path: "code/app" });
    await assert.rejects(bert.pull({ sessions: [id] }), { code: "not-found" });
  }));

Deno.test("push and pull of one session leave the memory alone", () =>
  withShared(async (_, anna, bert) => {
    remember(anna, INDEX, "x");
    assert.equal((await anna.push({ sessions: [ONE] })).otherFiles, 0);
    assert.equal((await anna.push()).otherFiles, 1);
    assert.equal((await bert.pull({ sessions: [ONE] })).otherFiles, 0);
    assert.equal((await bert.pull()).otherFiles, 1);
  }));

Deno.test("machines that both had a memory before keep both versions", () =>
  withShared(async (world, anna, bert) => {
    const now = world.clock.nowMs();
    remember(anna, INDEX, "anna's\n", now - 20_000);
    remember(bert, INDEX, "bert's\n", now - 10_000);
    remember(anna, "same.md", "same\n", now - 5_000);
    remember(bert, "same.md", "same\n", now - 9_000);
    await settle(world);
    const expected = {
      [INDEX]: "bert's\n",
      [`MEMORY.${hash8("anna's\n")}.md`]: "anna's\n",
      "same.md": "same\n",
    };
    for (const machine of world.machines) assert.deepEqual(memoryOf(machine), expected);
    // Merging both into one and taking the other away is all that is needed.
    remember(anna, INDEX, "anna's\nbert's\n", now);
    rmSync(join(anna.configDir, memoryDir(anna), `MEMORY.${hash8("anna's\n")}.md`));
    await settle(world);
    assert.deepEqual(memoryOf(anna), { [INDEX]: "anna's\nbert's\n", "same.md": "same\n" });
    assert.equal(memoryOf(bert)[INDEX], "anna's\nbert's\n");
  }));

Deno.test("a copy beside goes when its writer has gone on, and the vault keeps it", () =>
  withShared(async (world, anna, bert) => {
    const now = world.clock.nowMs();
    remember(anna, INDEX, "anna's first", now - 40_000);
    remember(bert, INDEX, "bert's", now - 10_000);
    await anna.push();
    await bert.sync();
    const beside = (text: string) => `MEMORY.${hash8(text)}.md`;
    assert.equal(memoryOf(bert)[beside("anna's first")], "anna's first");
    // anna has not pulled yet: she goes on with her own.
    remember(anna, INDEX, "anna's second", now - 30_000);
    await settle(world);
    const expected = { [INDEX]: "bert's", [beside("anna's second")]: "anna's second" };
    for (const machine of world.machines) assert.deepEqual(memoryOf(machine), expected);
    assert.ok((await historyOf(bert)).some(({ bytes }) => bytes === "anna's first"));
    // A copy that somebody has changed is his own, and stays.
    remember(bert, beside("anna's second"), "bert's copy", now - 5_000);
    await settle(world);
    assert.equal(memoryOf(anna)[beside("anna's second")], "bert's copy");
  }));

Deno.test("a memory file that was taken away stays away until it changes elsewhere", () =>
  withShared(async (world, anna, bert) => {
    remember(anna, INDEX, "x");
    remember(anna, "a.md", "a");
    await settle(world);
    rmSync(join(bert.configDir, memoryDir(bert), "a.md"));
    await settle(world);
    assert.deepEqual([Object.keys(memoryOf(bert)), Object.keys(memoryOf(anna))], [
      [INDEX],
      [INDEX, "a.md"],
    ]);
    remember(anna, "a.md", "a, again");
    await settle(world);
    assert.equal(memoryOf(bert)["a.md"], "a, again");
    rmSync(join(bert.configDir, memoryDir(bert)), { recursive: true });
    await settle(world);
    assert.deepEqual(memoryOf(bert), {});
    await bert.pull({ all: true });
    assert.deepEqual(memoryOf(bert), memoryOf(anna));
  }));

Deno.test("an old memory comes with its time: the client never cleans it up", () =>
  withShared(async (world, anna, bert) => {
    const old = world.clock.nowMs() - 400 * 24 * HOUR_MS;
    remember(anna, INDEX, "old", old);
    await settle(world);
    const { mtimeMs } = statSync(join(bert.configDir, memoryDir(bert), INDEX));
    assert.equal(mtimeMs, old);
  }));

Deno.test("memories of excluded projects neither go nor come", () =>
  withShared(async (_, anna, bert) => {
    remember(anna, INDEX, "anna's");
    await syncService.projectExclude(anna.context(), "home:code/app", true);
    assert.equal((await anna.push()).otherFiles, 0);
    await syncService.projectExclude(anna.context(), "home:code/app", false);
    assert.equal((await anna.push()).otherFiles, 1);
    await syncService.projectExclude(bert.context(), "home:code/app", true);
    assert.equal((await bert.pull()).otherFiles, 0);
    remember(bert, INDEX, "bert's");
    assert.equal((await bert.push()).otherFiles, 0);
    assert.deepEqual(memoryOf(bert), { [INDEX]: "bert's" });
  }));

/** A Git repository at `top`, and optionally a worktree of it. */
function repository(top: string, worktree?: string): void {
  const git = join(top, ".git");
  mkdirSync(git, { recursive: true });
  writeFileSync(join(git, "HEAD"), "ref: refs/heads/main\n");
  writeFileSync(join(git, "config"), '[remote "origin"]\n\turl = git@github.com:acme/app.git\n');
  if (worktree === undefined) return;
  const own = join(git, "worktrees", "wt");
  mkdirSync(own, { recursive: true });
  writeFileSync(join(own, "HEAD"), "ref: refs/heads/wt\n");
  writeFileSync(join(own, "commondir"), "../..\n");
  mkdirSync(worktree, { recursive: true });
  writeFileSync(join(worktree, ".git"), `gitdir: ${own}\n`);
}

Deno.test("a repository's memory stands with the top of its main work tree", () =>
  inTempDir(async (dir) => {
    const world = await newWorld(dir);
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    const [top, worktree] = [join(bert.home, "src", "app"), join(bert.home, "wt")];
    repository(anna.project);
    repository(top, worktree);
    // anna works in a folder of it, bert in a worktree and nowhere else.
    const web = join(anna.project, "web");
    mkdirSync(web);
    anna.write(`projects/${slugOf(web)}/${ONE}.jsonl`, talk(anna, ONE, web));
    remember(anna, INDEX, "anna's");
    const own = "22222222-2222-4222-8222-222222222222";
    bert.write(`projects/${slugOf(worktree)}/${own}.jsonl`, talk(bert, own, worktree));
    await settle(world);
    assert.deepEqual(memoryOf(bert, top), { [INDEX]: "anna's" });
    assert.deepEqual(memoryOf(bert, worktree), {});
    bert.write(`${memoryDir(bert, top)}/${INDEX}`, "bert's own");
    await settle(world);
    assert.deepEqual(memoryOf(anna), { [INDEX]: "bert's own" });
  }));

Deno.test("two clones of a repository on one machine both have the memory", () =>
  inTempDir(async (dir) => {
    const world = await newWorld(dir);
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    const second = join(anna.home, "second");
    for (const top of [anna.project, second, bert.project]) repository(top);
    anna.writeTranscript(ONE, talk(anna));
    const other = "22222222-2222-4222-8222-222222222222";
    anna.write(`projects/${slugOf(second)}/${other}.jsonl`, talk(anna, other, second));
    const now = world.clock.nowMs();
    remember(anna, INDEX, "first clone", now - 20_000);
    anna.write(`${memoryDir(anna, second)}/${INDEX}`, "second clone", now - 10_000);
    await settle(world);
    const expected = {
      [INDEX]: "second clone",
      [`MEMORY.${hash8("first clone")}.md`]: "first clone",
    };
    assert.deepEqual(memoryOf(anna), expected);
    assert.deepEqual(memoryOf(anna, second), expected);
    assert.deepEqual(memoryOf(bert), expected);
  }));

Deno.test("a memory whose project is not here waits in the vault, without a word", () =>
  withShared(async (world, anna, bert) => {
    const elsewhere = join(anna.home, "only-here");
    mkdirSync(elsewhere);
    const id = "22222222-2222-4222-8222-222222222222";
    anna.write(`projects/${slugOf(elsewhere)}/${id}.jsonl`, talk(anna, id, elsewhere));
    anna.write(`${memoryDir(anna, elsewhere)}/${INDEX}`, "x");
    await anna.push();
    const pulled = await bert.pull();
    assert.deepEqual([pulled.failures, pulled.unplaced, pulled.otherFiles], [[], 1, 0]);
    const here = join(bert.home, "only-here");
    mkdirSync(here);
    assert.equal((await bert.pull()).otherFiles, 1);
    assert.deepEqual(memoryOf(bert, here), { [INDEX]: "x" });
    await assertAtRest(world);
  }));

Deno.test("a memory that is a link, or holds one, is neither read nor written through", () =>
  withShared(async (_, anna, bert) => {
    writeFileSync(join(anna.home, "secret"), "secret");
    remember(anna, INDEX, "x");
    symlinkSync(join(anna.home, "secret"), join(anna.configDir, memoryDir(anna), "linked.md"));
    assert.equal((await anna.push()).otherFiles, 1);
    const outside = join(bert.home, "outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "own.md"), "bert's own");
    const link = join(bert.configDir, memoryDir(bert));
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(outside, link);
    await bert.pull();
    assert.equal((await bert.push()).otherFiles, 0);
    assert.deepEqual(readdirSync(outside), ["own.md"]);
  }));

Deno.test("a push and a pull with nothing new read no memory and no transcript", () =>
  inTempDir(async (dir) => {
    const reads: string[] = [];
    const world = await newWorld(dir, { fsOf: (_, fs) => notingReads(fs, reads) });
    const [anna] = world.machines as [SyncMachine];
    anna.writeTranscript(ONE, talk(anna));
    remember(anna, INDEX, "x");
    await settle(world);
    reads.length = 0;
    await anna.push();
    await anna.pull();
    assert.deepEqual(reads.filter((path) => path.startsWith(`${anna.configDir}/projects`)), []);
  }));

const STEPS = ["edit", "edit", "edit", "push", "pull", "sync", "forget", "remove"] as const;

Deno.test("memories converge after any steps, and nothing that was written is lost", async () => {
  const step = fc.record({
    kind: fc.constantFrom(...STEPS),
    machine: fc.nat(2),
    file: fc.constantFrom(INDEX, "a.md", "topics/b"),
  });
  let count = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 3, maxLength: 25 }),
      (steps) =>
        withShared(async (world, anna) => {
          const written = new Set<string>();
          for (const { kind, machine: index, file } of steps) {
            const machine = world.machines[index]!;
            const path = join(machine.configDir, memoryDir(machine), file);
            world.clock.advance(30_000);
            switch (kind) {
              case "edit": {
                // What is replaced before anybody pushed it is lost, as on one machine.
                await machine.push();
                const text = `text ${++count}`;
                remember(machine, file, text, world.clock.nowMs() - HOUR_MS);
                written.add(text);
                break;
              }
              case "remove":
                await machine.push();
                rmSync(path, { force: true });
                break;
              case "forget":
                for (const suffix of ["", "-wal", "-shm"]) {
                  rmSync(join(machine.home, ".claude-sync", `state.db${suffix}`), { force: true });
                }
                break;
              default:
                await machine[kind]();
            }
          }
          await settle(world);
          const history = (await historyOf(anna)).map(({ bytes }) => bytes);
          for (const text of written) assert.ok(history.includes(text), text);
          for (const machine of world.machines) await machine.pull({ all: true });
          const [expected, ...others] = world.machines.map((machine) => memoryOf(machine));
          for (const other of others) assert.deepEqual(other, expected);
          await settle(world);
          assert.deepEqual((await anna.verify()).problems, []);
        }, { names: ["anna", "bert", "cleo"] }),
    ),
    {
      numRuns: Number(Deno.env.get("CLAUDE_SYNC_MEMORY_RUNS") ?? 8),
      seed: Number(Deno.env.get("CLAUDE_SYNC_MEMORY_SEED") ?? 20260117),
      endOnFailure: true,
    },
  );
});
