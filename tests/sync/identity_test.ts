/** Who a machine is: its seed, its tag and its computer belong together, or it begins anew. */
import assert from "node:assert/strict";
import { copyFileSync, cpSync, existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { utf8 } from "../../src/base/bytes.ts";
import type { FileSystem } from "../../src/platform/types.ts";
import { syncService } from "../../src/sync/service.ts";
import { changedStore } from "../support/changed_store.ts";
import { codeOf } from "../support/outcome.ts";
import { filesBelow, inTempDir, said, SyncMachine } from "../support/sync_machine.ts";

const IDS = [1, 2, 3, 4, 5, 6].map((n) => `${String(n).repeat(8)}-1111-4111-8111-111111111111`);
const T0 = Date.now() - 86_400_000;

/** Anna and bert share a vault; anna has pushed a session. */
async function pair(dir: string): Promise<[SyncMachine, SyncMachine]> {
  const a = new SyncMachine({ name: "anna", dir });
  const b = new SyncMachine({ name: "bert", dir });
  await a.init();
  await b.join(a);
  speak(a, IDS[0]!);
  await a.push();
  return [a, b];
}

function speak(machine: SyncMachine, session: string): void {
  const facts = { session, cwd: machine.project, atMs: T0 };
  const text = said("user", `of ${machine.name}`, facts) + said("assistant", "yes", facts);
  machine.writeTranscript(session, text);
}

function own(machine: SyncMachine, name: string): string {
  return join(machine.home, ".claude-sync", name);
}

async function machinesOf(machine: SyncMachine): Promise<number> {
  return (await syncService.status(machine.context())).machines.length;
}

Deno.test("a seed and a tag of different origin never write into one log", () =>
  inTempDir(async (dir) => {
    for (const isOldFile of [false, true]) {
      const [a, b] = await pair(join(dir, String(isOldFile)));
      copyFileSync(own(b, "machine.key"), own(a, "machine.key"));
      if (isOldFile) {
        // A file without the id: only the log itself tells that the seed is another one.
        const { machineId: _, ...file } = JSON.parse(readFileSync(own(a, "machine.json"), "utf8"));
        writeFileSync(own(a, "machine.json"), JSON.stringify(file));
      }
      speak(a, IDS[1]!);
      assert.equal((await a.push()).pushed, 1);
      assert.equal((await b.pull()).pulled, 2);
      assert.equal((await a.pull()).pulled, 0);
      assert.deepEqual((await b.verify()).problems, []);
      assert.equal(await machinesOf(b), 2);
    }
  }));

Deno.test("a tag that was lost, with the seed still there, begins a log of another identity", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    const file = JSON.parse(readFileSync(own(a, "machine.json"), "utf8"));
    writeFileSync(own(a, "machine.json"), JSON.stringify({ ...file, tag: "0123456789abcdef" }));
    speak(a, IDS[1]!);
    assert.equal((await a.push()).pushed, 1);
    assert.equal((await b.pull()).pulled, 2);
    assert.deepEqual((await b.verify()).problems, []);
  }));

Deno.test("a changed host name changes nothing where the computer has an id", () =>
  inTempDir(async (dir) => {
    const withId = (fs: FileSystem): FileSystem => ({
      ...fs,
      readFile: (path, max) =>
        path === "/etc/machine-id"
          ? utf8("0123456789abcdef".repeat(2) + "\n")
          : fs.readFile(path, max),
    });
    const a = new SyncMachine({ name: "anna", dir, fs: withId });
    Object.assign(a.platform.host, { os: "linux" });
    await a.init();
    for (const [i, hostname] of ["anna.home", "anna.local", "anna"].entries()) {
      Object.assign(a.platform.host, { hostname });
      speak(a, IDS[i]!);
      await a.push();
    }
    assert.equal(await machinesOf(a), 1);
  }));

Deno.test("a host name that comes back brings its identity back", () =>
  inTempDir(async (dir) => {
    const withoutId = (fs: FileSystem): FileSystem => ({
      ...fs,
      readFile: (path, max) => path === "/etc/machine-id" ? null : fs.readFile(path, max),
    });
    const a = new SyncMachine({ name: "anna", dir, fs: withoutId });
    await a.init();
    for (const [i, hostname] of ["anna", "anna.local", "anna", "anna.local"].entries()) {
      Object.assign(a.platform.host, { hostname });
      speak(a, IDS[i]!);
      assert.equal((await a.push()).pushed, 1);
    }
    assert.equal(await machinesOf(a), 2);
    assert.deepEqual((await a.verify()).problems, []);
  }));

/** A copy of `machine` that cannot know it is one: same facts, same seed, same tag. */
function cloneOf(machine: SyncMachine, dir: string, beforePut: () => Promise<void>): SyncMachine {
  const copy = join(dir, "copy");
  const clone = new SyncMachine({
    name: machine.name,
    dir: copy,
    vaultDir: machine.vaultDir,
    env: { CLAUDE_CONFIG_DIR: join(copy, machine.name, ".claude") },
    store: async (location, create) => {
      const store = await machine.openStore(location, create);
      return changedStore(store, {
        put: async (name, body, options) => {
          if (name.startsWith("log/")) await beforePut();
          return await store.put(name, body, options);
        },
      });
    },
  });
  cpSync(machine.home, clone.home, { recursive: true });
  Object.assign(clone.platform.host, { home: machine.home });
  return clone;
}

Deno.test("two clones that push at once become two machines, and nobody loses anything", () =>
  inTempDir(async (dir) => {
    for (const hasPushed of [true, false]) {
      const at = join(dir, String(hasPushed));
      const b = new SyncMachine({ name: "bert", dir: at });
      const a = new SyncMachine({ name: "anna", dir: at });
      await b.init();
      await a.join(b);
      if (hasPushed) {
        speak(a, IDS[0]!);
        await a.push();
      }
      const early = new Map<string, Uint8Array>();
      let hook: (() => Promise<unknown>) | null = async () => {
        await a.push();
        await b.pull();
        for (const path of ["", "-wal", "-shm"].map((suffix) => own(b, `state.db${suffix}`))) {
          if (existsSync(path)) early.set(path, readFileSync(path));
        }
      };
      const c = cloneOf(a, at, async () => {
        const run = hook;
        hook = null;
        await run?.();
      });
      speak(a, IDS[1]!);
      speak(c, IDS[2]!);
      assert.equal((await c.push()).pushed, 1);
      await b.pull();
      // A power cut may leave the database as it was before, and the marks as they are.
      for (const [path, bytes] of early) writeFileSync(path, bytes);
      await b.pull();
      const shared = hasPushed ? 3 : 2;
      assert.equal((await syncService.status(b.context())).localSessions, shared);
      assert.deepEqual((await b.verify()).problems, []);
      speak(b, IDS[3]!);
      await b.push();
      for (const machine of [a, c]) {
        speak(machine, machine === a ? IDS[4]! : IDS[5]!);
        assert.equal((await machine.sync()).push.pushed, 1);
        assert.equal((await machine.push()).requests, 1);
      }
      for (const machine of [a, b, c]) await machine.pull();
      for (const machine of [a, b, c]) {
        assert.equal((await machine.pull()).requests, 1);
        const { localSessions, machines } = await syncService.status(machine.context());
        assert.deepEqual([localSessions, machines.length], [shared + 3, 4]);
        assert.deepEqual((await machine.verify()).problems, []);
      }
      // A newcomer, and one that lost its database, read both entries; each is a mark from then on.
      const d = new SyncMachine({ name: "dora", dir: at });
      await d.join(b);
      for (const suffix of ["", "-wal", "-shm"]) {
        rmSync(own(b, `state.db${suffix}`), { force: true });
      }
      assert.equal((await d.pull()).pulled, shared + 3);
      assert.equal(await codeOf(b.pull()), null);
      const entries = Object.keys(filesBelow(a.vaultDir)).filter((name) => name.startsWith("log/"));
      const isTwin = (name: string) =>
        entries.filter((other) => other.slice(0, 33) === name.slice(0, 33)).length > 1;
      const twins = entries.filter(isTwin);
      assert.equal(twins.length, 2);
      for (const twin of twins) {
        renameSync(join(a.vaultDir, twin), join(at, "hidden"));
        rmSync(own(b, "state.db"), { force: true });
        for (const machine of [a, b, c, d]) {
          assert.equal(await codeOf(machine.pull()), "forked", `${machine.name} without ${twin}`);
        }
        renameSync(join(at, "hidden"), join(a.vaultDir, twin));
      }
    }
  }));
