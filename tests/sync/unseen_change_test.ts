/** Files of the same size, time and number whose bytes are others all the same. */
import assert from "node:assert/strict";
import { appendFileSync, readFileSync, renameSync, statSync } from "node:fs";
import { utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { restore } from "../support/restore_world.ts";
import { inTempDir, said, type SyncMachine } from "../support/sync_machine.ts";
import { contentsOf, historyOf, newWorld, type SyncWorld } from "../support/sync_world.ts";

const ID = "11111111-1111-4111-8111-111111111111";
const HOUR_MS = 3_600_000;

function turn({ clock, machines }: SyncWorld, text: string): string {
  const facts = { session: ID, cwd: machines[0]!.project, atMs: clock.nowMs() - HOUR_MS };
  return said("user", text, facts) + said("assistant", `echo ${text}`, facts);
}

/** Puts `to` in the place of `from`, of the same length; nothing but a read can tell. */
function changeUnseen(path: string, from: string, to: string): void {
  const { atimeMs, mtimeMs } = statSync(path);
  const text = readFileSync(path, "utf8");
  assert.ok(text.includes(from) && from.length === to.length);
  writeFileSync(path, text.replaceAll(from, to));
  utimesSync(path, atimeMs / 1000, Math.floor(mtimeMs) / 1000);
}

async function withPair(
  work: (world: SyncWorld, anna: SyncMachine, bert: SyncMachine) => Promise<void>,
): Promise<void> {
  await inTempDir(async (dir) => {
    const world = await newWorld(dir);
    await work(world, ...world.machines as [SyncMachine, SyncMachine]);
  });
}

Deno.test("a pull joins nothing to a beginning that is another one than it looks", () =>
  withPair(async (world, anna, bert) => {
    anna.writeTranscript(ID, turn(world, "first words"));
    await anna.push();
    await bert.pull();
    changeUnseen(bert.transcriptPath(ID), "first words", "other words");
    const before = bert.readTranscript(ID);
    appendFileSync(anna.transcriptPath(ID), turn(world, "more"));
    await anna.push();
    const { pulled, failures } = await bert.pull();
    assert.deepEqual([pulled, failures.map(({ code }) => code)], [0, ["local-io"]]);
    assert.match(failures[0]!.message, /changed while it was read/);
    assert.equal(bert.readTranscript(ID), before);
  }));

Deno.test("a push sees what was added to a file, or put in its place, under the old time", () =>
  withPair(async (world, anna, bert) => {
    const path = anna.transcriptPath(ID);
    anna.writeTranscript(ID, turn(world, "first words"));
    await anna.push();
    const { atimeMs, mtimeMs } = statSync(path);
    const keepTime = (of: string) => utimesSync(of, atimeMs / 1000, Math.floor(mtimeMs) / 1000);
    keepTime(path);
    assert.equal((await anna.push()).bytes.sent, 0);
    appendFileSync(path, turn(world, "added"));
    keepTime(path);
    assert.equal((await anna.push()).pushed, 1);
    // As `cp -p` and a restored backup do.
    const other = join(anna.home, "other.jsonl");
    writeFileSync(other, readFileSync(path, "utf8").replaceAll("first words", "other words"));
    keepTime(other);
    renameSync(other, path);
    assert.equal((await anna.push()).pushed, 1);
    await bert.pull();
    const onBert = Object.values(bert.files()).join("");
    for (const text of ["first words", "other words", "added"]) assert.match(onBert, RegExp(text));
  }));

Deno.test("a branch is made of the vault's bytes where the file only looks like them", () =>
  withPair(async (world, anna, bert) => {
    anna.writeTranscript(ID, turn(world, "first words"));
    await anna.push();
    await bert.pull();
    appendFileSync(anna.transcriptPath(ID), turn(world, "of anna"));
    await anna.push();
    world.clock.advance(60_000);
    appendFileSync(bert.transcriptPath(ID), turn(world, "said by bert"));
    await bert.push();
    changeUnseen(bert.transcriptPath(ID), "said by bert", "made by disk");
    const { failures } = await bert.pull();
    assert.deepEqual(failures, []);
    await anna.sync();
    const text = [...contentsOf(bert).values()].join("");
    assert.ok(text.includes("said by bert") && !text.includes("made by disk"));
    assert.deepEqual(contentsOf(anna), contentsOf(bert));
  }));

Deno.test("a file is not behind another continuation that only ends in the same lines", () =>
  withPair(async (world, anna, bert) => {
    const [one, two] = ["beginning of one", "beginning of two"].map((text) => turn(world, text));
    const end = turn(world, "the same end");
    // Different records of one length, with everything after them alike.
    bert.writeTranscript(ID, two!);
    await bert.push();
    anna.writeTranscript(ID, one!);
    await anna.push();
    appendFileSync(bert.transcriptPath(ID), end + turn(world, "and more"));
    await bert.push();
    appendFileSync(anna.transcriptPath(ID), end);
    await anna.push();
    const states = (await historyOf(bert)).map(({ bytes }) => bytes);
    assert.ok(states.includes(one! + end), "it is in the vault");
  }));

Deno.test("restore --to never takes other bytes of one length for those of the vault", () =>
  withPair(async (world, anna) => {
    anna.writeTranscript(ID, turn(world, "first words"));
    await anna.push();
    const to = join(anna.home, "out");
    const [written] = (await restore(anna, { queries: [ID], to })).sessions;
    changeUnseen(written!.path!, "first words", "other words");
    const before = readFileSync(written!.path!, "utf8");
    for (const force of [false, true]) {
      const { sessions, failures } = await restore(anna, { queries: [ID], to, force });
      assert.deepEqual([sessions[0]!.outcome, failures[0]?.code], ["failed", "unsafe-file"]);
      assert.equal(readFileSync(written!.path!, "utf8"), before);
    }
  }));
