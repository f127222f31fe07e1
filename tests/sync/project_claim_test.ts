/** Several machines say different projects of one session: every reader takes the same one. */
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { utf8 } from "../../src/base/bytes.ts";
import { EMPTY_SHA256_HEX, sha256Hex } from "../../src/crypto/hash.ts";
import { nodePlatform } from "../../src/platform/node.ts";
import { slugOf } from "../../src/sessions/slug.ts";
import { LogContent } from "../../src/sync/log_content.ts";
import { MemoryStore } from "../../src/storage/memory/store.ts";
import type { ListOptions, ObjectInfo, ObjectStore } from "../../src/storage/object_store.ts";
import { SegmentIndex } from "../../src/sync/segment_index.ts";
import { openStateDb } from "../../src/sync/state_db.ts";
import type { AddOp, EntryBody, Op } from "../../src/vault/entry_body.ts";
import type { VerifiedEntry } from "../../src/vault/log_reader.ts";
import { changedStore } from "../support/changed_store.ts";
import { gc } from "../support/gc_world.ts";
import { inTempDir, said, type SyncMachine } from "../support/sync_machine.ts";
import { newWorld, transcriptsOf } from "../support/sync_world.ts";

const SESSION = "11111111-1111-4111-8111-111111111111";
const HOUR_MS = 3_600_000;

function id(n: number): string {
  return n.toString(16).padStart(32, "0");
}

/** What one entry says of the session. `by` and `time` are those of an op that says it again. */
interface Said {
  readonly path: string;
  readonly by?: number;
  readonly time?: number;
}

interface Entry {
  readonly machine: number;
  readonly time: number;
  readonly says: readonly Said[];
}

function opOf({ path, by, time }: Said): AddOp {
  return {
    op: "add",
    session: SESSION,
    project: { kind: "home", path },
    ...(by === undefined ? {} : { by: id(by) }),
    ...(time === undefined ? {} : { time }),
    gens: [],
    groups: [],
  };
}

/** Entries of one log, each with a number. */
function verified(entries: readonly Entry[]): VerifiedEntry[] {
  const numbers = new Map<number, number>();
  return entries.map(({ machine, time, says }) => {
    const seq = (numbers.get(machine) ?? 0) + 1;
    numbers.set(machine, seq);
    const tag = String(machine).padStart(16, "0");
    const keys = { sign: id(1), kem: id(2) };
    const enrol: Op[] = seq > 1 ? [] : [{ op: "enrol", ...keys, name: id(machine), os: "linux" }];
    const body: EntryBody = {
      v: 1,
      machine: id(machine),
      tag,
      seq,
      prev: "0".repeat(64),
      kid: id(0),
      time,
      heads: {},
      inline: { size: 0, sha256: EMPTY_SHA256_HEX },
      packs: [],
      ops: [...enrol, ...says.map(opOf)],
    };
    const hash = sha256Hex(utf8(`${tag}/${seq}`));
    return { objectName: `log/${tag}/${seq}`, body, hash, sizeBytes: 1 };
  });
}

function claimAfter(batches: readonly (readonly VerifiedEntry[])[]): string | null {
  const database = openStateDb(nodePlatform().fs, ":memory:", "reader");
  try {
    const index = new SegmentIndex(database);
    for (const batch of batches) index.apply(batch);
    return index.projectClaim(SESSION);
  } finally {
    database.close();
  }
}

/** The rule: who said it first; at one time the machine with the smallest id, then the text. */
function firstSaid(entries: readonly Entry[]): string | null {
  const all = entries.flatMap(({ machine, time, says }) =>
    says.map((each) => ({
      time: each.time ?? time,
      by: id(each.by ?? machine),
      text: JSON.stringify({ kind: "home", path: each.path }),
    }))
  );
  const order = (a: string, b: string) => a < b ? -1 : a > b ? 1 : 0;
  all.sort((a, b) => a.time - b.time || order(a.by, b.by) || order(a.text, b.text));
  return all[0]?.text ?? null;
}

const arbitraryTime = fc.constantFrom(5, 40, 300, 2_000, 10_000, 1_800_000_000_000);
const arbitrarySaid: fc.Arbitrary<Said> = fc.record(
  { path: fc.constantFrom("a", "b", "c/d"), by: fc.nat(3), time: arbitraryTime },
  { requiredKeys: ["path"] },
);
const arbitraryEntry: fc.Arbitrary<Entry> = fc.record({
  machine: fc.nat(3),
  time: arbitraryTime,
  says: fc.array(arbitrarySaid, { maxLength: 3 }),
});

Deno.test("the project that was said first holds, in whatever order logs are read", () => {
  fc.assert(
    fc.property(
      fc.array(arbitraryEntry, { maxLength: 8 }),
      fc.array(fc.nat(100), { minLength: 8, maxLength: 8 }),
      fc.boolean(),
      (entries, turns, isOneByOne) => {
        const logs = Map.groupBy(verified(entries), ({ body }) => body.machine);
        const left = [...logs.values()].map((log) => [...log]);
        const order: VerifiedEntry[] = [];
        // Of each log in its order, of all logs in any.
        for (let turn = 0; left.length > 0; turn++) {
          const at = (turns[turn % turns.length]! + turn) % left.length;
          order.push(left[at]!.shift()!);
          if (left[at]!.length === 0) left.splice(at, 1);
        }
        const batches = isOneByOne ? order.map((entry) => [entry]) : [order];
        assert.equal(claimAfter(batches), firstSaid(entries));
      },
    ),
    { numRuns: 400 },
  );
});

Deno.test("a checkpoint says again the project that its log said first", () => {
  fc.assert(
    fc.property(
      fc.array(arbitraryEntry.map((entry) => ({ ...entry, machine: 1 })), { maxLength: 8 }),
      (entries) => {
        const database = openStateDb(nodePlatform().fs, ":memory:", "reader");
        try {
          const content = new LogContent(database);
          for (const { body, objectName } of verified(entries)) content.add(body, objectName, 1);
          const claim = content.claim(SESSION);
          const text = claim === null ? null : JSON.stringify(claim.project);
          assert.equal(text, firstSaid(entries));
          if (claim === null) return;
          const again = { path: (claim.project as { path: string }).path, time: claim.time };
          const said = {
            machine: 1,
            time: 9e12,
            says: [{ ...again, by: parseInt(claim.machine) }],
          };
          const others = entries.map((entry) => ({ ...entry, machine: 2 }));
          assert.equal(firstSaid([said]), text);
          assert.equal(claimAfter([verified([said, ...others])]), firstSaid([said, ...others]));
        } finally {
          database.close();
        }
      },
    ),
    { numRuns: 200 },
  );
});

/** The session, begun in the folder `~/code/` with the machine's name. */
function begin(machine: SyncMachine, text: string): void {
  const cwd = join(machine.home, "code", machine.name);
  mkdirSync(cwd, { recursive: true });
  const facts = { session: SESSION, cwd, atMs: machine.platform.clock.nowMs() - HOUR_MS };
  const line = said("user", "hello", { ...facts, uuid: SESSION });
  machine.write(`projects/${slugOf(cwd)}/${SESSION}.jsonl`, line + said("user", text, facts));
}

/** What machines see of a store that shows them, for a while, what was there before. */
class LateStore {
  readonly store = new MemoryStore();
  #shown: ReadonlySet<string> | null = null;

  seen(): ObjectStore {
    return changedStore(this.store, { list: (prefix, options) => this.#list(prefix, options) });
  }

  async *#list(prefix: string, options?: ListOptions): AsyncGenerator<ObjectInfo> {
    for await (const info of this.store.list(prefix, options)) {
      if (this.#shown?.has(info.name) !== false) yield info;
    }
  }

  /** Runs `work` while nothing new is listed. */
  async late(work: () => Promise<void>): Promise<void> {
    const names: string[] = [];
    for await (const { name } of this.store.list("")) names.push(name);
    this.#shown = new Set(names);
    await work();
    this.#shown = null;
  }
}

for (const first of ["anna", "bert"]) {
  for (const reader of ["after each push", "once", "after compactions"]) {
    const name = `a session stands where ${first} began it first, read ${reader}`;
    Deno.test(name, () =>
      inTempDir(async (dir) => {
        const late = new LateStore();
        const names = ["anna", "bert", "carl"];
        const storeOf = () => late.seen();
        const { machines, clock } = await newWorld(dir, { names, storeOf });
        const [anna, bert, carl] = machines as [SyncMachine, SyncMachine, SyncMachine];
        const pushers = first === "anna" ? [anna, bert] : [bert, anna];
        for (const { name } of pushers) mkdirSync(join(carl.home, "code", name));
        await late.late(async () => {
          // Neither knows of the other: each says its own folder.
          for (const machine of pushers) {
            begin(machine, "hello");
            assert.equal((await machine.push()).pushed, 1);
            clock.advance(60_000);
          }
        });
        if (reader === "after each push") await carl.pull();
        for (let turn = 0; turn < 4; turn++) {
          for (const machine of pushers) {
            begin(machine, `hello ${turn}`);
            await machine.push();
            clock.advance(60_000);
            if (reader === "after each push") await carl.pull();
          }
        }
        if (reader === "after compactions") {
          // The other one first: what was said later is then said again earlier.
          for (const machine of pushers.toReversed()) {
            assert.ok((await gc(machine)).compacted !== null);
            clock.advance(60_000);
          }
        }
        await carl.pull();
        assert.deepEqual(claimsOf(carl).length, 2, "both said a project");
        const [path, ...others] = transcriptsOf(carl, SESSION);
        assert.deepEqual(others, []);
        assert.ok(path!.includes(slugOf(join(carl.home, "code", first))), path);
      }));
  }
}

/** The projects that logs say of the session, as the machine has read them. */
function claimsOf(machine: SyncMachine): unknown[] {
  const database = new DatabaseSync(join(machine.home, ".claude-sync", "state.db"));
  try {
    return database.prepare("SELECT DISTINCT project FROM claim").all();
  } finally {
    database.close();
  }
}
