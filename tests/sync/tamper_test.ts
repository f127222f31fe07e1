/**
 * The owner of the store against machines that synced with it: nothing he does to the objects may
 * change a local file, and all of it is noticed by `verify`. What a machine has read before it does
 * not read again, so a plain pull notices a change of such an object only when it is listed in
 * another way; every case says which.
 */
import assert from "node:assert/strict";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Bytes } from "../../src/base/bytes.ts";
import { deriveEpoch, parseKeyText, rootKeyFromBytes } from "../../src/crypto/root_key.ts";
import { type ObjectName, objectName } from "../../src/storage/object_name.ts";
import { syncService } from "../../src/sync/service.ts";
import { withVault } from "../../src/sync/vault_access.ts";
import { decodeHeader } from "../../src/vault/header.ts";
import { readEntry } from "../../src/vault/log_reader.ts";
import { HeldBodies } from "../../src/vault/held_body.ts";
import { parseLogEntryName } from "../../src/vault/names.ts";
import { VaultStore } from "../../src/vault/sealed_store.ts";
import { codeOf } from "../support/outcome.ts";
import { SyncMachine } from "../support/sync_machine.ts";
import { type Objects, TamperedStore } from "../support/tampered_store.ts";
import {
  assertAlarm,
  attack,
  changed,
  filesOf,
  flipped,
  HEADER,
  isLog,
  localState,
  problemsOf,
  sealedNames,
  SMALL,
  UNSENT,
  withWorld,
  type World,
} from "./tamper_world.ts";

Deno.test("the world of these tests is whole: packs, inline groups, generations, sidecars", () =>
  withWorld(async (world) => {
    const names = sealedNames(world.whole);
    assert.deepEqual(
      [names.filter(isLog).length, names.filter((name) => !isLog(name)).length],
      [6, 2],
    );
    const report = await world.bert.verify(true);
    assert.deepEqual(report.problems, []);
    assert.equal(report.unreferenced, 0);
    assert.equal((await world.carl.pull()).pulled, 3);
    const generations = await withVault(world.carl.context(), (vault) => {
      const states = vault.index.states(SMALL, "transcript");
      return Promise.resolve(new Set(states.map(({ gen }) => gen)).size);
    });
    assert.equal(generations, 2);
    const same = (name: string) => !name.includes(UNSENT) && !name.startsWith("settings");
    const shared = (machine: SyncMachine) =>
      Object.entries(machine.files()).filter(([name]) => same(name)).map(([, text]) => text).sort();
    assert.deepEqual(shared(world.carl), shared(world.bert));
  }));

Deno.test("pull and verify refuse every object with a changed, missing or added byte", () =>
  withWorld(async (world) => {
    for (const [index, name] of sealedNames(world.whole).entries()) {
      const bytes = world.whole.get(name)!;
      const { length } = bytes;
      // Reading packs is slow, and there are two of them: each gets every other change.
      const isTurn = (at: number) => isLog(name) || at % 2 === index % 2;
      const changes: [string, Bytes][] = [
        ["first IV byte", flipped(bytes, 0)],
        ["last IV byte", flipped(bytes, 11)],
        ["first tag byte", flipped(bytes, 12)],
        ["last tag byte", flipped(bytes, 27)],
        ["first ciphertext byte", flipped(bytes, 28)],
        ["frame header", flipped(bytes, 28 + 33)],
        ["middle", flipped(bytes, length >> 1)],
        ["padding", flipped(bytes, length - 2)],
        ["last byte", flipped(bytes, length - 1)],
        ["zeroes", new Uint8Array(length)],
      ];
      const resized: [string, Bytes][] = [
        ["one byte less", bytes.slice(0, -1)],
        ["half of it", bytes.slice(0, length >> 1)],
        ["28 bytes", bytes.slice(0, 28)],
        ["empty", new Uint8Array(0)],
        ["one byte more", new Uint8Array([...bytes, 0])],
        ["4 KiB more", new Uint8Array([...bytes, ...new Uint8Array(4096)])],
      ];
      // A log entry is opened by every verify. Of a pack the listing tells the size alone. Neither
      // is read again by the pull of a machine that has it.
      const expected = { names: name, byListing: isLog(name), veteran: false, newcomer: true };
      for (const [what, tampered] of changes.filter((_, at) => isTurn(at))) {
        await attack(world, `${name}: ${what}`, changed(world.whole, name, tampered), expected);
      }
      for (const [what, tampered] of resized.filter((_, at) => isTurn(at))) {
        const objects = changed(world.whole, name, tampered);
        await attack(world, `${name}: ${what}`, objects, { ...expected, byListing: true });
      }
    }
  }));

Deno.test("a machine that had synced refuses what it still has to read", () =>
  withWorld(async (world) => {
    const { store, whole, dir, clock, anna } = world;
    const seen = world.history[1]!;
    await store.show(seen);
    const dora = new SyncMachine({ name: "dora", dir, clock, store: () => store.open() });
    await dora.join(anna);
    assert.equal((await dora.pull()).pulled, 1);
    const saved = join(dir, "dora-saved");
    cpSync(join(dora.home, ".claude-sync"), saved, { recursive: true });
    const before = localState(dora);
    for (const name of sealedNames(whole).filter((one) => !seen.has(one))) {
      const bytes = whole.get(name)!;
      for (const tampered of [flipped(bytes, bytes.length >> 2), bytes.slice(0, -1), null]) {
        await store.show(changed(whole, name, tampered));
        // The newest entry, which nobody speaks of, cannot be missed.
        if (tampered === null && !world.history.at(-2)!.has(name)) continue;
        assertAlarm(await codeOf(dora.sync()), name);
        assert.deepEqual(filesOf(dora), before.files, name);
        if (isLog(name)) assert.deepEqual(localState(dora), before, name);
        assert.deepEqual(store.puts, [], name);
        rmSync(join(dora.home, ".claude-sync"), { recursive: true });
        cpSync(saved, join(dora.home, ".claude-sync"), { recursive: true });
      }
    }
  }));

Deno.test("readEntry refuses a log entry with any one byte changed", () =>
  withWorld(async (world) => {
    const { header, epoch } = await keysOf(world);
    const name = sealedNames(world.whole).find((one) => parseLogEntryName(one)?.seq === 1)!;
    const bytes = world.whole.get(name)!;
    assert.equal(bytes.length, 4096);
    const listed = { ...parseLogEntryName(name)!, name };
    const memory = new TamperedStore();
    const signal = new AbortController().signal;
    const read = async (changedBytes: Bytes) => {
      await memory.show(new Map([[name, changedBytes]]));
      const store = new VaultStore(await memory.open());
      const opener = { store, epoch, vaultId: header.vaultId, signal, bodies: new HeldBodies() };
      return await readEntry(opener, listed, null);
    };
    assert.equal((await read(bytes)).body.seq, 1);
    for (let at = 0; at < bytes.length; at++) {
      assert.equal(await codeOf(read(flipped(bytes, at))), "damaged", `byte ${at}`);
    }
  }));

async function keysOf(world: World) {
  const { keyText } = await syncService.keyExport(world.anna.context());
  const epoch = await deriveEpoch(rootKeyFromBytes(parseKeyText(keyText)!));
  return { epoch, header: decodeHeader(world.whole.get(HEADER)!) };
}

Deno.test("pull and verify refuse two objects that were swapped", () =>
  withWorld(async (world) => {
    const names = [...world.whole.keys()].sort();
    for (const [i, one] of names.entries()) {
      for (const other of names.slice(i + 1)) {
        const objects = new Map(world.whole);
        objects.set(one, world.whole.get(other)!);
        objects.set(other, world.whole.get(one)!);
        const isByListing = isLog(one) || isLog(other) || one === HEADER ||
          world.whole.get(one)!.length !== world.whole.get(other)!.length;
        await attack(world, `${one} <-> ${other}`, objects, {
          // A log whose first entry is damaged has no key to check the others with.
          names: one,
          byListing: isByListing,
          veteran: false,
          newcomer: true,
        });
      }
    }
  }));

Deno.test("pull, push and verify refuse an object replayed under another name of a log", () =>
  withWorld(async (world) => {
    const entries = sealedNames(world.whole).filter(isLog).map((name) => parseLogEntryName(name)!);
    const tags = new Set(entries.map(({ tag }) => tag));
    for (const name of sealedNames(world.whole)) {
      const bytes = world.whole.get(name)!;
      for (const tag of tags) {
        const newest = Math.max(...entries.filter((e) => e.tag === tag).map(({ seq }) => seq));
        const hash8 = parseLogEntryName(name)?.hash8 ?? "0123abcd";
        const entryName = (seq: number, hash = hash8) =>
          objectName(`log/${tag}/${String(seq).padStart(12, "0")}.${hash}`);
        // As the next entry it is new to everybody; as a second one with a number it is a fork.
        const next = changed(world.whole, entryName(newest + 1), bytes);
        const always = { byListing: true, veteran: true, newcomer: true };
        await attack(world, `${name} as next of ${tag}`, next, always);
        const second = changed(world.whole, entryName(1, "0123abcd"), bytes);
        await attack(world, `${name} as second entry 1 of ${tag}`, second, always);
        const beyond = changed(world.whole, entryName(newest + 2), bytes);
        await attack(world, `${name} behind a gap of ${tag}`, beyond, always);
      }
      const stranger = objectName("log/0123456789abcdef/000000000001.0123abcd");
      await attack(world, `${name} as a new machine`, changed(world.whole, stranger, bytes), {
        // A log that nobody has seen or speaks of, and that does not open, is left out.
        names: stranger,
        byListing: true,
        veteran: false,
        newcomer: false,
      });
    }
  }));

Deno.test("an object under a name that no entry gives is ignored", () =>
  withWorld(async (world) => {
    const pack = sealedNames(world.whole).find((name) => !isLog(name))!;
    const entry = sealedNames(world.whole).find(isLog)!;
    const bytes = world.whole.get(pack)!;
    for (
      const name of [
        "packs/00/000000000000000000000000000000",
        "keys/00112233445566778899aabbccddeeff",
        "log/readme.txt",
        `${entry}.conflicted-copy`,
        "log/0123456789abcdef/000000000000.0123abcd",
        "log/0123456789abcdef/1.0123abcd",
      ]
    ) {
      const objects = changed(world.whole, objectName(name), bytes);
      const unread = { names: null, byListing: false, veteran: false, newcomer: false };
      await attack(world, name, objects, unread);
    }
    await world.store.show(
      changed(world.whole, objectName("packs/00/000000000000000000000000000000"), bytes),
    );
    assert.equal((await world.bert.verify()).unreferenced, 1);
  }));

Deno.test("pull, push and verify notice every log entry that is gone", () =>
  withWorld(async (world) => {
    const names = sealedNames(world.whole).filter(isLog);
    for (const name of names) {
      // The newest entry of the machine that pushed last is one that no other entry speaks of, so
      // who has never seen it cannot miss it. All others are a gap, or somebody's claim.
      const newest = [...world.whole.keys()].find((one) => !world.history.at(-2)!.has(one));
      await attack(world, `without ${name}`, changed(world.whole, name, null), {
        byListing: true,
        veteran: true,
        newcomer: name !== newest,
      });
    }
    for (const tag of new Set(names.map((name) => name.split("/")[1]))) {
      const without = new Map(
        [...world.whole].filter(([name]) => !name.startsWith(`log/${tag}/`)),
      );
      await attack(world, `without the log ${tag}`, without, {
        byListing: true,
        veteran: true,
        newcomer: true,
      });
    }
  }));

Deno.test("verify and whoever needs it notice a pack that is gone; who has its bytes goes on", () =>
  withWorld(async (world) => {
    for (const name of sealedNames(world.whole).filter((one) => !isLog(one))) {
      await attack(world, `without ${name}`, changed(world.whole, name, null), {
        names: name,
        byListing: true,
        veteran: false,
        newcomer: true,
      });
    }
  }));

Deno.test("a vault put back to an earlier state is refused by whoever saw the later one", () =>
  withWorld(async (world) => {
    const onlyHeader = new Map([[HEADER, world.whole.get(HEADER)!]]);
    const earlier: Objects[] = [onlyHeader, ...world.history.slice(0, -1)];
    for (const [i, objects] of earlier.entries()) {
      await attack(world, `state ${i} of ${earlier.length}`, objects, {
        byListing: true,
        veteran: true,
        // What nobody it reads speaks of, a machine that has just joined cannot miss.
        newcomer: false,
      });
    }
    // Nothing at all is what a network drive leaves that is not connected: said as such.
    await world.store.show(new Map());
    const before = localState(world.bert);
    assert.equal(await codeOf(world.bert.sync()), "store-unreachable");
    assert.deepEqual([localState(world.bert), world.store.puts], [before, []]);
    // FORMAT.md section 11: consistent and old is all that a newcomer can check.
    await world.store.show(world.history[2]!);
    assert.equal(await codeOf(world.carl.pull()), null);
    // But once it has seen the newer state it is a veteran.
    await world.store.show(world.whole);
    assert.equal(await codeOf(world.carl.pull()), null);
    await world.store.show(world.history[2]!);
    assert.equal(await codeOf(world.carl.pull()), "rolled-back");
  }));

Deno.test("one machine's log put back to an earlier state is refused", () =>
  withWorld(async (world) => {
    const names = sealedNames(world.whole).filter(isLog).map((name) => parseLogEntryName(name)!);
    for (const { tag, seq } of names) {
      const isLater = (name: ObjectName) => {
        const entry = parseLogEntryName(name);
        return entry?.tag === tag && entry.seq > seq;
      };
      const rolledBack = new Map([...world.whole].filter(([name]) => !isLater(name)));
      if (rolledBack.size === world.whole.size) continue;
      const last = [...world.whole.keys()].find((one) => !world.history.at(-2)!.has(one))!;
      const isOnlyLast = rolledBack.size === world.whole.size - 1 && !rolledBack.has(last);
      await attack(world, `log ${tag} after ${seq}`, rolledBack, {
        byListing: true,
        veteran: true,
        newcomer: !isOnlyLast,
      });
    }
  }));

Deno.test("a rollback is noticed also when the local database was deleted or is another's", () =>
  withWorld(async (world) => {
    for (const suffix of ["", "-wal", "-shm"]) {
      rmSync(join(world.bert.home, ".claude-sync", `state.db${suffix}`), { force: true });
    }
    await attack(world, "rolled back", world.history.at(-2)!, {
      byListing: true,
      veteran: true,
      newcomer: false,
    });
  }));

Deno.test("another entry in the place of one that was read is a fork", () =>
  withWorld(async (world) => {
    // The store keeps anna's last entry from bert, who has seen it, and shows him another one
    // that her restored backup signed: same identity, same number.
    const { store, anna, bert, dir } = world;
    const copy = join(dir, "backup");
    const clone = new SyncMachine({
      name: "anna",
      dir: copy,
      clock: anna.platform.clock,
      store: () => store.open(),
    });
    rmSync(join(clone.home), { recursive: true });
    cpSync(anna.home, clone.home, { recursive: true });
    for (const file of ["state.db", "state.db-wal", "state.db-shm", "trust.json"]) {
      rmSync(join(clone.home, ".claude-sync", file), { force: true });
    }
    // The copy must believe that it is the same computer.
    const sameHome = new SyncMachine({ name: "anna", dir, clock: anna.platform.clock });
    Object.assign(clone.platform.host, { home: sameHome.home });
    const context = { ...clone.context(), home: join(clone.home, ".claude-sync") };
    await store.show(world.history.at(-2)!);
    world.clock.advance(1);
    const pushed = await syncService.push(context, { sessions: [], all: false, dryRun: false });
    assert.equal(pushed.pushed, 1);
    const fork = store.objects();
    const last = [...fork.keys()].filter((name) => !world.history.at(-2)!.has(name));
    assert.equal(last.length, 1);
    assert.ok(!world.whole.has(last[0]!), "the fork is another entry");
    await attack(world, "fork", fork, { byListing: true, veteran: true, newcomer: false });
    assert.equal(await codeOf(bert.pull()), "forked");
    const both = new Map([...world.whole, ...fork]);
    // Both sides together hide nothing: what two copies of one machine say is taken in.
    await store.show(both);
    assert.deepEqual((await bert.verify()).problems, []);
    assert.equal(await codeOf(bert.pull()), null);
    for (const [what, side] of [["first", world.whole], ["second", fork]] as const) {
      await attack(world, `only the ${what} side`, side, {
        byListing: true,
        veteran: true,
        newcomer: false,
      });
    }
  }));

Deno.test("verify compares more than an entry's name with what this machine remembers", () =>
  withWorld(async (world) => {
    const path = join(world.bert.home, ".claude-sync", "trust.json");
    const trust = JSON.parse(readFileSync(path, "utf8"));
    const tag = Object.keys(trust.logs)[0]!;
    // As if the log's owner had found a second entry with the same first eight digits.
    const { hash } = trust.logs[tag];
    trust.logs[tag].hash = hash.slice(0, 8) + "0".repeat(56);
    writeFileSync(path, JSON.stringify(trust));
    const problems = await problemsOf(world.bert, false);
    assert.deepEqual(problems.map(({ code }) => code), ["forked"]);
  }));

Deno.test("an alarm ends when the vault is whole again", () =>
  withWorld(async (world) => {
    const { store, bert, carl } = world;
    await store.show(world.history[1]!);
    assert.equal(await codeOf(bert.sync()), "rolled-back");
    await store.show(world.whole);
    assert.equal((await bert.sync()).push.pushed, 1);
    assert.equal((await carl.pull()).pulled, 4);
    assert.deepEqual((await carl.verify()).problems, []);
  }));
