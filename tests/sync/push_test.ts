import assert from "node:assert/strict";
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { ClaudeSyncError } from "../../src/errors.ts";
import type { ObjectStore } from "../../src/storage/object_store.ts";
import { slugOf } from "../../src/sessions/slug.ts";
import { syncService } from "../../src/sync/service.ts";
import { changedStore } from "../support/changed_store.ts";
import { codeOf } from "../support/outcome.ts";
import { ID, pair, T0, turn } from "../support/pair.ts";
import { inTempDir, said, SyncMachine } from "../support/sync_machine.ts";

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
      const store = await machine.openStore(location, create);
      return changedStore(store, {
        put: (name, bytes, options) => {
          if (mayPut(name)) return store.put(name, bytes, options);
          throw new ClaudeSyncError("store-refused", "This store is read-only");
        },
      });
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

Deno.test("a very long session is sent in several entries, one of which survives the others", () =>
  inTempDir(async (dir) => {
    let entriesLeft = 1;
    const a = limited(dir, "anna", (name) => !name.startsWith("log/") || entriesLeft-- > 0);
    await a.init();
    const b = new SyncMachine({ name: "bert", dir });
    await b.join(a);
    const line = turn(a, "x".repeat(1_000_000), T0);
    a.writeTranscript(ID, "");
    for (let i = 0; i < 40; i++) appendFileSync(a.transcriptPath(ID), line);
    const sizeBytes = 40 * line.length;
    await assert.rejects(a.push(), { code: "store-refused" });
    assert.equal(logEntries(a), 1);
    assert.equal((await b.pull()).pulled, 1, "what was sent can be read");
    entriesLeft = 10;
    appendFileSync(a.transcriptPath(ID), turn(a, "more", T0 + 1));
    const rest = await a.push();
    assert.ok(rest.bytes.plain < sizeBytes / 4, `${rest.bytes.plain} bytes again`);
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
    const { pushed, failures } = await b.push();
    // What is here is safe; that the vault is not whole has to be said all the same.
    assert.deepEqual([
      pushed,
      failures.map(({ code }) =>
        code
      ),
    ], [1, ["incomplete"]]);
  }));

Deno.test("a session whose folder has too long a name is pushed like the others", () =>
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

Deno.test("a push that sees a rewrite half-way makes no second session of it", () =>
  inTempDir(async (dir) => {
    for (const pushesEachTurn of [false, true]) {
      const name = pushesEachTurn ? "often" : "once";
      const a = new SyncMachine({ name, dir, vaultDir: `${dir}/vault-${name}` });
      await a.init();
      const turns = [1, 2, 3].map((i) => turn(a, `S${i}`, T0 + i * 10));
      if (pushesEachTurn) {
        a.writeTranscript(ID, turns[0]!);
        await a.push();
      }
      a.writeTranscript(ID, turns.join(""));
      await a.push();
      // The client takes its last answer back: it writes the whole file again.
      const taken = turns.join("").split("\n").slice(0, 5).join("\n") + "\n";
      a.writeTranscript(ID, turns[0]!, T0 + 1000);
      assert.equal((await a.push()).pushed, 0);
      const now = taken + turn(a, "S4", T0 + 500);
      a.writeTranscript(ID, now, T0 + 2000);
      assert.equal((await a.push()).pushed, 1);
      assert.equal((await a.pull()).branches, 0);
      assert.equal(a.readTranscript(ID), now);
      assert.equal(Object.keys(a.files()).length, 1);
    }
  }));

Deno.test("of files named alike but for case one is pushed and the other reported", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    a.writeTranscript(ID, turn(a, "good", T0));
    const side = `projects/${slugOf(a.project)}/${ID}/tool-results`;
    a.write(`${side}/A.txt`, "1");
    a.write(`${side}/a.txt`, "2");
    // A disk that takes both for one file has nothing to clash.
    const isOneFile = readFileSync(`${a.configDir}/${side}/A.txt`, "utf8") === "2";
    for (let round = 0; round < 2; round++) {
      const { failures } = await a.push();
      assert.deepEqual(failures.map(({ code }) => code), isOneFile ? [] : ["unsafe-file"]);
    }
    const pulled = await b.pull();
    assert.deepEqual([pulled.pulled, pulled.failures], [1, []]);
    b.write(side.replace(slugOf(a.project), slugOf(b.project)) + "/B.txt", "3");
    await b.push();
    a.write(`${side}/b.txt`, "4");
    const names = (await a.push()).failures.map(({ path }) => path?.slice(-5));
    assert.deepEqual(names, isOneFile ? ["b.txt"] : ["a.txt", "b.txt"]);
  }));

for (const kind of ["log/", "packs/"]) {
  Deno.test(`a push is an alarm where other bytes have its name in ${kind}`, () =>
    inTempDir(async (dir) => {
      let isOther = false;
      const a: SyncMachine = new SyncMachine({
        name: "anna",
        dir,
        store: async (location, create) => {
          const store = await a.openStore(location, create);
          return changedStore(store, {
            put: (name, bytes, options) =>
              isOther && name.startsWith(kind)
                ? Promise.resolve("differs")
                : store.put(name, bytes, options),
          });
        },
      });
      await a.init();
      const noise = Array.from({ length: 40_000 }, () => Math.random().toString(36)).join("");
      a.writeTranscript(ID, turn(a, noise, T0));
      isOther = true;
      const before = logEntries(a);
      assert.equal(await codeOf(a.push()), "forked");
      assert.equal(await codeOf(a.push()), "forked");
      assert.equal(logEntries(a), before);
      isOther = false;
      assert.deepEqual([(await a.push()).pushed, logEntries(a)], [1, before + 1]);
      assert.deepEqual((await a.verify()).problems, []);
    }));
}
