import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { isClaudeSyncError } from "../../src/errors.ts";
import { NAME_BYTES_MAX } from "../../src/sessions/file_name.ts";
import { slugOf } from "../../src/sessions/slug.ts";
import { RECORD_BYTES_MAX } from "../../src/sessions/transcript.ts";
import { BATCH_FILES_MAX } from "../../src/sync/pull_write.ts";
import { EMPTY_HASH } from "../../src/sync/segment_index.ts";
import { assertComparable, COMPARED_BYTES_MAX } from "../../src/sync/vault_content.ts";
import { longPath, workFolder, writeBundle, writeLongLine } from "../bench/limit_worlds.ts";
import { sessionId, writeSmall } from "../bench/limit_worlds.ts";
import { inMemoryDir, SyncMachine } from "../support/sync_machine.ts";

const PATH_LENGTH = 4_000;
const MACHINES = 50;

function homeOf(machine: SyncMachine) {
  return { home: machine.home, claude: machine.configDir, nowMs: Date.now() };
}

async function pairIn(dir: string): Promise<readonly [SyncMachine, SyncMachine]> {
  const [a, b] = [new SyncMachine({ name: "anna", dir }), new SyncMachine({ name: "bert", dir })];
  await a.init();
  await b.join(a);
  return [a, b];
}

/** Hashes of all files of sessions, by their place below the project's folder. */
function filesOf({ configDir }: SyncMachine): Record<string, string> {
  const projects = join(configDir, "projects");
  const hashes: Record<string, string> = {};
  for (const slug of readdirSync(projects)) {
    const folder = join(projects, slug);
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      hashes[relative(folder, path)] = createHash("sha256").update(readFileSync(path)).digest(
        "hex",
      );
    }
  }
  return hashes;
}

for (const over of [0, 1]) {
  Deno.test(`a line of 64 MiB + ${over} comes to the other machine as it is`, () =>
    inMemoryDir(async (dir) => {
      const [a, b] = await pairIn(dir);
      workFolder(b, "line");
      writeLongLine(homeOf(a), workFolder(a, "line"), RECORD_BYTES_MAX + over);
      const { pushed, failures } = await a.push();
      assert.deepEqual([pushed, failures], [1, []]);
      assert.equal((await b.pull()).pulled, 1);
      assert.deepEqual(filesOf(b), filesOf(a));
    }));
}

Deno.test("continuations are compared up to the limit, and refused past it", () => {
  const state = (len: number) => ({ gen: "", hash: EMPTY_HASH, len });
  assertComparable(state(COMPARED_BYTES_MAX), sessionId(0));
  assert.throws(
    () => assertComparable(state(COMPARED_BYTES_MAX + 1), sessionId(0)),
    (error) => isClaudeSyncError(error, "too-large") && /too large/.test(error.message),
  );
});

// All 10,000 of them take a while on every machine: `bench limits` has that.
Deno.test("more files of one session than a pull publishes at once come to the other machine", () =>
  inMemoryDir(async (dir) => {
    const count = BATCH_FILES_MAX + 100;
    const [a, b] = await pairIn(dir);
    const cwd = workFolder(a, "bundle");
    workFolder(b, "bundle");
    writeBundle(homeOf(a), cwd, count);
    const push = await a.push();
    assert.deepEqual([push.pushed, push.failures], [1, []]);
    assert.deepEqual([(await b.pull()).failures, filesOf(b)], [[], filesOf(a)]);
    assert.equal(Object.keys(filesOf(b)).length, count);
  }));

Deno.test("a project's path of 4,000 characters, and its session's file, come along", () =>
  inMemoryDir(async (dir) => {
    const [a, b] = await pairIn(dir);
    const cwd = longPath(join(a.home, "code"), PATH_LENGTH);
    assert.equal(cwd.length, PATH_LENGTH);
    for (const folder of [cwd, cwd.replace(a.home, b.home)]) mkdirSync(folder, { recursive: true });
    writeSmall(homeOf(a), cwd, 0);
    const push = await a.push();
    assert.deepEqual([push.pushed, push.failures], [1, []]);
    assert.deepEqual([(await b.pull()).pulled, filesOf(b)], [1, filesOf(a)]);
  }));

/** A machine whose client's folder has a path of this length. */
function withLongFolder(name: string, dir: string, length: number): SyncMachine {
  const claude = longPath(join(dir, `of ${name}`), length);
  mkdirSync(claude, { recursive: true });
  const machine = new SyncMachine({ name, dir, env: { CLAUDE_CONFIG_DIR: claude } });
  return Object.assign(machine, { configDir: claude });
}

/** A file of an agent of the session, and one of the project's memory, both in their folder. */
function sidePaths(machine: SyncMachine, cwd: string) {
  const project = join(machine.configDir, "projects", slugOf(cwd));
  return [join(project, sessionId(0), "subagents"), join(project, "memory")] as const;
}

Deno.test("side files with paths of 4,000 characters come along, longer ones are named", () =>
  inMemoryDir(async (dir) => {
    const [a, b] = [withLongFolder("anna", dir, 3_700), new SyncMachine({ name: "bert", dir })];
    const tooLong = withLongFolder("carl", dir, 3_900);
    await a.init();
    for (const machine of [b, tooLong]) await machine.join(a);
    const cwd = workFolder(a, "deep");
    for (const machine of [b, tooLong]) workFolder(machine, "deep");
    writeSmall(homeOf(a), cwd, 0);
    for (const folder of sidePaths(a, cwd)) {
      const path = longPath(folder, PATH_LENGTH - ".md".length) + ".md";
      assert.equal(path.length, PATH_LENGTH);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, "what an agent said\n");
    }
    const push = await a.push();
    assert.deepEqual([push.pushed, push.otherFiles, push.failures], [1, 1, []]);
    assert.deepEqual([(await b.pull()).failures, filesOf(b)], [[], filesOf(a)]);
    assert.equal(Object.keys(filesOf(b)).length, 3);

    const pull = await tooLong.pull();
    assert.deepEqual([pull.pulled, pull.failures.length], [0, 2]);
    for (const { code, message } of pull.failures) {
      assert.equal(code, "local-io");
      assert.match(message, /^Cannot look at ".*\.md" \(ENAMETOOLONG\)$/);
    }
    assert.equal((await tooLong.push()).pushed, 0);
    assert.deepEqual([(await b.pull()).failures, filesOf(b)], [[], filesOf(a)]);
  }));

Deno.test("side files whose own names are too long or too deep stay here, and are named", () =>
  inMemoryDir(async (dir) => {
    const [a, b] = await pairIn(dir);
    const cwd = workFolder(a, "deep");
    workFolder(b, "deep");
    writeSmall(homeOf(a), cwd, 0);
    for (const folder of sidePaths(a, cwd)) {
      for (const length of [NAME_BYTES_MAX + folder.length + 40, PATH_LENGTH]) {
        const path = longPath(folder, length);
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, "what an agent said\n");
      }
    }
    const before = filesOf(a);
    const push = await a.push();
    assert.deepEqual([push.pushed, push.failures.length], [1, 2]);
    for (const { code, message } of push.failures) {
      assert.equal(code, "too-large");
      assert.match(message, /" lies too deep and is not synced$/);
    }
    const notes = a.events.flatMap((event) => event.kind === "note" ? [event.message] : []);
    assert.equal(notes.length, 1);
    assert.match(notes[0]!, /has a path of more than 1024 bytes in its folder \(and 1 more/);
    assert.equal((await b.pull()).pulled, 1);
    assert.deepEqual(Object.keys(filesOf(b)), [`${sessionId(0)}.jsonl`]);
    assert.deepEqual([filesOf(a), (await a.pull()).failures], [before, []]);
  }));

Deno.test("the 51st machine gets what 50 others have pushed, and asks once more for nothing", () =>
  inMemoryDir(async (dir) => {
    const first = new SyncMachine({ name: "m1", dir });
    await first.init();
    const expected: Record<string, string> = {};
    for (let number = 1; number <= MACHINES; number++) {
      const machine = number === 1 ? first : new SyncMachine({ name: `m${number}`, dir });
      if (number > 1) await machine.join(first);
      writeSmall(homeOf(machine), workFolder(machine, "crowd"), number);
      assert.equal((await machine.push()).pushed, 1);
      Object.assign(expected, filesOf(machine));
    }
    const last = new SyncMachine({ name: "last", dir });
    await last.join(first);
    workFolder(last, "crowd");
    const pull = await last.pull();
    assert.deepEqual([pull.pulled, pull.failures, pull.from.length], [MACHINES, [], MACHINES]);
    // One list, and each machine's one small entry, which has the bytes in it.
    assert.ok(pull.requests <= MACHINES + 2, `${pull.requests} requests`);
    assert.deepEqual(filesOf(last), expected);
    assert.ok(`${sessionId(MACHINES)}.jsonl` in expected);
    const again = await last.pull();
    assert.deepEqual([again.pulled, again.requests], [0, 1]);
    assert.deepEqual((await last.verify()).problems, []);
  }));
