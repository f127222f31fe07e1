import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { ClaudeSyncError, isClaudeSyncError } from "../../src/errors.ts";
import { slugOf } from "../../src/sessions/slug.ts";
import type { StoreLocation } from "../../src/storage/location.ts";
import type { ObjectStore } from "../../src/storage/object_store.ts";
import { changedStore } from "../support/changed_store.ts";
import { ID, pair, T0, turn } from "../support/pair.ts";
import { inTempDir, said, SyncMachine } from "../support/sync_machine.ts";

/** Both go on with one session; only what anna said is pushed. */
async function goApart(a: SyncMachine, b: SyncMachine): Promise<void> {
  a.writeTranscript(ID, turn(a, "base", T0));
  await a.push();
  await b.pull();
  appendFileSync(a.transcriptPath(ID), turn(a, "from anna", T0 + 5000));
  appendFileSync(b.transcriptPath(ID), turn(b, "from bert", T0 + 6000));
  await a.push();
}

Deno.test("what one machine pushes another pulls, byte for byte and with its time", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    a.writeTranscript(ID, turn(a, "hello", T0));
    assert.equal((await a.push()).pushed, 1);
    const pulled = await b.pull();
    assert.equal(pulled.pulled, 1);
    assert.equal(b.readTranscript(ID), a.readTranscript(ID));
    assert.equal(statSync(b.transcriptPath(ID)).mtimeMs, T0 + 1);
    assert.deepEqual((await b.verify()).problems, []);
  }));

Deno.test("a second push and pull do nothing and make one request each", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    a.writeTranscript(ID, turn(a, "hello", T0));
    await a.push();
    await b.pull();
    const push = await a.push();
    assert.deepEqual([push.pushed, push.requests, push.bytes.sent], [0, 1, 0]);
    const pull = await b.pull();
    assert.deepEqual([pull.pulled, pull.requests, pull.bytes.received], [0, 1, 0]);
    assert.equal((await b.push()).pushed, 0);
  }));

Deno.test("a file that is a prefix of the vault's is extended in place", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    a.writeTranscript(ID, turn(a, "one", T0));
    await a.push();
    await b.pull();
    appendFileSync(a.transcriptPath(ID), turn(a, "two", T0 + 5000));
    await a.push();
    const pulled = await b.pull();
    assert.deepEqual([pulled.pulled, pulled.branches], [1, 0]);
    assert.equal(b.readTranscript(ID), a.readTranscript(ID));
  }));

Deno.test("two continuations of one session become two sessions, equal on both machines", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    await goApart(a, b);
    await b.push();
    assert.equal((await b.pull()).branches, 1);
    assert.equal((await a.pull()).branches, 1);
    const files = a.files();
    const transcripts = (all: Record<string, string>) => Object.values(all).sort();
    assert.deepEqual(transcripts(b.files()), transcripts(files));
    assert.equal(Object.keys(files).length, 2);
    assert.match(a.readTranscript(ID), /from anna/);
    assert.doesNotMatch(a.readTranscript(ID), /from bert/);
    assert.match(Object.values(files).join(""), /from bert/);
    assert.deepEqual((await a.push()).pushed, 0);
    assert.deepEqual((await b.pull()).pulled, 0);
    assert.deepEqual((await a.verify()).problems, []);
  }));

Deno.test("a pull pushes what only this machine has before it replaces the file", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    await goApart(a, b);
    assert.equal((await b.pull()).branches, 1);
    await a.pull();
    assert.deepEqual(Object.values(b.files()).sort(), Object.values(a.files()).sort());
  }));

Deno.test("deleting the local state loses nothing, and the next sync repairs it", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    a.writeTranscript(ID, turn(a, "one", T0));
    await a.push();
    await b.pull();
    for (const suffix of ["", "-wal", "-shm"]) {
      rmSync(`${b.home}/.claude-sync/state.db${suffix}`, { force: true });
    }
    appendFileSync(a.transcriptPath(ID), turn(a, "two", T0 + 5000));
    await a.push();
    await b.sync();
    assert.equal(b.readTranscript(ID), a.readTranscript(ID));
    assert.equal((await b.push()).pushed, 0);
  }));

Deno.test("a small pull lists once and reads each new entry once", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    a.writeTranscript(ID, turn(a, "one", T0));
    await a.push();
    const pulled = await b.pull();
    assert.deepEqual([pulled.pulled, pulled.requests], [1, 2]);
  }));

Deno.test("a pull names the branches it made by their titles", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    await goApart(a, b);
    const [branch] = (await b.pull()).branchSessions;
    assert.deepEqual([branch?.of, branch?.title], [ID, "base (from bert)"]);
    assert.equal(branch?.how, "machines");
  }));

Deno.test("sync counts what its pull had to send first", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    await goApart(a, b);
    const { push } = await b.sync();
    assert.equal(push.pushed, 1);
    assert.ok(push.bytes.sent > 0 && push.bytes.plain > 0);
  }));

Deno.test("a pull goes on while a push waits for the vault to take it, and the push counts", () =>
  inTempDir(async (dir) => {
    let isReadOnly = false;
    const a = new SyncMachine({ name: "anna", dir });
    const store = async (location: StoreLocation, create: boolean): Promise<ObjectStore> => {
      const real = await a.openStore(location, create);
      return changedStore(real, {
        put: (name, body, options) => {
          if (isReadOnly) throw new ClaudeSyncError("store-refused", "Read-only");
          return real.put(name, body, options);
        },
      });
    };
    const b = new SyncMachine({ name: "bert", dir, store });
    await a.init();
    await b.join(a);
    a.writeTranscript(ID, turn(a, "one", T0));
    await a.push();
    await b.pull();
    appendFileSync(b.transcriptPath(ID), turn(b, "two", T0 + 5000));
    isReadOnly = true;
    await assert.rejects(() => b.push(), (error) => isClaudeSyncError(error, "store-refused"));
    assert.deepEqual((await b.pull()).failures, []);
    isReadOnly = false;
    const push = await b.push();
    assert.equal(push.pushed, 1);
    assert.ok(push.bytes.plain > 0);
    await a.pull();
    assert.equal(a.readTranscript(ID), b.readTranscript(ID));
  }));

Deno.test("a session of a project with an invisible character in its name is placed", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    const name = "\u{1f469}\u200d\u{1f4bb} app";
    for (const machine of [a, b]) mkdirSync(join(machine.home, name));
    const cwd = join(a.home, name);
    const text = said("user", "hello", { session: ID, cwd, atMs: T0 });
    a.write(join("projects", slugOf(cwd), `${ID}.jsonl`), text);
    await a.push();
    assert.equal((await b.pull()).pulled, 1);
    assert.equal(readFileSync(b.transcriptPath(ID, join(b.home, name)), "utf8"), text);
  }));

Deno.test("a session that names no folder goes where the user asks for it", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    a.writeTranscript(ID, '{"type":"summary","summary":"x"}\n');
    await a.push();
    assert.equal((await b.pull()).unplaced, 1);
    assert.equal((await b.pull({ sessions: [ID] })).pulled, 1);
    assert.equal(b.readTranscript(ID), a.readTranscript(ID));
  }));
