/** Who a machine is: its seed, its tag and its computer belong together, or it begins anew. */
import assert from "node:assert/strict";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { utf8 } from "../../src/base/bytes.ts";
import type { FileSystem } from "../../src/platform/types.ts";
import { syncService } from "../../src/sync/service.ts";
import { inTempDir, said, SyncMachine } from "../support/sync_machine.ts";

const IDS = [1, 2, 3, 4].map((n) => `${String(n).repeat(8)}-1111-4111-8111-111111111111`);
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
