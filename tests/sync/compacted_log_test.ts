/**
 * What readers make of logs that begin with a checkpoint or were taken over by another machine. The
 * logs are written by a member who is not this program, so that nothing here rests on its writer.
 */
import assert from "node:assert/strict";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { toHex } from "../../src/base/bytes.ts";
import { refresh } from "../../src/sync/refresh.ts";
import { withVault } from "../../src/sync/vault_access.ts";
import { codeOf } from "../support/outcome.ts";
import { SyncMachine, TestClock } from "../support/sync_machine.ts";
import { withoutFlush } from "../support/unflushed_fs.ts";
import { addOf, HostileMember, type Loose, type LooseAdd } from "./hostile_member.ts";
import { turns, type Victims, withVictims } from "./hostile_world.ts";

const EMPTY = new Uint8Array(0);
const ids = [1, 2, 3, 4].map((n) => `${n}0000000-0000-4000-8000-000000000000`);

function entriesOf(member: HostileMember): string[] {
  return readdirSync(join(member.vaultDir, "log", member.tag)).sort();
}

function covered(member: HostileMember): string[] {
  return entriesOf(member).map((name) => name.split(".")[1]!);
}

/** Removes the entries with these numbers. */
function remove(member: HostileMember, ...numbers: readonly number[]): void {
  for (const name of entriesOf(member)) {
    if (!numbers.includes(Number(name.slice(0, 12)))) continue;
    rmSync(join(member.vaultDir, "log", member.tag, name));
  }
}

const TEXTS = new Map(
  ids.map((id) => [id, turns(id, "/home/mallory/code/app", [`said in ${id}`])]),
);

function sessionOf(id: string): LooseAdd {
  return addOf(id, { transcript: TEXTS.get(id)! });
}

/** Says all of `some` again, in one entry, as a checkpoint. */
async function checkpoint(
  member: HostileMember,
  some: readonly string[],
  over: Loose = {},
): Promise<void> {
  const hashes = covered(member);
  const from = hashes.length + 1;
  const adds = some.map((id) => sessionOf(id));
  const inline = concat(adds.map((add) => add.inline));
  const ops = adds.map((add, i) => ({
    ...add.op,
    time: 1_764_000_000_000,
    groups: (add.op["groups"] as Loose[]).map((group) => ({
      ...group,
      at: adds.slice(0, i).reduce((sum, { inline }) => sum + inline.length, 0),
    })),
  }));
  const last = { op: "checkpoint", from, covered: hashes, ...over };
  member.base = from;
  await member.put(member.body([member.enrol(), ...ops, last], inline), inline);
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

/** As if `state.db` had been deleted. */
function forgetState(machine: SyncMachine): void {
  for (const suffix of ["", "-wal", "-shm"]) {
    rmSync(join(machine.home, ".claude-sync", `state.db${suffix}`), { force: true });
  }
}

/** Sessions of which the machine now finds something in the vault. */
function sessionsInVault(machine: SyncMachine): Promise<string[]> {
  return withVault(machine.context(), async (vault) => {
    await refresh(vault);
    return [...new Set(vault.index.allLeaves().map(({ session }) => session))].sort();
  });
}

/** Another machine that joins now. */
async function newcomer({ dir, anna }: Victims, name: string): Promise<SyncMachine> {
  const clock = new TestClock(Date.now());
  const machine = new SyncMachine({ name, dir, clock, fs: withoutFlush });
  await machine.join(anna);
  return machine;
}

async function assertHas(machine: SyncMachine, some: readonly string[]): Promise<void> {
  const { failures } = await machine.pull();
  assert.deepEqual(failures, []);
  for (const id of some) {
    assert.equal(machine.readTranscript(id), TEXTS.get(id));
  }
  assert.deepEqual((await machine.verify()).problems, []);
}

Deno.test("a log that begins at its checkpoint is read by new, lagging and present machines", () =>
  withVictims(async (victims) => {
    const { anna, bert, mallory } = victims;
    await mallory.add(sessionOf(ids[0]!));
    await assertHas(bert, [ids[0]!]);
    await mallory.add(sessionOf(ids[1]!));
    await mallory.add(sessionOf(ids[2]!));
    await assertHas(anna, ids.slice(0, 3));
    await checkpoint(mallory, ids.slice(0, 3));
    await mallory.add(sessionOf(ids[3]!));
    const early = await newcomer(victims, "early");
    await assertHas(early, ids);
    remove(mallory, 1, 2, 3);
    for (const machine of [anna, bert, early, await newcomer(victims, "late")]) {
      await assertHas(machine, ids);
      assert.equal((await machine.pull()).requests, 1, "a no-op is one look");
      forgetState(machine);
      await assertHas(machine, ids);
    }
  }));

Deno.test("a hole above the base, and a log cut off below a mark, are alarms", () =>
  withVictims(async (victims) => {
    const { anna, bert, mallory } = victims;
    for (const id of ids.slice(0, 3)) await mallory.add(sessionOf(id));
    await checkpoint(mallory, ids.slice(0, 3));
    await mallory.add(sessionOf(ids[3]!));
    await mallory.put(mallory.body([], EMPTY));
    await assertHas(bert, ids);
    remove(mallory, 1, 2, 3, 5);
    assert.equal(await codeOf(bert.pull()), "incomplete");
    assert.equal(await codeOf(anna.pull()), "incomplete");
    assert.deepEqual((await anna.verify()).problems.map(({ code }) => code), ["incomplete"]);
    remove(mallory, 6);
    assert.equal(await codeOf(bert.pull()), "rolled-back");
    assert.equal(await codeOf(anna.pull()), null, "who saw no more than that cannot know");
  }));

Deno.test("a log without its first entry is incomplete, and not damaged besides (sim 300082)", () =>
  withVictims(async ({ anna, bert, mallory }) => {
    for (const id of ids.slice(0, 3)) await mallory.add(sessionOf(id));
    remove(mallory, 1);
    const codes = async () => (await bert.verify()).problems.map(({ code }) => code);
    assert.deepEqual(await codes(), ["incomplete"]);
    assert.equal(await codeOf(anna.pull()), "incomplete");
    remove(mallory, 2);
    assert.deepEqual(await codes(), ["incomplete"]);
  }));

Deno.test("a compacted log without the entry at its base is incomplete for who joins", () =>
  withVictims(async (victims) => {
    const { anna, mallory } = victims;
    for (const id of ids.slice(0, 2)) await mallory.add(sessionOf(id));
    await checkpoint(mallory, ids.slice(0, 2));
    await mallory.add(sessionOf(ids[2]!));
    remove(mallory, 1, 2, 3);
    const late = await newcomer(victims, "late");
    assert.equal(await codeOf(late.pull()), "incomplete");
    for (const machine of [late, anna]) {
      const codes = (await machine.verify()).problems.map(({ code }) => code);
      assert.deepEqual(codes, ["incomplete"], machine.name);
    }
  }));

Deno.test("a checkpoint that covers other entries than those read here is an alarm", () =>
  withVictims(async ({ bert, mallory }) => {
    for (const id of ids.slice(0, 2)) await mallory.add(sessionOf(id));
    await assertHas(bert, ids.slice(0, 2));
    await mallory.add(sessionOf(ids[2]!));
    const hashes = covered(mallory).with(1, "00000000");
    await checkpoint(mallory, ids.slice(0, 3), { covered: hashes });
    remove(mallory, 1, 2, 3);
    assert.equal(await codeOf(bert.pull()), "forked");
    assert.ok((await bert.verify()).problems.some(({ code }) => code === "forked"));
  }));

Deno.test("what a checkpoint leaves out is gone for every machine, whenever it reads", () =>
  withVictims(async (victims) => {
    const { anna, bert, mallory } = victims;
    for (const id of ids.slice(0, 2)) await mallory.add(sessionOf(id));
    const first = await anna.pull();
    await checkpoint(mallory, [ids[1]!]);
    assert.equal(first.failures.length, 0);
    const seen: string[][] = [];
    for (const machine of [anna, bert, await newcomer(victims, "late")]) {
      seen.push(await sessionsInVault(machine));
    }
    assert.ok(!seen[2]!.includes(ids[0]!));
    assert.deepEqual(seen[1], seen[2]);
    assert.deepEqual(seen[0], seen[2]);
  }));

Deno.test("an entry of a clone that comes after the compaction is read all the same", () =>
  withVictims(async (victims) => {
    const { anna, bert, mallory } = victims;
    await mallory.add(sessionOf(ids[0]!));
    const clone = mallory.clone();
    await mallory.add(sessionOf(ids[1]!));
    await checkpoint(mallory, ids.slice(0, 2));
    await assertHas(bert, ids.slice(0, 2));
    remove(mallory, 1, 2);
    await clone.add(sessionOf(ids[2]!));
    await clone.add(sessionOf(ids[3]!));
    for (const machine of [bert, anna, await newcomer(victims, "late")]) {
      await assertHas(machine, ids);
    }
  }));

/** Takes over what `lost` has written, as far as `upTo`. */
async function retire(
  by: HostileMember,
  lost: HostileMember,
  some: readonly string[],
): Promise<void> {
  for (const id of some) {
    const { op, inline } = sessionOf(id);
    const said = { ...op, by: lost.identity.id, time: 1_764_000_000_000 };
    await by.put(by.body([said], inline), inline);
  }
  const { sign, kem } = {
    sign: toHex(lost.identity.signPublic),
    kem: toHex(lost.identity.kemPublic),
  };
  const hashes = covered(lost);
  const op = {
    op: "retire",
    machine: lost.identity.id,
    tag: lost.tag,
    seq: hashes.length,
    hash: lost.newest,
    sign,
    kem,
    name: "lost",
    os: "linux",
    covered: hashes,
  };
  await by.put(by.body([op], EMPTY));
}

Deno.test("a log that another machine has taken over may be gone, in part or whole", () =>
  withVictims(async (victims) => {
    const { anna, bert, mallory } = victims;
    const lost = await HostileMember.join(anna);
    await lost.add(sessionOf(ids[0]!));
    await assertHas(bert, [ids[0]!]);
    await lost.add(sessionOf(ids[1]!));
    await assertHas(anna, ids.slice(0, 2));
    await retire(mallory, lost, ids.slice(0, 2));
    await assertHas(await newcomer(victims, "early"), ids.slice(0, 2));
    remove(lost, 1);
    for (const machine of [anna, bert, await newcomer(victims, "half")]) {
      await assertHas(machine, ids.slice(0, 2));
    }
    remove(lost, 2);
    for (const machine of [anna, bert, await newcomer(victims, "late")]) {
      await assertHas(machine, ids.slice(0, 2));
      forgetState(machine);
      await assertHas(machine, ids.slice(0, 2));
    }
    await lost.add(sessionOf(ids[2]!));
    for (const machine of [anna, bert, await newcomer(victims, "last")]) {
      await assertHas(machine, ids.slice(0, 3));
    }
  }));

Deno.test("nobody can be taken over with another history than the one read here", () =>
  withVictims(async ({ anna, bert, mallory }) => {
    const lost = await HostileMember.join(anna);
    await lost.add(sessionOf(ids[0]!));
    await assertHas(bert, [ids[0]!]);
    const other = lost.clone();
    remove(lost, 1);
    other.rewind();
    await other.add(sessionOf(ids[1]!));
    await retire(mallory, other, [ids[1]!]);
    remove(lost, 1);
    assert.equal(await codeOf(bert.pull()), "forked");
    assert.equal(await codeOf(bert.push()), "forked");
  }));
