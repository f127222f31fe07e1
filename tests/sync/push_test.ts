import assert from "node:assert/strict";
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { ClaudeSyncError } from "../../src/errors.ts";
import type { ObjectStore } from "../../src/storage/object_store.ts";
import { openStore } from "../../src/storage/open.ts";
import { syncService } from "../../src/sync/service.ts";
import { inTempDir, said, SyncMachine } from "../support/sync_machine.ts";

const ID = "11111111-1111-4111-8111-111111111111";
const T0 = Date.now() - 86_400_000;

async function pair(dir: string): Promise<[SyncMachine, SyncMachine]> {
  const a = new SyncMachine({ name: "anna", dir });
  const b = new SyncMachine({ name: "bert", dir });
  await a.init();
  await b.join(a);
  return [a, b];
}

function turn(machine: SyncMachine, text: string, atMs: number, session = ID): string {
  const facts = { session, cwd: machine.project, atMs };
  return said("user", text, facts) +
    said("assistant", `echo ${text}`, { ...facts, atMs: atMs + 1 });
}

/** A machine whose store takes only what `mayPut` lets through. */
function limited(
  dir: string,
  name: string,
  mayPut: (objectName: string) => boolean,
): SyncMachine {
  const machine: SyncMachine = new SyncMachine({
    name,
    dir,
    store: async (location, create): Promise<ObjectStore> => {
      const { platform } = machine;
      const store = await openStore(location, { platform, create });
      return {
        label: store.label,
        get: store.get.bind(store),
        list: store.list.bind(store),
        delete: store.delete.bind(store),
        put: (name, bytes, options) => {
          if (mayPut(name)) return store.put(name, bytes, options);
          throw new ClaudeSyncError("store-refused", "This store is read-only");
        },
      };
    },
  });
  return machine;
}

function logEntries(machine: SyncMachine): number {
  const log = `${machine.vaultDir}/log`;
  if (!existsSync(log)) return 0;
  return readdirSync(log).reduce((sum, tag) => sum + readdirSync(`${log}/${tag}`).length, 0);
}

Deno.test("a file that lost its middle to zeros replaces no good copy, and a pull repairs it", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    const turns = [1, 2, 3].map((i) => turn(a, `SAY${i}`, T0 + i * 1000));
    a.writeTranscript(ID, turns.join(""));
    await a.push();
    await b.pull();
    const good = b.readTranscript(ID);
    const bytes = readFileSync(a.transcriptPath(ID));
    bytes.fill(0, turns[0]!.length, turns[0]!.length + turns[1]!.length);
    a.writeTranscript(ID, bytes, T0 + 60_000);
    await a.push();
    await b.pull();
    assert.equal(b.readTranscript(ID), good);
    await a.pull();
    assert.equal(a.readTranscript(ID), good);
    assert.equal(Object.keys(b.files()).length, 1, "the damage is no second session");
    assert.deepEqual((await b.verify()).problems, []);
  }));

Deno.test("a very long session is sent in several entries, and an interruption keeps the first", () =>
  inTempDir(async (dir) => {
    let entriesLeft = 1;
    const a = limited(dir, "anna", (name) => !name.startsWith("log/") || entriesLeft-- > 0);
    await a.init();
    const b = new SyncMachine({ name: "bert", dir });
    await b.join(a);
    const line = turn(a, "x".repeat(1_000_000), T0);
    a.writeTranscript(ID, "");
    for (let i = 0; i < 140; i++) appendFileSync(a.transcriptPath(ID), line);
    const sizeBytes = 140 * line.length;
    await assert.rejects(a.push(), { code: "store-refused" });
    assert.equal(logEntries(a), 1);
    assert.equal((await b.pull()).pulled, 1, "what was sent can be read");
    entriesLeft = 10;
    appendFileSync(a.transcriptPath(ID), turn(a, "more", T0 + 1));
    const rest = await a.push();
    assert.ok(rest.bytes.plain < sizeBytes / 10, `${rest.bytes.plain} bytes again`);
    await b.pull();
    assert.ok(b.readTranscript(ID) === a.readTranscript(ID));
    assert.equal(Object.keys(b.files()).length, 1);
  }));

Deno.test("what was staged before its project was excluded is not sent", () =>
  inTempDir(async (dir) => {
    let isReadOnly = true;
    const a = limited(dir, "anna", (name) => !isReadOnly || !name.startsWith("log/"));
    await a.init();
    a.writeTranscript(ID, turn(a, "secret", T0));
    await assert.rejects(a.push(), { code: "store-refused" });
    const [project] = await syncService.projectList(a.context());
    await syncService.projectExclude(a.context(), project!.key, true);
    isReadOnly = false;
    assert.equal((await a.push()).pushed, 0);
    assert.equal(logEntries(a), 0);
    await syncService.projectExclude(a.context(), project!.key, false);
    assert.equal((await a.push()).pushed, 1);
  }));

Deno.test("a push needs nobody else's pack", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    a.writeTranscript(ID, turn(a, "base", T0));
    await a.push();
    await b.pull();
    const noise = Array.from({ length: 200_000 }, (_, i) =>
      (i * 2654435761 % 4294967296).toString(36));
    const long = turn(a, noise.join(""), T0 + 1000);
    appendFileSync(a.transcriptPath(ID), long);
    await a.push();
    rmSync(`${a.vaultDir}/packs`, { recursive: true });
    // The first record of what the pack holds: is it behind, or the start of something else?
    appendFileSync(b.transcriptPath(ID), long.slice(0, long.indexOf("\n") + 1));
    const push = await b.push();
    assert.deepEqual([push.pushed, push.failures], [1, []]);
  }));

Deno.test("a session whose folder has a name too long for the vault is pushed like the others", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    const other = "22222222-2222-4222-8222-222222222222";
    const facts = { session: other, cwd: `/${"é".repeat(3_000)}`, atMs: T0 };
    a.writeTranscript(ID, turn(a, "good", T0));
    a.write(`projects/-long/${other}.jsonl`, said("user", "far away", facts));
    assert.deepEqual([(await a.push()).pushed, (await a.push()).pushed], [2, 0]);
    const pulled = await b.pull();
    assert.deepEqual([pulled.pulled, pulled.failures], [1, []]);
  }));
