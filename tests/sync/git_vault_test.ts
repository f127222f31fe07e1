/** Whole syncs with a vault in a Git repository. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { appendFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { inTempDir, said, SyncMachine } from "../support/sync_machine.ts";

const ID = "11111111-1111-4111-8111-111111111111";
const T0 = Date.now() - 86_400_000;

function turn(machine: SyncMachine, text: string, atMs: number): string {
  return said("user", text, { session: ID, cwd: machine.project, atMs });
}

async function pair(dir: string): Promise<[SyncMachine, SyncMachine]> {
  const location = { kind: "git" as const, url: join(dir, "vault.git") };
  const a = new SyncMachine({ name: "anna", dir, location });
  const b = new SyncMachine({ name: "bert", dir, location });
  await a.init();
  await b.join(a);
  return [a, b];
}

Deno.test("two machines sync through a Git repository, with as few trips as can be", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    a.writeTranscript(ID, turn(a, "hello", T0));
    const first = await a.push();
    assert.deepEqual([first.pushed, first.requests], [1, 2], "a question and a push");
    const pulled = await b.pull();
    assert.deepEqual([pulled.pulled, pulled.requests], [1, 2], "a question and a fetch");
    assert.equal(b.readTranscript(ID), a.readTranscript(ID));
    assert.equal((await a.push()).requests, 1);
    assert.equal((await b.pull()).requests, 1);

    // Large news of both, at once.
    appendFileSync(a.transcriptPath(ID), turn(a, randomBytes(900_000).toString("hex"), T0 + 5000));
    appendFileSync(b.transcriptPath(ID), turn(b, "from bert", T0 + 6000));
    await a.push();
    await b.push();
    await b.pull();
    await a.pull();
    assert.deepEqual(Object.values(b.files()).sort(), Object.values(a.files()).sort());
    assert.equal(Object.keys(a.files()).length, 2);
    for (const machine of [a, b]) assert.deepEqual((await machine.verify()).problems, []);

    const refs = execFileSync(
      "git",
      ["--git-dir", join(dir, "vault.git"), "for-each-ref", "--format=%(refname:short)"],
      { encoding: "utf8" },
    ).trim().split("\n");
    for (const name of ["claude-sync/shared", "main"]) assert.ok(refs.includes(name), name);
    assert.equal(refs.length, 4, "one branch for each machine");
  }));

Deno.test("a machine that lost all that it remembered finds everything in the repository", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    a.writeTranscript(ID, turn(a, randomBytes(900_000).toString("hex"), T0));
    await a.push();
    await b.pull();
    for (const name of ["cache", "state.db", "state.db-wal", "state.db-shm"]) {
      rmSync(join(b.home, ".claude-sync", name), { recursive: true, force: true });
    }
    appendFileSync(b.transcriptPath(ID), turn(b, "more", T0 + 5000));
    await b.sync();
    await a.pull();
    assert.equal(a.readTranscript(ID), b.readTranscript(ID));
    assert.deepEqual((await b.verify()).problems, []);
  }));
