/** Setting up, and noticing that what stands at the configured place is not the vault. */
import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ClaudeSyncError } from "../../src/errors.ts";
import type { FileSystem } from "../../src/platform/types.ts";
import { syncService } from "../../src/sync/service.ts";
import { folderLocationOf } from "../../src/storage/location.ts";
import { changedStore } from "../support/changed_store.ts";
import { codeOf } from "../support/outcome.ts";
import { filesBelow, inTempDir, said, SyncMachine } from "../support/sync_machine.ts";

const IDS = [1, 2, 3, 4].map((n) => `${String(n).repeat(8)}-1111-4111-8111-111111111111`);
const T0 = Date.now() - 86_400_000;

function own(machine: SyncMachine, name: string): string {
  return join(machine.home, ".claude-sync", name);
}

function speak(machine: SyncMachine, session: string): void {
  const facts = { session, cwd: machine.project, atMs: T0 };
  const text = said("user", `of ${machine.name}`, facts) + said("assistant", "yes", facts);
  machine.writeTranscript(session, text);
}

Deno.test("a folder that is not the vault is neither pushed to nor taken for an attack", () =>
  inTempDir(async (dir) => {
    const a = new SyncMachine({ name: "anna", dir });
    const b: SyncMachine = new SyncMachine({ name: "bert", dir });
    await a.init();
    await b.join(a);
    speak(a, IDS[0]!);
    await a.push();
    speak(b, IDS[1]!);
    renameSync(a.vaultDir, `${a.vaultDir}.share`);
    mkdirSync(a.vaultDir);
    // Without any file of somebody else's the folder store itself takes it for a mount point.
    writeFileSync(join(a.vaultDir, ".DS_Store"), "x");
    for (const machine of [a, b]) {
      for (const run of [() => machine.push(), () => machine.pull(), () => machine.sync()]) {
        assert.equal(await codeOf(run()), "store-unreachable", machine.name);
      }
    }
    assert.deepEqual(readdirSync(a.vaultDir), [".DS_Store"]);
    renameSync(a.vaultDir, `${a.vaultDir}.mountpoint`);
    renameSync(`${a.vaultDir}.share`, a.vaultDir);
    assert.equal((await b.sync()).push.pushed, 1);
    assert.equal((await a.pull()).pulled, 1);
    assert.deepEqual((await a.verify()).problems, []);
  }));

Deno.test("another vault in the place of ours is said to be one, and left alone", () =>
  inTempDir(async (dir) => {
    const a = new SyncMachine({ name: "anna", dir });
    const b: SyncMachine = new SyncMachine({ name: "bert", dir });
    const other = new SyncMachine({ name: "olga", dir, vaultDir: join(dir, "other") });
    for (const machine of [a, other]) {
      await machine.init();
      speak(machine, IDS[0]!);
    }
    await b.join(a);
    speak(b, IDS[1]!);
    await a.push();
    for (const isEmpty of [true, false]) {
      if (!isEmpty) await other.push();
      renameSync(a.vaultDir, `${a.vaultDir}.ours`);
      renameSync(other.vaultDir, a.vaultDir);
      const before = readdirSync(a.vaultDir, { recursive: true });
      for (const machine of [a, b]) assert.equal(await codeOf(machine.sync()), "no-vault");
      assert.deepEqual(readdirSync(a.vaultDir, { recursive: true }), before);
      renameSync(a.vaultDir, other.vaultDir);
      renameSync(`${a.vaultDir}.ours`, a.vaultDir);
    }
    assert.equal((await b.sync()).push.pushed, 1);
    assert.equal(existsSync(b.transcriptPath(IDS[0]!)), true);
  }));

Deno.test("a first push reads the header; later ones do not", () =>
  inTempDir(async (dir) => {
    const a = new SyncMachine({ name: "anna", dir });
    await a.init();
    speak(a, IDS[0]!);
    assert.equal((await a.push()).requests, 3);
    speak(a, IDS[1]!);
    assert.equal((await a.push()).requests, 2);
    assert.equal((await a.push()).requests, 1);
  }));

Deno.test("of two that make a vault in one moment the second joins, without the key it made", () =>
  inTempDir(async (dir) => {
    const b: SyncMachine = new SyncMachine({ name: "bert", dir });
    const a: SyncMachine = new SyncMachine({
      name: "anna",
      dir,
      store: async (location, create) => {
        const store = await b.openStore(location, create);
        return changedStore(store, {
          put: async (name, body, options) => {
            if (name === "claude-sync.json") await b.init();
            return await store.put(name, body, options);
          },
        });
      },
    });
    assert.equal((await a.init()).outcome, "needs-key");
    assert.equal(existsSync(join(a.home, ".claude-sync", "key")), false);
    const { keyText } = await syncService.keyExport(b.context());
    assert.equal((await syncService.keyImport(a.context(), keyText)).outcome, "imported");
    speak(a, IDS[0]!);
    await a.push();
    assert.equal((await b.pull()).pulled, 1);
  }));

Deno.test("the key of a vault that lost goes, also when the winner is unreadable (sim 137)", () =>
  inTempDir(async (dir) => {
    const a = new SyncMachine({ name: "anna", dir });
    let isHidden = true;
    const b: SyncMachine = new SyncMachine({
      name: "bert",
      dir,
      store: async (location, create) => {
        const store = await b.openStore(location, create);
        return changedStore(store, {
          get: async (name, options) => isHidden ? null : await store.get(name, options),
          put: async (name, body, options) => {
            await a.init();
            return await store.put(name, body, options);
          },
        });
      },
    });
    assert.equal(await codeOf(b.init()), "no-vault");
    isHidden = false;
    assert.equal(existsSync(own(b, "key")), false);
    assert.equal((await b.init()).outcome, "needs-key");
  }));

/** The real disk, but for whatever gives a file the name `path()`: that fails with `EROFS`. */
function withoutName(path: () => string | null): (fs: FileSystem) => FileSystem {
  const refuse = (name: string) => {
    if (name !== path()) return;
    throw new ClaudeSyncError("local-io", "Read-only", { path: name });
  };
  return (fs) => ({
    ...fs,
    link: (from, to) => (refuse(to), fs.link(from, to)),
    rename: (from, to) => (refuse(to), fs.rename(from, to)),
    createFile: (name) => (refuse(name), fs.createFile(name)),
    removeFile: (name) => (refuse(name), fs.removeFile(name)),
  });
}

Deno.test("an init that ends between the vault and its key is completed by the next one", () =>
  inTempDir(async (dir) => {
    let refused: string | null = null;
    const a = new SyncMachine({ name: "anna", dir, fs: withoutName(() => refused) });
    refused = own(a, "key");
    assert.equal(await codeOf(a.init()), "local-io");
    assert.deepEqual(Object.keys(filesBelow(a.vaultDir)), ["claude-sync.json"]);
    refused = null;
    // Elsewhere its key is not taken for that of a vault that has another one.
    const other = new SyncMachine({ name: "bert", dir, vaultDir: join(dir, "other") });
    await other.init();
    const elsewhere = { location: other.location, machineName: null, dryRun: true };
    assert.equal((await syncService.init(a.context(), elsewhere)).outcome, "needs-key");
    assert.equal((await a.init()).outcome, "joined");
    assert.equal(existsSync(own(a, "key.new")), false);
    speak(a, IDS[0]!);
    await a.push();
    const c = new SyncMachine({ name: "cleo", dir });
    await c.join(a);
    assert.equal((await c.pull()).pulled, 1);
  }));

// The simulation, seed 500001: the key of the lost race stayed, and kept the right one out.
Deno.test("a key that no vault has keeps no other one out (sim 500001)", () =>
  inTempDir(async (dir) => {
    let refused: string | null = null;
    const b: SyncMachine = new SyncMachine({ name: "bert", dir });
    const a: SyncMachine = new SyncMachine({
      name: "anna",
      dir,
      fs: withoutName(() => refused),
      store: async (location, create) => {
        const store = await b.openStore(location, create);
        return changedStore(store, {
          put: async (name, body, options) => {
            if (name === "claude-sync.json") {
              await b.init();
              refused = own(a, "key.new");
            }
            return await store.put(name, body, options);
          },
        });
      },
    });
    assert.equal(await codeOf(a.init()), "local-io");
    refused = null;
    assert.equal((await a.init()).outcome, "needs-key");
    const { keyText } = await syncService.keyExport(b.context());
    await syncService.keyImport(a.context(), keyText);
    speak(a, IDS[0]!);
    await a.push();
    assert.equal((await b.pull()).pulled, 1);
  }));

Deno.test("a machine may begin with another vault, and go back with what it remembers", () =>
  inTempDir(async (dir) => {
    const a = new SyncMachine({ name: "anna", dir });
    await a.init();
    speak(a, IDS[0]!);
    await a.push();
    const early = filesBelow(a.vaultDir);
    speak(a, IDS[1]!);
    await a.push();
    const keep = (name: string) => renameSync(own(a, name), own(a, `${name}.first`));
    for (const name of ["config.json", "key"]) keep(name);
    const location = folderLocationOf(join(dir, "second"));
    const second = { location, machineName: "anna", dryRun: false };
    assert.equal((await syncService.init(a.context(), second)).outcome, "created");
    assert.equal((await a.push()).pushed, 2);
    assert.deepEqual((await a.verify()).problems, []);
    for (const name of ["config.json", "key"]) renameSync(own(a, `${name}.first`), own(a, name));
    assert.equal((await a.init()).outcome, "unchanged");
    assert.equal((await a.sync()).push.pushed, 0);
    assert.deepEqual((await a.verify()).problems, []);
    // What it saw of the first vault is still an alarm when it is gone.
    for (const name of Object.keys(filesBelow(a.vaultDir))) {
      if (!(name in early)) rmSync(join(a.vaultDir, name));
    }
    assert.equal(await codeOf(a.pull()), "rolled-back");
  }));

Deno.test("two vaults that a synchroniser merged go on side by side, and it is said", () =>
  inTempDir(async (dir) => {
    const a = new SyncMachine({ name: "anna", dir });
    const b: SyncMachine = new SyncMachine({ name: "bert", dir });
    const other = new SyncMachine({ name: "olga", dir, vaultDir: join(dir, "other") });
    await a.init();
    await b.join(a);
    await other.init();
    for (const [i, machine] of [a, other].entries()) {
      speak(machine, IDS[i]!);
      await machine.push();
    }
    cpSync(join(other.vaultDir, "log"), join(dir, "foreign"), { recursive: true });
    cpSync(join(other.vaultDir, "log"), join(a.vaultDir, "log"), { recursive: true });
    cpSync(join(a.vaultDir, "log"), join(other.vaultDir, "log"), { recursive: true });
    const { tag: theirs } = JSON.parse(readFileSync(own(other, "machine.json"), "utf8"));
    for (const [i, machine] of [a, b, other].entries()) {
      speak(machine, IDS[i + 1]!);
      const { pull, push } = await machine.sync();
      assert.deepEqual([pull.failures, push.pushed], [[], 1], machine.name);
      const problems = (await machine.verify()).problems.map(({ message }) => message);
      assert.match(problems.join(), /another vault or is no log/, machine.name);
    }
    const notes = a.events.flatMap((event) => event.kind === "note" ? event.message : []);
    assert.match(notes.join(), new RegExp(`log/${theirs} belongs to another vault`));
    // Whoever joins checks the key with any log that opens.
    const c = new SyncMachine({ name: "carl", dir });
    await c.join(a);
    assert.equal((await c.pull()).pulled, 3);
    // A machine with the right key that opens nothing at all has met damage.
    rmSync(join(a.vaultDir, "log"), { recursive: true });
    cpSync(join(dir, "foreign"), join(a.vaultDir, "log"), { recursive: true });
    const d = new SyncMachine({ name: "dora", dir });
    assert.equal(await codeOf(d.join(a)), "damaged");
  }));
