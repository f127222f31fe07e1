import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, renameSync, symlinkSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { slugOf } from "../../src/sessions/slug.ts";
import { syncService } from "../../src/sync/service.ts";
import { ID, pair, T0, turn } from "../support/pair.ts";
import { inTempDir, said, SyncMachine } from "../support/sync_machine.ts";

const ID2 = "22222222-2222-4222-8222-222222222222";

function append(machine: SyncMachine, text: string): void {
  appendFileSync(machine.transcriptPath(ID), text);
  const at = Date.now() / 1000 - 3_600;
  utimesSync(machine.transcriptPath(ID), at, at);
}

async function standing(machine: SyncMachine) {
  const status = await syncService.status(machine.context());
  const { verdict, unsent, unreceived, unplaced, archived } = status;
  return { verdict, unsent, unreceived, unplaced, archived };
}

const FINE = { verdict: "ok", unsent: 0, unreceived: 0, unplaced: 0, archived: 0 };

Deno.test("status counts another machine's continuation as not received until a pull", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    a.writeTranscript(ID, turn(a, "base", T0));
    await a.push();
    await b.pull();
    assert.deepEqual(await standing(b), FINE);
    append(a, turn(a, "from anna", T0 + 5000));
    await a.push();
    append(b, turn(b, "from bert", T0 + 6000));
    await b.push();
    assert.deepEqual(await standing(b), { ...FINE, unreceived: 1 });
    await b.pull();
    assert.deepEqual(await standing(b), FINE);
    assert.deepEqual((await syncService.list(b.context())).map(({ where }) => where), [
      "both",
      "both",
    ]);
  }));

Deno.test("status counts sessions that tell no project apart from projects without a folder", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    a.writeTranscript(ID, '{"type":"summary","summary":"Old work","leafUuid":"u-1"}\n');
    await a.push();
    assert.equal((await b.pull()).unplacedProjects[0]?.key, "unknown");
    const status = await syncService.status(b.context());
    assert.deepEqual([status.unplaced, status.withoutProject], [0, 1]);
    assert.equal((await b.pull({ all: true })).pulled, 1);
    assert.equal((await syncService.status(b.context())).withoutProject, 0);
  }));

Deno.test("status tells sessions to come, projects without a folder, and archived ones apart", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    a.writeTranscript(ID, turn(a, "base", T0));
    await a.push();
    await b.push();
    assert.deepEqual(await standing(b), { ...FINE, unreceived: 1 });
    await b.pull();
    const elsewhere = join(a.home, "code", "elsewhere");
    mkdirSync(elsewhere);
    const facts = { session: ID2, cwd: elsewhere, atMs: T0 };
    a.write(`projects/${slugOf(elsewhere)}/${ID2}.jsonl`, said("user", "new", facts));
    await a.push();
    await b.pull();
    assert.deepEqual(await standing(b), { ...FINE, unplaced: 1 });
    renameSync(b.transcriptPath(ID), join(dir, "taken-away.jsonl"));
    assert.deepEqual(await standing(b), { ...FINE, unplaced: 1, archived: 1 });
  }));

Deno.test("a projects folder on another disk is pushed, pulled into and counted", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    for (const machine of [a, b]) {
      const disk = join(dir, `disk-${machine.name}`);
      mkdirSync(disk);
      symlinkSync(disk, join(machine.configDir, "projects"));
    }
    a.writeTranscript(ID, turn(a, "base", T0));
    const push = await a.push();
    assert.deepEqual([push.pushed, push.failures], [1, []]);
    assert.equal((await b.pull()).pulled, 1);
    assert.equal(b.readTranscript(ID), a.readTranscript(ID));
    assert.deepEqual([await standing(a), await standing(b)], [FINE, FINE]);
  }));

Deno.test("what a push cannot take is a failure, and status does not call it safe", () =>
  inTempDir(async (dir) => {
    const [a] = await pair(dir);
    a.writeTranscript(ID, turn(a, "base", T0));
    await a.push();
    const real = join(dir, "real.jsonl");
    renameSync(a.transcriptPath(ID), real);
    symlinkSync(real, a.transcriptPath(ID));
    assert.deepEqual([(await standing(a)).verdict, (await standing(a)).unsent], ["waiting", 1]);
    const push = await a.push();
    assert.equal(push.failed, 1);
    assert.match(push.failures[0]!.message, /is a symbolic link and is not synced/);
    assert.equal((await standing(a)).verdict, "failing");
  }));

Deno.test("a push notes files that a session does without, and is silent about secrets", () =>
  inTempDir(async (dir) => {
    const [a] = await pair(dir);
    a.writeTranscript(ID, turn(a, "base", T0));
    const side = `projects/${slugOf(a.project)}/${ID}`;
    a.write(`${side}/tool-results/.env`, "secret");
    assert.deepEqual((await a.push()).failures, []);
    const notes = () => a.events.flatMap((event) => event.kind === "note" ? [event.message] : []);
    assert.deepEqual(notes(), []);
    symlinkSync("/", join(a.configDir, side, "tool-results", "link"));
    assert.deepEqual((await a.push()).failures, []);
    assert.match(notes().join(), /link" is a symbolic link/);
    assert.deepEqual(await standing(a), FINE);
  }));
