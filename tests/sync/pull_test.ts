import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { slugOf } from "../../src/sessions/slug.ts";
import { ClaudeSyncError } from "../../src/errors.ts";
import type { FileSystem } from "../../src/platform/types.ts";
import { syncService } from "../../src/sync/service.ts";
import { ID, turn } from "../support/pair.ts";
import { inTempDir, type MachineOptions, SyncMachine, TestClock } from "../support/sync_machine.ts";

const OTHER = "22222222-2222-4222-8222-222222222222";
const DAY_MS = 86_400_000;
const T0 = Date.now() - DAY_MS;

async function pair(
  dir: string,
  options: Partial<MachineOptions> = {},
): Promise<[SyncMachine, SyncMachine]> {
  const a = new SyncMachine({ name: "anna", dir });
  const b = new SyncMachine({ name: "bert", dir, ...options });
  await a.init();
  await b.join(a);
  return [a, b];
}

/** Both machines have a base and then each its own turn; only anna's is pushed. */
async function diverged(a: SyncMachine, b: SyncMachine, atMs: number): Promise<void> {
  a.writeTranscript(ID, turn(a, "base", atMs), atMs);
  await a.push();
  await b.pull({ all: true });
  appendFileSync(a.transcriptPath(ID), turn(a, "from anna", atMs + 5000));
  appendFileSync(b.transcriptPath(ID), turn(b, "from bert", atMs + 6000));
  for (const machine of [a, b]) {
    utimesSync(machine.transcriptPath(ID), atMs / 1000, (atMs + 7000) / 1000);
  }
  await a.push();
}

function onDisk(machine: SyncMachine, text: string): boolean {
  return Object.values(machine.files()).some((content) => content.includes(text));
}

Deno.test("pulling one session also places the branch with this machine's own turns", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    await diverged(a, b, T0);
    await b.pull({ sessions: [ID] });
    assert.match(b.readTranscript(ID), /from anna/);
    assert.ok(onDisk(b, "from bert"));
  }));

Deno.test("a branch with this machine's own turns is placed however old it is", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    await diverged(a, b, Date.now() - 40 * DAY_MS);
    await b.pull();
    assert.ok(onDisk(b, "from bert"));
  }));

Deno.test("a dry run tells turns to be sent first from a session that is open", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    await diverged(a, b, T0);
    const before = b.files();
    const { sentFirstIds, waitingIds, pulled } = await b.pull({ dryRun: true });
    assert.deepEqual([sentFirstIds, waitingIds, pulled], [[ID], [], 0]);
    assert.deepEqual(b.files(), before);
    const done = await b.pull();
    assert.deepEqual([done.sentFirstIds, done.waitingIds], [[], []]);
  }));

Deno.test("a session keeps its file when its branch cannot be placed", () =>
  inTempDir(async (dir) => {
    const broken = { now: false };
    const fs = (real: FileSystem): FileSystem => ({
      ...real,
      link(from, to) {
        if (broken.now && to.includes("projects")) {
          throw new ClaudeSyncError("local-io", "Cannot link", { path: to });
        }
        return real.link(from, to);
      },
    });
    const [a, b] = await pair(dir, { fs });
    await diverged(a, b, T0);
    broken.now = true;
    const result = await b.pull();
    assert.equal(result.failures.length, 1);
    assert.ok(onDisk(b, "from bert"));
    broken.now = false;
    await b.pull();
    assert.ok(onDisk(b, "from anna") && onDisk(b, "from bert"));
  }));

Deno.test("a session that is opened while its bytes are on their way is left alone", () =>
  inTempDir(async (dir) => {
    let onWrite = () => {};
    const fs = (real: FileSystem): FileSystem => ({
      ...real,
      createFile(path) {
        if (path.includes("projects")) onWrite();
        return real.createFile(path);
      },
    });
    const [a, b] = await pair(dir, { fs });
    a.writeTranscript(ID, turn(a, "one", T0));
    await a.push();
    await b.pull();
    appendFileSync(a.transcriptPath(ID), turn(a, "two", T0 + 5000));
    await a.push();
    onWrite = () => {
      const { pid } = b.platform.host;
      const procStart = b.platform.host.process(pid).startTicks;
      const entry = { pid, sessionId: ID, procStart, version: "2.1.330", status: "busy" };
      b.write(join("sessions", `${pid}.json`), JSON.stringify(entry));
    };
    const before = b.readTranscript(ID);
    const result = await b.pull();
    assert.deepEqual([result.pulled, result.waitingIds], [0, [ID]]);
    assert.equal(b.readTranscript(ID), before);
  }));

Deno.test("when the disk is full, what fits is written and the rest is reported", () =>
  inTempDir(async (dir) => {
    let left = Infinity;
    const fs = (real: FileSystem): FileSystem => ({
      ...real,
      createFile(path) {
        if (path.includes("projects") && left-- <= 0) {
          throw new ClaudeSyncError("no-space", "No space left", { path });
        }
        return real.createFile(path);
      },
    });
    const [a, b] = await pair(dir, { fs });
    a.writeTranscript(ID, turn(a, "one", T0), T0);
    a.writeTranscript(OTHER, turn(a, "two", T0, OTHER), T0 - 5000);
    await a.push();
    left = 1;
    const result = await b.pull({ all: true });
    assert.deepEqual([result.pulled, result.failures[0]?.code], [1, "no-space"]);
    left = Infinity;
    assert.equal((await b.pull({ all: true })).pulled, 1);
  }));

Deno.test("every copy of a session that stands in two folders is extended", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    a.writeTranscript(ID, turn(a, "one", T0));
    await a.push();
    await b.pull();
    const copy = join(b.configDir, "projects", "-another", `${ID}.jsonl`);
    mkdirSync(dirname(copy), { recursive: true });
    b.write(join("projects", "-another", `${ID}.jsonl`), b.readTranscript(ID));
    appendFileSync(a.transcriptPath(ID), turn(a, "two", T0 + 5000));
    await a.push();
    await b.pull();
    assert.equal(b.readTranscript(ID), a.readTranscript(ID));
    assert.equal(statSync(copy).size, statSync(a.transcriptPath(ID)).size);
  }));

Deno.test("a branch whose file was deleted here is brought back by its id", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    await diverged(a, b, T0);
    const [branch] = (await b.pull()).branchSessions;
    const path = b.transcriptPath(branch!.id);
    rmSync(path);
    assert.equal((await b.pull()).pulled, 0);
    await b.pull({ sessions: [branch!.id] });
    assert.ok(statSync(path).size > 0);
  }));

Deno.test("a pull on a machine whose clock was never set keeps the sessions' own times", () =>
  inTempDir(async (dir) => {
    const unset = {
      nowMs: () => 1000,
      monotonicMs: () => performance.now(),
      sleep: () => Promise.resolve(),
    };
    const [a, b] = await pair(dir, { clock: unset });
    a.writeTranscript(ID, turn(a, "one", T0), T0);
    await a.push();
    await b.pull({ all: true });
    assert.equal(statSync(b.transcriptPath(ID)).mtimeMs, T0 + 1);
    assert.ok(readdirSync(join(b.configDir, "projects", slugOf(b.project))).length === 1);
  }));

Deno.test("a time that only a wrong clock can have written is no file's time after a pull", () =>
  inTempDir(async (dir) => {
    const clock = new TestClock(T0);
    const [a, b] = await pair(dir, { clock });
    for (const [aheadMs, shownMs] of [[DAY_MS, DAY_MS], [DAY_MS + 1, 0]] as const) {
      // The answer comes a millisecond after the question.
      const saidMs = T0 + aheadMs - 1;
      const id = randomUUID();
      a.writeTranscript(id, turn(a, "one", saidMs, id), T0);
      await a.push();
      await b.pull();
      assert.equal(statSync(b.transcriptPath(id)).mtimeMs, T0 + shownMs);
    }
  }));

Deno.test("a branch whose file is not here is listed and can be resumed", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    await diverged(a, b, T0);
    const [branch] = (await b.pull()).branchSessions;
    rmSync(b.transcriptPath(branch!.id));
    const row = (await syncService.list(b.context())).find(({ id }) => id === branch!.id);
    assert.equal(row?.where, "vault");
    await syncService.resume(b.context(), branch!.id);
    assert.ok(statSync(b.transcriptPath(branch!.id)).size > 0);
  }));

Deno.test("a transcript that a power cut has emptied is filled where it stands", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    a.writeTranscript(ID, turn(a, "hello", T0), T0);
    await a.push();
    await b.pull();
    // The client has moved it: its session goes on in a worktree.
    const worktree = `${dirname(b.transcriptPath(ID))}--claude-worktrees-wt`;
    mkdirSync(worktree);
    rmSync(b.transcriptPath(ID));
    const emptied = join(worktree, `${ID}.jsonl`);
    for (const hasOtherFiles of [false, true]) {
      writeFileSync(emptied, "");
      const todos = join(dirname(dirname(dirname(emptied))), "todos");
      mkdirSync(todos, { recursive: true });
      if (hasOtherFiles) writeFileSync(join(todos, `${ID}.json`), "[]");
      await b.sync();
      await b.sync();
      assert.equal(readFileSync(emptied, "utf8"), a.readTranscript(ID));
      assert.equal(existsSync(b.transcriptPath(ID)), false);
    }
    // Beside a copy that has its text, an empty one is none.
    b.writeTranscript(ID, a.readTranscript(ID), T0);
    writeFileSync(emptied, "");
    await b.sync();
    await b.sync();
    assert.equal(readFileSync(emptied, "utf8"), "");
    assert.equal(b.readTranscript(ID), a.readTranscript(ID));
  }));
