import assert from "node:assert/strict";
import { appendFileSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import fc from "fast-check";
import type { FileSystem } from "../../src/platform/types.ts";
import { HISTORY_LINE_BYTES_MAX } from "../../src/sessions/prompt_history.ts";
import { syncService } from "../../src/sync/service.ts";
import { forget, speak } from "../support/forget_world.ts";
import { HOUR_MS, ONE, syncAll, talk, withShared } from "../support/shelf_world.ts";
import { inTempDir, said, type SyncMachine } from "../support/sync_machine.ts";
import { emptyWorld, historyOf, newWorld, type SyncWorld } from "../support/sync_world.ts";

const TWO = "22222222-2222-4222-8222-222222222222";

let count = 0;

/** A line as the client writes it. */
function prompt(session: string | null, display: string, timestamp = ++count): string {
  const line = { display, pastedContents: {}, timestamp, project: "/home/anna/code/app" };
  return JSON.stringify(session === null ? line : { ...line, sessionId: session }) + "\n";
}

function pathOf(machine: SyncMachine): string {
  return join(machine.configDir, "history.jsonl");
}

function type(machine: SyncMachine, ...lines: string[]): void {
  appendFileSync(pathOf(machine), lines.join(""), "latin1");
}

function history(machine: SyncMachine): string {
  return machine.files()["history.jsonl"] ?? "";
}

function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

/** Nothing moves any more, and nobody's history grows. */
async function assertAtRest(world: SyncWorld): Promise<void> {
  const before = world.machines.map(history);
  for (const machine of [...world.machines, ...world.machines]) {
    const push = await machine.push();
    assert.deepEqual([push.failures, push.pushed, push.bytes.sent, push.requests], [[], 0, 0, 1]);
    const pull = await machine.pull();
    assert.deepEqual([pull.failures, pull.pulled, pull.requests], [[], 0, 1]);
    assert.equal(pull.bytes.written, 0);
  }
  assert.deepEqual(world.machines.map(history), before);
}

async function settle(world: SyncWorld): Promise<void> {
  await syncAll(world.machines);
  await assertAtRest(world);
}

Deno.test("a session's prompts go along with it, byte for byte, and nobody else's", () =>
  withShared(async (world, anna, bert) => {
    const odd = `{"sessionId": "${ONE}",  "timestamp":7, "display":"sp\\u00e4t 日本" }\r\n`;
    const own = [prompt(ONE, "first"), Buffer.from(odd).toString("latin1"), prompt(ONE, "last")];
    const others = [prompt(null, "old client"), "garbage\n", "\n", prompt(TWO, "of no session")];
    type(anna, own[0]!, others[0]!, own[1]!, others[1]!, others[2]!, own[2]!, others[3]!);
    const before = history(anna);
    assert.deepEqual((await anna.push()).failures, []);
    const pulled = await bert.pull();
    assert.deepEqual(pulled.failures, []);
    assert.deepEqual(linesOf(history(bert)).sort(), linesOf(own.join("")).sort());
    assert.equal(statSync(pathOf(bert)).mode & 0o077, 0);
    assert.equal(history(anna), before);
    const [stored] = (await historyOf(bert)).filter(({ file }) => file === "history");
    assert.equal(stored!.bytes, own.join(""), "in the vault in the order they stand");
    await assertAtRest(world);
  }));

Deno.test("lines are added in the order of their time, after what is there", () =>
  withShared(async (_, anna, bert) => {
    anna.writeTranscript(TWO, talk(anna, TWO));
    type(anna, prompt(ONE, "b", 20), prompt(TWO, "c", 30), prompt(ONE, "d", 40));
    type(anna, prompt(TWO, "a", 10));
    type(bert, prompt(ONE, "bert's", 99));
    await anna.push();
    await bert.pull();
    const texts = linesOf(history(bert)).map((line) => JSON.parse(line).display);
    assert.deepEqual(texts, ["bert's", "a", "b", "c", "d"]);
  }));

Deno.test("two machines that both went on have the same lines, each in its own order", () =>
  withShared(async (world, anna, bert) => {
    type(anna, prompt(ONE, "first"));
    await settle(world);
    type(anna, prompt(ONE, "anna's"));
    type(bert, prompt(ONE, "bert's"));
    await settle(world);
    const texts = world.machines.map((machine) =>
      linesOf(history(machine)).map((line) => JSON.parse(line).display)
    );
    assert.deepEqual(texts, [["first", "anna's", "bert's"], ["first", "bert's", "anna's"]]);
    type(anna, prompt(ONE, "anna again"));
    await settle(world);
    assert.deepEqual(linesOf(history(anna)).sort(), linesOf(history(bert)).sort());
    // Without their memory the machines find the same.
    for (const machine of world.machines) {
      const before = world.machines.map(history);
      for (const suffix of ["", "-wal", "-shm"]) {
        rmSync(join(machine.home, ".claude-sync", `state.db${suffix}`), { force: true });
      }
      await settle(world);
      assert.deepEqual(world.machines.map(history), before);
    }
  }));

Deno.test("a torn last line is ended before lines are added, and goes when it is complete", () =>
  withShared(async (_, anna, bert) => {
    const whole = prompt(ONE, "torn");
    type(anna, prompt(ONE, "whole"), whole.slice(0, -9));
    type(bert, '{"display":"half');
    await anna.push();
    await bert.pull();
    assert.equal(linesOf(history(bert)).length, 2);
    assert.ok(history(bert).startsWith('{"display":"half\n{"display":"whole"'));
    type(anna, whole.slice(-9));
    await anna.push();
    await bert.pull();
    assert.ok(history(bert).endsWith(whole));
  }));

Deno.test("what a client appends while a pull is at work is kept", () =>
  inTempDir(async (dir) => {
    const mine = prompt(TWO, "typed meanwhile");
    let isArmed = false;
    const busy = (fs: FileSystem): FileSystem =>
      Object.assign(Object.create(fs) as FileSystem, {
        openAppend: (path: string) => {
          const handle = fs.openAppend(path);
          // The client comes between opening and writing.
          if (isArmed) appendFileSync(path, mine);
          return handle;
        },
      });
    const world = await newWorld(dir, { fsOf: (name, fs) => name === "bert" ? busy(fs) : fs });
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    anna.writeTranscript(ONE, talk(anna, ONE));
    const theirs = prompt(ONE, "theirs");
    type(anna, theirs);
    await anna.push();
    type(bert, prompt(TWO, "before"));
    const before = history(bert);
    isArmed = true;
    await bert.pull();
    assert.equal(history(bert), before + mine + theirs);
  }));

// Found by the simulation: seed 9112528.
Deno.test("what is typed while a push looks at a session gone on with goes with the next", () =>
  inTempDir(async (dir) => {
    let meanwhile: (() => void) | null = null;
    const busy = (fs: FileSystem): FileSystem =>
      Object.assign(Object.create(fs) as FileSystem, {
        openRead: (path: string) => {
          const happens = path.endsWith(`${TWO}.jsonl`) ? meanwhile : null;
          if (happens !== null) meanwhile = null;
          happens?.();
          return fs.openRead(path);
        },
      });
    const world = await newWorld(dir, { fsOf: (name, fs) => name === "anna" ? busy(fs) : fs });
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    for (const session of [ONE, TWO]) anna.writeTranscript(session, talk(anna, session));
    await anna.push();
    await forget(anna, [TWO]);
    speak(anna, TWO, "go on");
    const [first, second] = [prompt(ONE, "first"), prompt(ONE, "second")];
    type(anna, first);
    meanwhile = () => type(anna, second);
    await anna.push();
    assert.equal(meanwhile, null);
    await anna.push();
    await bert.pull();
    assert.equal(history(bert), first + second);
    await settle(world);
  }));

Deno.test("lines that the user took away come back only when all is asked for", () =>
  withShared(async (world, anna, bert) => {
    type(anna, prompt(ONE, "one"), prompt(ONE, "two"));
    await settle(world);
    const all = history(bert);
    rmSync(pathOf(bert));
    await bert.pull();
    assert.equal(history(bert), "");
    type(anna, prompt(ONE, "three"));
    await settle(world);
    assert.deepEqual(linesOf(history(bert)).map((line) => JSON.parse(line).display), ["three"]);
    assert.equal(linesOf(history(anna)).length, 3, "nothing is taken away elsewhere");
    await bert.pull({ all: true });
    assert.deepEqual(linesOf(history(bert)).sort(), linesOf(history(anna)).sort());
    assert.ok(all.length > 0);
    const again = await bert.pull({ all: true });
    assert.deepEqual([again.requests, again.bytes.written], [1, 0]);
  }));

Deno.test("a line that was taken away does not come back with another machine's next one", () =>
  withShared(async (world, anna, bert) => {
    type(anna, prompt(ONE, "anna's"));
    type(bert, prompt(ONE, "bert's"));
    await settle(world);
    rmSync(pathOf(bert));
    // What anna pushes now holds bert's line, which follows hers in her file.
    type(anna, prompt(ONE, "anna again"));
    await settle(world);
    assert.deepEqual(linesOf(history(bert)).map((line) => JSON.parse(line).display), [
      "anna again",
    ]);
  }));

Deno.test("prompts of excluded projects and of absent sessions stay where they are", () =>
  withShared(async (_, anna, bert) => {
    anna.writeTranscript(TWO, talk(anna, TWO));
    type(anna, prompt(TWO, "later"));
    await syncService.projectExclude(bert.context(), "home:code/app", true);
    await anna.push();
    await bert.pull();
    assert.equal(history(bert), "");
    type(bert, prompt(ONE, "kept off"));
    assert.equal((await bert.push()).pushed, 0);
    await syncService.projectExclude(bert.context(), "home:code/app", false);
    await bert.sync();
    assert.equal(linesOf(history(bert)).length, 2);
    await anna.pull();
    assert.equal(linesOf(history(anna)).length, 2);
  }));

Deno.test("push --session takes the prompts of that session alone", () =>
  withShared(async (_, anna) => {
    anna.writeTranscript(TWO, talk(anna, TWO));
    type(anna, prompt(ONE, "one"), prompt(TWO, "two"));
    await anna.push({ sessions: [TWO] });
    const stored = async () => {
      const states = await historyOf(anna);
      return states.filter(({ file }) => file === "history").map(({ session }) => session).sort();
    };
    assert.deepEqual(await stored(), [TWO]);
    assert.equal((await anna.push()).pushed, 1);
    assert.deepEqual(await stored(), [ONE, TWO]);
  }));

Deno.test("a line at the limit goes, and one past it stays", () =>
  withShared(async (_, anna, bert) => {
    const short = prompt(ONE, "");
    const fits = prompt(ONE, "x".repeat(HISTORY_LINE_BYTES_MAX - short.length), count);
    assert.equal(fits.length, HISTORY_LINE_BYTES_MAX);
    type(anna, prompt(ONE, "y".repeat(fits.length), count), prompt(ONE, "after"), fits);
    await anna.push();
    await bert.pull();
    assert.deepEqual(
      linesOf(history(bert)).map((line) => line.length).sort((a, b) => a - b),
      [prompt(ONE, "after").length - 1, fits.length - 1],
    );
  }));

Deno.test("a history that is a link is neither read nor written through", () =>
  withShared(async (world, anna, bert) => {
    type(anna, prompt(ONE, "one"));
    await anna.push();
    bert.write("../elsewhere.jsonl", prompt(ONE, "secret"));
    symlinkSync(join(bert.home, "elsewhere.jsonl"), pathOf(bert));
    const before = readFileSync(join(bert.home, "elsewhere.jsonl"), "utf8");
    assert.deepEqual((await bert.pull()).failures.map(({ code }) => code), ["unsafe-file"]);
    assert.deepEqual((await bert.push()).failures.map(({ code }) => code), ["unsafe-file"]);
    assert.equal(readFileSync(join(bert.home, "elsewhere.jsonl"), "utf8"), before);
    rmSync(pathOf(bert));
    await settle(world);
    assert.equal(linesOf(history(bert)).length, 1);
  }));

Deno.test("a push with nothing new looks at the history once and opens no file of the client", () =>
  inTempDir(async (dir) => {
    let calls: string[] = [];
    const watched = (fs: FileSystem): FileSystem =>
      Object.assign(Object.create(fs) as FileSystem, {
        openRead: (path: string) => (calls.push(`read ${path}`), fs.openRead(path)),
        lstat: (path: string) => (calls.push(`look ${path}`), fs.lstat(path)),
      });
    const world = await newWorld(dir, { fsOf: (_, fs) => watched(fs) });
    const [anna] = world.machines as [SyncMachine];
    anna.writeTranscript(ONE, talk(anna, ONE));
    type(anna, prompt(ONE, "one"), prompt(TWO, "of no session here"));
    await anna.push();
    calls = [];
    await anna.push();
    const own = calls.filter((call) => call.includes(anna.configDir));
    assert.deepEqual(own.filter((call) => call.startsWith("read")), []);
    assert.equal(own.filter((call) => call.endsWith("history.jsonl")).length, 1);
  }));

Deno.test("a new machine gets the prompts of all sessions without fetching a pack twice", () =>
  inTempDir(async (dir) => {
    const world = emptyWorld(dir, { names: ["anna", "bert"] });
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    await anna.init();
    for (let i = 0; i < 40; i++) {
      const id = ONE.slice(0, -2) + String(i).padStart(2, "0");
      const random = Buffer.from(crypto.getRandomValues(new Uint8Array(30_000))).toString("hex");
      const facts = { session: id, cwd: anna.project, atMs: world.clock.nowMs() - HOUR_MS };
      anna.writeTranscript(id, said("user", random, facts));
      type(anna, prompt(id, `prompt ${i}`));
    }
    await anna.push();
    await bert.join(anna);
    const objects: string[] = [];
    for await (const { name } of world.store.list("")) objects.push(name);
    const pulled = await bert.pull();
    assert.equal(linesOf(history(bert)).length, 40);
    assert.ok(pulled.requests <= objects.length + 2, `${pulled.requests} of ${objects.length}`);
    await assertAtRest(world);
  }));

/** Steps of two people and their machines. */
const STEPS = ["type", "type", "push", "pull", "sync", "forget", "drop", "tear"] as const;

Deno.test("histories converge after any steps, lose nothing and never echo", async () => {
  const step = fc.record({
    kind: fc.constantFrom(...STEPS),
    machine: fc.nat(2),
    session: fc.constantFrom(ONE, TWO),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 3, maxLength: 25 }),
      (steps) =>
        inTempDir(async (dir) => {
          const world = await newWorld(dir, { names: ["anna", "bert", "cleo"] });
          const [anna] = world.machines as [SyncMachine];
          for (const id of [ONE, TWO]) anna.writeTranscript(id, talk(anna, id));
          await settle(world);
          const typed = new Set<string>();
          for (const { kind, machine: index, session } of steps) {
            const machine = world.machines[index]!;
            const before = history(machine);
            switch (kind) {
              case "type": {
                const line = prompt(session, `typed ${count}`);
                type(machine, before === "" || before.endsWith("\n") ? "" : "\n", line);
                typed.add(line.trim());
                break;
              }
              case "tear":
                type(machine, prompt(session, "torn").slice(0, 30));
                break;
              case "forget":
                for (const suffix of ["", "-wal", "-shm"]) {
                  rmSync(join(machine.home, ".claude-sync", `state.db${suffix}`), { force: true });
                }
                break;
              case "drop":
                // Only what is in the vault may be taken away without a loss.
                await machine.push();
                rmSync(pathOf(machine), { force: true });
                break;
              default:
                await machine[kind]();
                assert.ok(history(machine).startsWith(before), "only added to");
            }
          }
          await settle(world);
          for (const machine of world.machines) await machine.pull({ all: true });
          for (const machine of world.machines) {
            const lines = linesOf(history(machine));
            for (const line of typed) {
              assert.equal(
                lines.filter((one) => one === line).length,
                1,
                `${machine.name}: ${line}`,
              );
            }
          }
          await assertAtRest(world);
        }),
    ),
    { numRuns: Number(Deno.env.get("CLAUDE_SYNC_HISTORY_RUNS") ?? 8), seed: 20260116 },
  );
});
