import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { nodePlatform } from "../../src/platform/node.ts";
import type { JournalRecord } from "../../src/sync/history_api.ts";
import { homePaths } from "../../src/sync/home.ts";
import { appendJournal, JOURNAL_BYTES_MAX, readJournal } from "../../src/sync/journal.ts";
import { syncService } from "../../src/sync/service.ts";
import { inTempDir, said, SyncMachine, TestClock } from "../support/sync_machine.ts";

const NOW = Date.now();

function record(atMs: number): JournalRecord {
  return {
    command: "sync",
    by: "hook",
    atMs,
    ms: 12,
    ok: true,
    code: null,
    message: null,
    sentSessions: 1,
    receivedSessions: 0,
    bytes: { sent: 4096, received: 0, written: 0 },
  };
}

function inHome(work: (paths: ReturnType<typeof homePaths>) => void): Promise<void> {
  return inTempDir((dir) => {
    mkdirSync(dir, { recursive: true });
    work(homePaths(dir));
    return Promise.resolve();
  });
}

Deno.test("the journal gives back what was added, oldest first", () =>
  inHome((paths) => {
    const platform = nodePlatform();
    assert.deepEqual(readJournal(platform, paths), []);
    for (const atMs of [1, 2, 3]) appendJournal(platform, paths, record(atMs));
    assert.deepEqual(readJournal(platform, paths), [record(1), record(2), record(3)]);
    assert.equal(statSync(paths.journal).mode & 0o777, 0o600);
  }));

Deno.test("the journal stays below its size, and keeps the newest", () =>
  inHome((paths) => {
    const platform = nodePlatform();
    const long = { ...record(0), ok: false, code: "local-io", message: "x".repeat(10_000) };
    const lines = Math.ceil(3 * JOURNAL_BYTES_MAX / 700);
    for (let atMs = 1; atMs <= lines; atMs++) appendJournal(platform, paths, { ...long, atMs });
    const sizes = [paths.journal, paths.olderJournal].map((path) =>
      statSync(path, { throwIfNoEntry: false })?.size ?? 0
    );
    assert.ok(sizes.every((size) => size < JOURNAL_BYTES_MAX + 4096), `${sizes}`);
    const records = readJournal(platform, paths);
    assert.ok(records.length > JOURNAL_BYTES_MAX / 700, "more than one file's worth is kept");
    assert.equal(records.at(-1)!.atMs, lines);
    assert.equal(records.at(-1)!.message!.length, 500);
  }));

Deno.test("what a crash tore, and garbage, costs that line alone", () =>
  inHome((paths) => {
    const platform = nodePlatform();
    appendJournal(platform, paths, record(1));
    appendFileSync(paths.journal, '\n{"command":"pu');
    appendJournal(platform, paths, record(2));
    appendFileSync(paths.journal, new Uint8Array([0x0a, 0xff, 0xfe, 0x00]));
    appendFileSync(paths.journal, '\n{"command":"newer"}\n[]\nnull');
    appendJournal(platform, paths, record(3));
    assert.deepEqual(readJournal(platform, paths).map(({ atMs }) => atMs), [1, 2, 3]);
  }));

Deno.test("a journal that is none does not keep anybody from anything", () =>
  inTempDir(async (dir) => {
    const machine = new SyncMachine({ name: "anna", dir });
    await machine.init();
    const { journal, olderJournal } = homePaths(join(machine.home, ".claude-sync"));
    mkdirSync(journal);
    writeFileSync(olderJournal, "x".repeat(3 * JOURNAL_BYTES_MAX));
    assert.equal((await machine.push()).failed, 0);
  }));

Deno.test("log tells this machine's runs and what others pushed, newest first", () =>
  inTempDir(async (dir) => {
    const clock = new TestClock(NOW);
    const anna = new SyncMachine({ name: "anna", dir, clock });
    const bert = new SyncMachine({ name: "bert", dir, clock });
    await anna.init();
    await bert.join(anna);
    const speak = (machine: SyncMachine, id: string, text: string) => {
      const facts = { session: id, cwd: machine.project, atMs: NOW };
      machine.writeTranscript(id, said("user", text, facts));
    };
    speak(anna, "11111111-1111-4111-8111-111111111111", "one");
    speak(anna, "22222222-2222-4222-8222-222222222222", "two");
    await anna.push();
    clock.advance(60_000);
    await bert.pull();
    clock.advance(60_000);
    await bert.push({ dryRun: true });
    await syncService.hookWorker(bert.context(), "sync");
    const ask = { limit: 20, sinceMs: null, errors: false };
    const log = await syncService.log(bert.context(), ask);
    assert.equal(log.machineName, "bert");
    const told = log.lines.map((line) =>
      line.source === "here"
        ? [line.command, line.by, line.ok, line.sentSessions, line.receivedSessions]
        : [line.machine, line.sessions, line.seq]
    );
    assert.deepEqual(told, [
      ["sync", "hook", true, 0, 0],
      ["pull", "user", true, 0, 2],
      ["anna", 2, 1],
    ]);
    const [, pull, push] = log.lines;
    assert.ok(pull!.source === "here" && pull!.bytes.received > 0 && pull!.bytes.written > 0);
    assert.ok(push!.source === "vault" && push!.bytes.plain > 0 && push!.bytes.stored > 0);
    const limited = await syncService.log(bert.context(), { ...ask, limit: 1 });
    assert.deepEqual([limited.lines.length, limited.more], [1, 2]);
    const since = await syncService.log(bert.context(), { ...ask, sinceMs: NOW + 1 });
    assert.equal(since.lines.length, 2);
    assert.deepEqual((await syncService.log(bert.context(), { ...ask, errors: true })).lines, []);
    // The one who pushed has it in the journal, not twice.
    const own = await syncService.log(anna.context(), ask);
    assert.deepEqual(own.lines.map(({ source }) => source), ["here"]);
    const journal = homePaths(join(bert.home, ".claude-sync")).journal;
    assert.ok(!readFileSync(journal, "utf8").includes("two"), "nothing of what was said");
  }));

Deno.test("log --errors shows what failed, with its code", () =>
  inTempDir(async (dir) => {
    const anna = new SyncMachine({ name: "anna", dir });
    await anna.init();
    await anna.push();
    writeFileSync(join(anna.vaultDir, "claude-sync.json"), "{}");
    const lines = async () =>
      (await syncService.log(anna.context(), { limit: 9, sinceMs: null, errors: true })).lines;
    const before = await lines();
    await assert.rejects(anna.push());
    const after = await lines();
    assert.equal(after.length, before.length + 1);
    const [failed] = after;
    assert.ok(failed!.source === "here" && failed!.code !== null && failed!.message !== null);
  }));
