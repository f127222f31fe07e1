/** The local database may be lost, damaged or of another vault at any time. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { nodePlatform } from "../../src/platform/node.ts";
import { syncService } from "../../src/sync/service.ts";
import { explainDatabaseError, openStateDb, transaction } from "../../src/sync/state_db.ts";
import { inTempDir, said, SyncMachine } from "../support/sync_machine.ts";

const T0 = Date.now() - 86_400_000;
const idOf = (n: number) => `11111111-1111-4111-8111-${String(n).padStart(12, "0")}`;

function speak(machine: SyncMachine, session: string): void {
  const facts = { session, cwd: machine.project, atMs: T0 };
  const text = said("user", `of ${machine.name}`, facts) + said("assistant", "yes", facts);
  machine.writeTranscript(session, text);
}

/** Overwrites a part of every page but the first, as a dying disk does. */
function damage(path: string, page: number): void {
  const bytes = readFileSync(path);
  for (let at = page; at < bytes.length; at += 4096) bytes.fill(0xab, at, at + 512);
  writeFileSync(path, bytes);
}

Deno.test("status tells the truth where the database cannot be written", () =>
  inTempDir(async (dir) => {
    // A path that is not its own URL.
    const a = new SyncMachine({ name: "anna #1 50%25 'q'", dir });
    await a.init();
    speak(a, idOf(1));
    await a.push();
    // Beside it nothing can be made, as on a full disk or in a home that is read-only.
    mkdirSync(join(a.home, ".claude-sync", "state.db-wal"));
    const status = await syncService.status(a.context());
    assert.deepEqual([status.vaultSessions, status.unsent, status.verdict], [1, 0, "ok"]);
    speak(a, idOf(2));
    assert.equal((await syncService.status(a.context())).unsent, 1);
  }));

Deno.test("status decides a branch where the database cannot be written", () =>
  inTempDir(async (dir) => {
    const [a, b] = ["anna", "bert"].map((name) => new SyncMachine({ name, dir }));
    await a!.init();
    await b!.join(a!);
    speak(a!, idOf(1));
    await a!.push();
    await b!.pull();
    for (const machine of [a!, b!]) {
      const facts = { session: idOf(1), cwd: machine.project, atMs: T0 + 60_000 };
      const more = said("user", `${machine.name} goes on`, facts);
      machine.writeTranscript(idOf(1), machine.readTranscript(idOf(1)) + more, T0 + 60_000);
    }
    await a!.push();
    const [branch] = (await b!.sync()).pull.branchSessions;
    const facts = { session: branch!.id, cwd: b!.project, atMs: T0 + 120_000 };
    const own = b!.readTranscript(branch!.id) + said("user", "and on", facts);
    b!.writeTranscript(branch!.id, own, T0 + 120_000);
    await b!.push();
    mkdirSync(join(b!.home, ".claude-sync", "state.db-wal"));
    const status = await syncService.status(b!.context());
    assert.deepEqual([status.vaultSessions, status.unsent, status.verdict], [2, 0, "ok"]);
  }));

Deno.test("a damaged database is made anew, and everything goes on", () =>
  inTempDir(async (dir) => {
    for (const from of [0, 4096, 8192]) {
      const a = new SyncMachine({ name: "anna", dir: join(dir, String(from)) });
      await a.init();
      for (let n = 0; n < 30; n++) speak(a, idOf(n));
      await a.push();
      const path = join(a.home, ".claude-sync", "state.db");
      damage(path, from);
      const status = await syncService.status(a.context());
      assert.equal(status.localSessions, 30, "status only reads");
      assert.equal((await syncService.list(a.context())).length, 30);
      speak(a, idOf(99));
      assert.equal((await a.push()).pushed, 1);
      damage(path, from);
      assert.equal((await a.pull()).pulled, 0);
      assert.equal((await a.push()).requests, 1);
      assert.equal((await syncService.status(a.context())).vaultSessions, 31);
      assert.deepEqual((await a.verify()).problems, []);
    }
  }));

Deno.test("a full disk is reported as one, and the transaction is undone", () =>
  inTempDir((dir) => {
    const { fs } = nodePlatform();
    const path = join(dir, "state.db");
    const database = openStateDb(fs, path, "writer", null);
    database.exec("PRAGMA max_page_count = 1");
    const insert = () => {
      const statement = database.prepare("INSERT INTO claim VALUES (?, 'log', 1, '', ?, '')");
      for (let n = 0; n < 10_000; n++) statement.run(String(n), "x".repeat(1000));
    };
    let thrown: unknown = null;
    try {
      transaction(database, insert);
    } catch (error) {
      thrown = error;
    }
    const meaning = explainDatabaseError(thrown, database, path);
    assert.ok(meaning !== null && meaning !== "remake");
    assert.equal(meaning.code, "no-space");
    assert.deepEqual({ ...database.prepare("SELECT count(*) AS n FROM claim").get() }, { n: 0 });
    assert.equal(explainDatabaseError(new Error("another"), database, path), null);
    database.close();
    return Promise.resolve();
  }));

Deno.test("openStateDb remakes a database of another vault, and shows a reader nothing of it", () =>
  inTempDir((dir) => {
    const { fs } = nodePlatform();
    const path = join(dir, "state.db");
    const claims = (database: DatabaseSync) => {
      const { n } = database.prepare("SELECT count(*) AS n FROM claim").get() as { n: number };
      database.close();
      return n;
    };
    const first = openStateDb(fs, path, "writer", "aa");
    first.exec("INSERT INTO claim VALUES ('s', 'log', 1, '', null, '')");
    first.close();
    assert.equal(claims(openStateDb(fs, path, "writer", "aa")), 1);
    assert.equal(claims(openStateDb(fs, path, "reader", null)), 1);
    assert.equal(claims(openStateDb(fs, path, "reader", "bb")), 0);
    assert.equal(claims(openStateDb(fs, path, "writer", "aa")), 1, "a reader changes nothing");
    assert.equal(claims(openStateDb(fs, path, "writer", "bb")), 0);
    assert.equal(claims(openStateDb(fs, path, "writer", "aa")), 0);
    return Promise.resolve();
  }));
