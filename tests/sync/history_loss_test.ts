/** Prompts that only one machine has, in moments in which a wrong guess would leave them there. */
import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { FileSystem } from "../../src/platform/types.ts";
import { ONE, withShared } from "../support/shelf_world.ts";
import { SyncMachine } from "../support/sync_machine.ts";

let count = 0;

function prompt(display: string, session: string | null = ONE): string {
  const line = { display, pastedContents: {}, timestamp: ++count, project: "/home/anna/code/app" };
  return JSON.stringify(session === null ? line : { ...line, sessionId: session }) + "\n";
}

function type(machine: SyncMachine, text: string): void {
  appendFileSync(join(machine.configDir, "history.jsonl"), text);
}

function displays(machine: SyncMachine): string[] {
  const text = machine.files()["history.jsonl"] ?? "";
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line).display);
}

/** The client appends when the pull's lines are written, and before it looks at the result. */
class LateClient {
  isArmed = false;
  #path = "";

  wrap(fs: FileSystem, line: string): FileSystem {
    return Object.assign(Object.create(fs) as FileSystem, {
      openAppend: (path: string) => {
        if (this.isArmed) this.#path = path;
        return fs.openAppend(path);
      },
      lstat: (path: string) => {
        const stat = fs.lstat(path);
        if (path === this.#path) {
          appendFileSync(path, line);
          [this.isArmed, this.#path] = [false, ""];
        }
        return stat;
      },
    });
  }
}

Deno.test("what a client appends right after a pull's lines is pushed", () => {
  const client = new LateClient();
  return withShared(async (_, anna, bert) => {
    type(anna, prompt("theirs"));
    await anna.push();
    type(bert, prompt("of no session", null));
    client.isArmed = true;
    await bert.pull();
    assert.equal(client.isArmed, false);
    assert.deepEqual(displays(bert), ["of no session", "theirs", "meanwhile"]);
    await bert.push();
    await anna.pull();
    assert.deepEqual(displays(anna), ["theirs", "meanwhile"]);
  }, {
    fsOf: (name, fs) => name === "bert" ? client.wrap(fs, prompt("meanwhile")) : fs,
  });
});

Deno.test("a last line without an end that a pull has ended is pushed", () =>
  withShared(async (_, anna, bert) => {
    type(bert, prompt("without an end").trimEnd());
    await bert.push();
    type(anna, prompt("theirs"));
    await anna.push();
    await bert.pull();
    await bert.push();
    await anna.pull();
    assert.deepEqual(displays(anna), ["theirs", "without an end"]);
  }));

Deno.test("each configuration folder of one user gets and sends its own prompts", () =>
  withShared(async (world, anna, bert) => {
    type(anna, prompt("theirs"));
    await anna.push();
    await bert.pull();
    const configDir = join(bert.home, "other-config");
    mkdirSync(configDir);
    const options = { name: "bert", dir: join(bert.home, ".."), clock: world.clock };
    const store = () => Promise.resolve(world.store);
    const env = { CLAUDE_CONFIG_DIR: configDir };
    const other = Object.assign(new SyncMachine({ ...options, store, env }), { configDir });
    const pulled = await other.pull();
    assert.deepEqual([pulled.pulled, pulled.archived], [1, 0]);
    assert.deepEqual(displays(other), ["theirs"]);
    type(bert, prompt("in the first folder"));
    type(other, prompt("in the other folder"));
    for (const machine of [other, bert, other, anna]) await machine.sync();
    for (const machine of [anna, bert, other]) {
      const all = ["in the first folder", "in the other folder", "theirs"];
      assert.deepEqual(displays(machine).sort(), all);
      assert.equal((await machine.push()).bytes.sent, 0);
    }
  }));

// Seed 3000225 of the simulation.
Deno.test("pull --all brings prompts back that a machine had, lost its state, and lost", () =>
  withShared(async (_, anna) => {
    type(anna, prompt("first"));
    await anna.push();
    type(anna, prompt("second"));
    await anna.push();
    for (const suffix of ["", "-wal", "-shm"]) {
      rmSync(join(anna.home, ".claude-sync", `state.db${suffix}`), { force: true });
    }
    await anna.pull();
    rmSync(join(anna.configDir, "history.jsonl"));
    await anna.pull();
    assert.deepEqual(displays(anna), [], "who has deleted them does not want them back");
    await anna.pull({ all: true });
    assert.deepEqual(displays(anna), ["first", "second"]);
  }));
