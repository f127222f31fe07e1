/** What `list` remembers of transcripts: read once, then only what is new. */
import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, renameSync, rmSync, statSync, utimesSync } from "node:fs";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { FileSystem } from "../../src/platform/types.ts";
import { syncService } from "../../src/sync/service.ts";
import { tryLock } from "../../src/sync/lock.ts";
import { inTempDir, said, SyncMachine } from "../support/sync_machine.ts";

const ID = "11111111-1111-4111-8111-111111111111";
const OTHER = "22222222-2222-4222-8222-222222222222";
const T0 = Date.now() - 86_400_000;
/** More than the proof that a file only grew reads. */
const LARGE = 300_000;
const PROOF_BYTES = 3 * 4096;
/** Whose project a session is stands at the beginning of one that was never pushed. */
const HEAD_BYTES = 64 * 1024;

/** Counts what is read of transcripts. */
function counting(read: { bytes: number }) {
  return (fs: FileSystem): FileSystem => ({
    ...fs,
    openRead: (path) => {
      const handle = fs.openRead(path);
      if (handle === null || !path.endsWith(".jsonl")) return handle;
      const readAt: typeof handle.readAt = (into, offset) => {
        const count = handle.readAt(into, offset);
        read.bytes += count;
        return count;
      };
      return { stat: () => handle.stat(), readAt, close: () => handle.close() };
    },
  });
}

async function withMachine(
  work: (
    machine: SyncMachine,
    readBy: (run: () => Promise<unknown>) => Promise<number>,
  ) => Promise<void>,
): Promise<void> {
  await inTempDir(async (dir) => {
    const read = { bytes: 0 };
    const machine = new SyncMachine({ name: "anna", dir, fs: counting(read) });
    await machine.init();
    await work(machine, async (run) => {
      read.bytes = 0;
      await run();
      return read.bytes;
    });
  });
}

const facts = (machine: SyncMachine, session = ID) => ({
  ...{ session, cwd: machine.project, atMs: T0 },
});
const titled = (title: string) =>
  JSON.stringify({ type: "custom-title", customTitle: title }) + "\n";

function write(machine: SyncMachine, session: string, prompt: string): void {
  const own = facts(machine, session);
  const answer = said("assistant", "x".repeat(LARGE), own);
  machine.writeTranscript(session, said("user", prompt, own) + answer);
}

const list = (machine: SyncMachine) => syncService.list(machine.context());

async function titleOf(machine: SyncMachine, session = ID): Promise<string | null> {
  return (await list(machine)).find(({ id }) => id === session)?.title ?? null;
}

function rows(machine: SyncMachine): string[] {
  const database = new DatabaseSync(join(machine.home, ".claude-sync", "state.db"));
  try {
    const all = database.prepare("SELECT path FROM transcript ORDER BY path").all();
    return (all as { path: string }[]).map(({ path }) => path);
  } finally {
    database.close();
  }
}

Deno.test("list reads a transcript once, and then only what was added", () =>
  withMachine(async (machine, readBy) => {
    write(machine, ID, "first words");
    // Makes the database.
    await machine.pull();
    assert.ok(await readBy(() => list(machine)) >= LARGE);
    assert.ok(await readBy(() => list(machine)) <= HEAD_BYTES);
    const [row] = await list(machine);
    assert.deepEqual([row!.title, row!.dir, row!.lastActivityMs], [
      "first words",
      machine.project,
      T0,
    ]);
    appendFileSync(machine.transcriptPath(ID), titled("Named"));
    assert.ok(await readBy(() => list(machine)) <= HEAD_BYTES + PROOF_BYTES);
    assert.equal(await titleOf(machine), "Named");
    appendFileSync(machine.transcriptPath(ID), titled("Named again").slice(0, -1));
    assert.equal(await titleOf(machine), "Named", "a line that has no end yet");
    appendFileSync(machine.transcriptPath(ID), "\n");
    assert.equal(await titleOf(machine), "Named again");
  }));

Deno.test("a push leaves nothing for list to read, and reads no more than before", () =>
  withMachine(async (machine, readBy) => {
    write(machine, ID, "first words");
    const size = () => statSync(machine.transcriptPath(ID)).size;
    const push = () => readBy(() => machine.push());
    await machine.pull();
    // Once to compare it with the vault, once to send it, once for the plans that it names.
    assert.ok(await push() <= 3 * size() + PROOF_BYTES);
    assert.equal(await readBy(() => list(machine)), 0);
    const added = titled("Named");
    appendFileSync(machine.transcriptPath(ID), added);
    assert.ok(await push() <= size() + 2 * added.length + 3 * PROOF_BYTES);
    assert.equal(await readBy(() => list(machine)), 0);
    assert.equal(await titleOf(machine), "Named");
    assert.equal(await push(), 0);
  }));

Deno.test("a transcript that was replaced, rewritten or shortened is read anew", () =>
  withMachine(async (machine) => {
    write(machine, ID, "first words");
    await machine.push();
    const path = machine.transcriptPath(ID);
    const other = (prompt: string, bytes: number) => {
      const own = facts(machine);
      return said("user", prompt, own) + said("assistant", "y".repeat(bytes), own);
    };
    writeFileSync(path, other("longer, in place", 2 * LARGE));
    assert.equal(await titleOf(machine), "longer, in place");
    writeFileSync(path, other("shorter, in place", 10));
    assert.equal(await titleOf(machine), "shorter, in place");
    writeFileSync(`${path}.new`, other("another file", 20_000));
    renameSync(`${path}.new`, path);
    assert.equal(await titleOf(machine), "another file");
    await machine.push();
    assert.equal(await titleOf(machine), "another file");
    rmSync(path);
    assert.equal(await titleOf(machine), "another file", "as the vault has it");
  }));

Deno.test("nothing stays of transcripts that are gone", () =>
  withMachine(async (machine) => {
    write(machine, ID, "one");
    write(machine, OTHER, "two");
    await machine.push();
    assert.deepEqual(rows(machine), [ID, OTHER].map((id) => machine.transcriptPath(id)).sort());
    rmSync(machine.transcriptPath(OTHER));
    await list(machine);
    assert.deepEqual(rows(machine), [machine.transcriptPath(ID)]);
    write(machine, OTHER, "two");
    await machine.push();
    rmSync(machine.transcriptPath(OTHER));
    appendFileSync(machine.transcriptPath(ID), titled("Named"));
    await machine.push();
    assert.deepEqual(rows(machine), [machine.transcriptPath(ID)], "a push sees to that, too");
  }));

Deno.test("list tells the truth where it can remember nothing", () =>
  withMachine(async (machine, readBy) => {
    write(machine, ID, "first words");
    assert.equal(await titleOf(machine), "first words", "no database yet");
    await machine.pull();
    const lock = tryLock(join(machine.home, ".claude-sync", "lock.db"));
    assert.notEqual(lock, null);
    try {
      assert.equal(await titleOf(machine), "first words", "another one is at work");
      assert.deepEqual(rows(machine), []);
    } finally {
      lock!.release();
    }
    // Beside the database nothing can be made, as in a home that is read-only.
    mkdirSync(join(machine.home, ".claude-sync", "state.db-wal"));
    assert.equal(await titleOf(machine), "first words");
    rmSync(join(machine.home, ".claude-sync", "state.db-wal"), { recursive: true });
    assert.ok(await readBy(() => list(machine)) >= LARGE, "nothing was remembered");
    assert.ok(await readBy(() => list(machine)) <= HEAD_BYTES);
  }));

Deno.test("a time that is set back shows at most an old title, and the push knows better", () =>
  withMachine(async (machine) => {
    const own = facts(machine);
    machine.writeTranscript(ID, said("user", "one", own));
    await machine.push();
    const { atime, mtime } = statSync(machine.transcriptPath(ID));
    writeFileSync(machine.transcriptPath(ID), said("user", "two", own));
    utimesSync(machine.transcriptPath(ID), atime, mtime);
    assert.equal(await titleOf(machine), "one");
    appendFileSync(machine.transcriptPath(ID), said("user", "three", own));
    assert.equal(await titleOf(machine), "two");
    assert.equal((await machine.push()).pushed, 1);
  }));
