import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { slugOf } from "../../src/sessions/slug.ts";
import { syncService } from "../../src/sync/service.ts";
import { ID, pair, T0, turn } from "../support/pair.ts";
import { inTempDir, said, SyncMachine } from "../support/sync_machine.ts";

const ID2 = "22222222-2222-4222-8222-222222222222";

async function excludeOnly(machine: SyncMachine): Promise<void> {
  const [project, ...others] = await syncService.projectList(machine.context());
  assert.equal(others.length, 0);
  await syncService.projectExclude(machine.context(), project!.key, true);
}

Deno.test("parts of a session in the folder of an excluded project are not pushed", () =>
  inTempDir(async (dir) => {
    const [a] = await pair(dir);
    a.writeTranscript(ID, turn(a, "secret", T0));
    await excludeOnly(a);
    const agent = said("assistant", "secret too", { session: ID2, cwd: a.project, atMs: T0 });
    a.write(`projects/${slugOf(a.project)}/${ID2}/subagents/agent-abc.jsonl`, agent);
    a.write(`projects/-nobody-knows/${ID2}/subagents/agent-abd.jsonl`, agent);
    assert.equal((await a.push()).pushed, 0);
    const status = await syncService.status(a.context());
    assert.deepEqual([status.verdict, status.unsent], ["ok", 0]);
    assert.equal((await a.push({ all: true })).pushed, 2);
  }));

Deno.test("a session that is named comes here, whatever its project; none is sent unasked", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    for (const id of [ID, ID2]) a.writeTranscript(id, turn(a, "one", T0, id));
    await a.push();
    await b.pull();
    await excludeOnly(b);
    for (const id of [ID, ID2]) rmSync(b.transcriptPath(id));
    for (const id of [ID, ID2]) {
      a.writeTranscript(id, a.readTranscript(id) + turn(a, "two", T0 + 60_000, id));
    }
    await a.push();
    assert.equal((await b.pull()).pulled, 0);
    assert.equal((await b.pull({ sessions: [ID] })).pulled, 1);
    assert.equal(b.readTranscript(ID), a.readTranscript(ID));
    assert.equal(existsSync(b.transcriptPath(ID2)), false);
    b.writeTranscript(ID, b.readTranscript(ID) + turn(b, "secret", T0 + 120_000));
    for (const sessions of [[], [ID]]) {
      const { pushed, sessions: looked, excluded } = await b.push({ sessions });
      assert.deepEqual([pushed, looked, excluded], [0, 0, 1]);
    }
    // What is new in it here is not sent to make room, either.
    a.writeTranscript(ID, a.readTranscript(ID) + turn(a, "three", T0 + 180_000));
    await a.push();
    const before = b.readTranscript(ID);
    const { failures } = await b.pull({ sessions: [ID] });
    assert.deepEqual(failures.map(({ sessionId, code }) => [sessionId, code]), [[
      ID,
      "unsafe-file",
    ]]);
    assert.equal(b.readTranscript(ID), before);
    assert.equal((await b.pull()).failures.length, 0);
    assert.equal((await b.push({ all: true })).pushed, 1);
  }));

Deno.test("parts of a session go by its transcript, wherever that stands", () =>
  inTempDir(async (dir) => {
    const [a] = await pair(dir);
    a.writeTranscript(ID, turn(a, "secret", T0));
    await excludeOnly(a);
    const other = join(a.home, "code", "other");
    mkdirSync(other, { recursive: true });
    a.write(`projects/${slugOf(other)}/${ID2}.jsonl`, turn({ project: other }, "public", T0, ID2));
    const agent = said("assistant", "public too", { session: ID2, cwd: other, atMs: T0 });
    a.write(`projects/${slugOf(a.project)}/${ID2}/subagents/agent-abc.jsonl`, agent);
    const push = await a.push();
    assert.deepEqual([push.pushed, push.bytes.plain > agent.length], [1, true]);
  }));

Deno.test("an excluded project covers the folders in it, and the home folder only itself", () =>
  inTempDir(async (dir) => {
    const [a] = await pair(dir);
    a.writeTranscript(ID, turn(a, "secret", T0));
    await excludeOnly(a);
    const below = join(a.project, "sub");
    const beside = `${a.project}-2`;
    for (const [i, cwd] of [below, beside].entries()) {
      mkdirSync(cwd, { recursive: true });
      const id = ID2.replace(/.$/, String(i));
      a.write(`projects/${slugOf(cwd)}/${id}.jsonl`, turn({ project: cwd }, "x", T0, id));
    }
    assert.equal((await a.push()).pushed, 1);
    a.write(
      `projects/${slugOf(a.home)}/${ID2}.jsonl`,
      turn({ project: a.home }, "at home", T0, ID2),
    );
    await syncService.projectExclude(a.context(), "home:code/app", false);
    await syncService.projectExclude(a.context(), "home:", true);
    assert.equal((await a.push()).pushed, 2);
  }));

Deno.test("a branch of an excluded project that goes on elsewhere is not pushed", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    b.writeTranscript(ID, turn(b, "base", T0));
    await b.push();
    await a.pull();
    appendFileSync(a.transcriptPath(ID), turn(a, "from anna", T0 + 5000));
    appendFileSync(b.transcriptPath(ID), turn(b, "from bert", T0 + 6000));
    await a.push();
    assert.equal((await b.pull()).branches, 1);
    await excludeOnly(b);
    const branch = Object.keys(b.files()).find((path) => !path.includes(ID))!;
    const id = branch.slice(-"00000000-0000-0000-0000-000000000000.jsonl".length, -6);
    const elsewhere = join(b.home, "elsewhere");
    mkdirSync(elsewhere);
    // The client moves a session that goes on in another folder.
    b.write(
      `projects/${slugOf(elsewhere)}/${id}.jsonl`,
      turn({ project: elsewhere }, "secret", T0 + 9000, id),
    );
    b.write(branch, "");
    assert.equal((await b.push()).pushed, 0);
  }));
