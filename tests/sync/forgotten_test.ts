/** Forgotten states are a function of sets, in whatever order a machine learns of them. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { utf8 } from "../../src/base/bytes.ts";
import { EMPTY_SHA256_HEX, sha256Hex } from "../../src/crypto/hash.ts";
import { nodePlatform } from "../../src/platform/node.ts";
import { Forgotten } from "../../src/sync/forgotten.ts";
import { SegmentIndex } from "../../src/sync/segment_index.ts";
import { openStateDb } from "../../src/sync/state_db.ts";
import { ForgetDays } from "../../src/sync/watched_days.ts";
import type { AddOp, Op, Segment } from "../../src/vault/entry_body.ts";
import { generationName } from "../../src/vault/generation.ts";
import type { VerifiedEntry } from "../../src/vault/log_reader.ts";
import { firstEntry, idOf } from "../support/first_entry.ts";
import { inTempDir } from "../support/sync_machine.ts";

const SESSION = "11111111-1111-4111-8111-111111111111";
const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2026, 5, 1);

/** A segment between two made-up states, named by what stands in the file. */
function segment(file: string, gen: string, before: string, after: string): Segment {
  const hash = (text: string) => text === "" ? EMPTY_SHA256_HEX : sha256Hex(utf8(text));
  const [off, len] = [before.length, after.length - before.length];
  return { file, gen, off, len, parent: hash(before), hash: hash(after), mtime: 1 };
}

function addOp(segments: readonly Segment[], gens: AddOp["gens"] = []): AddOp {
  const raw = segments.reduce((sum, { len }) => sum + len, 0);
  const group = { in: -1, at: 0, stored: raw, raw, comp: "none", segments } as const;
  return { op: "add", session: SESSION, project: null, gens, groups: [group] };
}

function newDatabase(): DatabaseSync {
  return openStateDb(nodePlatform().fs, ":memory:", "reader");
}

/** What is there and what is hidden after reading `batches`, each in one go. */
function read(batches: readonly (readonly VerifiedEntry[])[]): Record<string, unknown[]> {
  const database = newDatabase();
  try {
    const index = new SegmentIndex(database);
    for (const batch of batches) index.apply(batch);
    const all = (table: string) =>
      database.prepare(`SELECT * FROM ${table} ORDER BY 1, 2, 3, 4`).all();
    return {
      leaf: all("leaf"),
      hidden: all("forgotten_leaf"),
      forget: all("forget"),
      state: all("forgotten_state"),
    };
  } finally {
    database.close();
  }
}

const FILES = ["transcript", "side/a"] as const;
const CONTENTS = ["a", "ab", "abc", "abd", "x", "xy"];

interface Wish {
  readonly id: number;
  readonly states: readonly { file: string; gen: string; text: string }[];
}

const arbitraryState = fc.record({
  file: fc.constantFrom(...FILES),
  gen: fc.constantFrom("", "second"),
  text: fc.constantFrom(...CONTENTS),
});

const arbitraryStep = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ add: arbitraryState, from: fc.constantFrom("", ...CONTENTS) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      id: fc.integer({ min: 0, max: 3 }),
      states: fc.array(arbitraryState, { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ recalled: fc.integer({ min: 0, max: 3 }) }) },
);

/** The second generation replaces the state "ab". */
const SECOND_FROM = { gen: "", hash: sha256Hex(utf8("ab")) };
const SECOND = generationName(SECOND_FROM);

function opOf(
  step: Wish | { recalled: number } | { add: Wish["states"][number]; from: string },
): Op {
  const genOf = (gen: string) => gen === "" ? "" : SECOND;
  if ("recalled" in step) return { op: "recall", ids: [idOf(step.recalled)] };
  if ("id" in step) {
    const leaves = step.states.map(({ file, gen, text }) => ({
      file,
      gen: genOf(gen),
      hash: sha256Hex(utf8(text)),
      len: text.length,
    }));
    return { op: "forget", id: idOf(step.id), session: SESSION, leaves };
  }
  const { file, gen, text } = step.add;
  const from = text.startsWith(step.from) && step.from !== text ? step.from : "";
  const gens = gen === "" ? [] : [{ file, gen: SECOND, from: SECOND_FROM }];
  return addOp([segment(file, genOf(gen), from, text)], gens);
}

/** The rules of the format, as plainly as they can be said. */
function expectedLeaves(ops: readonly Op[]): { there: string[]; hidden: string[] } {
  const recalled = new Set(ops.flatMap((op) => op.op === "recall" ? op.ids : []));
  const named = new Set(
    ops.flatMap((op) =>
      op.op === "forget" && !recalled.has(op.id)
        ? op.leaves.map(({ file, gen, hash }) => `${file} ${gen} ${hash}`)
        : []
    ),
  );
  const segments = ops.flatMap((op) =>
    op.op === "add" ? op.groups.flatMap((group) => group.segments) : []
  );
  const gens = ops.flatMap((op) => op.op === "add" ? op.gens : []);
  const leaves = new Set<string>();
  for (const { file, gen, hash } of segments) {
    const isContinued = segments.some((each) =>
      each.file === file && each.gen === gen && each.parent === hash && each.len > 0
    );
    const isReplaced = gens.some((each) =>
      each.file === file && each.from.gen === gen && each.from.hash === hash
    );
    if (!isContinued && !isReplaced) leaves.add(`${file} ${gen} ${hash}`);
  }
  const isAlive = [...leaves].some((leaf) => leaf.startsWith("transcript ") && !named.has(leaf));
  const isHidden = (leaf: string) =>
    named.has(leaf) && (leaf.startsWith("transcript ") || !isAlive);
  const sorted = [...leaves].sort();
  return {
    there: sorted.filter((leaf) => !isHidden(leaf)),
    hidden: sorted.filter(isHidden),
  };
}

Deno.test("in whatever order adds, forgets and recalls arrive, the same is hidden", () => {
  const steps = fc.array(arbitraryStep, { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(steps, fc.infiniteStream(fc.nat()), (chosen, random) => {
      const ops = chosen.map(opOf);
      const entries = ops.map((op, at) => firstEntry(at + 1, [op]));
      const atOnce = read([entries]);
      const keyOf = (row: unknown) => {
        const { file, gen, hash } = row as { file: string; gen: string; hash: string };
        return `${file} ${gen} ${hash}`;
      };
      const expected = expectedLeaves(ops);
      assert.deepEqual(atOnce["leaf"]!.map(keyOf).sort(), expected.there);
      assert.deepEqual(atOnce["hidden"]!.map(keyOf).sort(), expected.hidden);
      for (let round = 0; round < 3; round++) {
        const rest = [...entries];
        const order: VerifiedEntry[] = [];
        while (rest.length > 0) {
          order.push(...rest.splice(random.next().value! % rest.length, 1));
        }
        assert.deepEqual(read(order.map((entry) => [entry])), atOnce);
        // Said again, as a checkpoint does, it is still the same.
        assert.deepEqual(read([order, order.slice(0, 3)]), atOnce);
      }
    }),
    { numRuns: 120 },
  );
});

/** Applies ops, each as a machine's first entry, and gives what can be asked. */
function known(ops: readonly Op[]): { database: DatabaseSync; forgotten: Forgotten } {
  const database = newDatabase();
  new SegmentIndex(database).apply(ops.map((op, at) => firstEntry(at + 1, [op])));
  return { database, forgotten: new Forgotten(database) };
}

function forgetOp(id: number, texts: readonly string[], file = "transcript"): Op {
  const leaves = texts.map((text) => ({
    file,
    gen: "",
    hash: sha256Hex(utf8(text)),
    len: text.length,
  }));
  return { op: "forget", id: idOf(id), session: SESSION, leaves };
}

const stateOf = (text: string) => ({ gen: "", hash: sha256Hex(utf8(text)) });
const keyOf = (text: string) => `/${sha256Hex(utf8(text))}`;

Deno.test("what stands before a forgotten state is forgotten, unless it is needed", () => {
  const adds = [
    addOp([segment("transcript", "", "", "a")]),
    addOp([segment("transcript", "", "a", "ab")]),
    addOp([segment("transcript", "", "ab", "abc")]),
    addOp([segment("transcript", "", "a", "ax")]),
  ];
  const { database, forgotten } = known([...adds, forgetOp(1, ["abc"])]);
  const isForgotten = (text: string) => forgotten.isForgotten(SESSION, "transcript", stateOf(text));
  assert.deepEqual(["a", "ab", "abc", "ax"].map(isForgotten), [false, true, true, false]);
  assert.equal(forgotten.isSession(SESSION), false, "the other continuation is there");
  assert.equal(forgotten.kept(SESSION, "transcript")!.has(keyOf("abc")), true, "not due yet");
  for (let day = 0; day <= 30; day++) new ForgetDays(database).count(START_MS + day * DAY_MS);
  const kept = forgotten.kept(SESSION, "transcript")!;
  const has = (text: string) => kept.has(keyOf(text));
  assert.deepEqual(["a", "ab", "abc", "ax"].map(has), [true, false, false, true]);
  database.close();
});

Deno.test("a state is put together without what is gone, when there is another way to it", () => {
  const all = [
    addOp([segment("transcript", "", "ab", "abcdef")]),
    addOp([segment("transcript", "", "", "abc"), segment("transcript", "", "abc", "abcdef")]),
  ];
  const chainOf = (ops: readonly Op[]) => {
    const database = newDatabase();
    const index = new SegmentIndex(database);
    index.apply(ops.map((op, at) => firstEntry(at + 1, [op])));
    const chain = index.chain(SESSION, "transcript", { ...stateOf("abcdef"), len: 6 });
    database.close();
    return chain?.map(({ off, len }) => [off, len]) ?? null;
  };
  assert.deepEqual(chainOf(all), [[0, 3], [3, 3]], "the longer segment leads nowhere");
  assert.equal(chainOf(all.slice(0, 1)), null);
  const whole = addOp([segment("transcript", "", "", "ab")]);
  assert.deepEqual(chainOf([...all, whole]), [[0, 2], [2, 4]], "the longest ones where both do");
});

Deno.test("a younger forget of the same text keeps it for its own 30 days", () => {
  const adds = [addOp([segment("transcript", "", "", "a")])];
  const { database, forgotten } = known([...adds, forgetOp(1, ["a"])]);
  for (let day = 0; day <= 30; day++) new ForgetDays(database).count(START_MS + day * DAY_MS);
  assert.equal(forgotten.kept(SESSION, "transcript")!.has(keyOf("a")), false);
  new SegmentIndex(database).apply([firstEntry(9, [forgetOp(2, ["a"])])]);
  assert.equal(forgotten.kept(SESSION, "transcript")!.has(keyOf("a")), true);
  database.close();
});

Deno.test("a forget is as old as the days on which the vault was looked at", () => {
  const { database } = known([addOp([segment("transcript", "", "", "a")]), forgetOp(1, ["a"])]);
  const look = (ms: number) => {
    new ForgetDays(database).count(START_MS + ms);
    return new ForgetDays(database).left(idOf(1));
  };
  assert.equal(look(0), 30);
  assert.equal(look(DAY_MS - 1), 30, "not a day yet");
  assert.equal(look(DAY_MS), 29);
  assert.equal(look(DAY_MS + 1), 29, "a day counts once");
  assert.equal(look(400 * DAY_MS), 28, "a year without a look, or a wrong clock, is one day");
  assert.equal(look(2 * DAY_MS), 28, "back again");
  assert.equal(look(3 * DAY_MS), 27, "and it goes on");
  for (let day = 4; day < 30; day++) look(day * DAY_MS);
  assert.deepEqual([look(29 * DAY_MS), new ForgetDays(database).due().size], [1, 0]);
  assert.deepEqual([look(30 * DAY_MS), new ForgetDays(database).due().size], [0, 1]);
  database.close();
});

/** Bytes that this process has written to files so far. */
function bytesWritten(): number {
  return Number(/^wchar: (\d+)$/m.exec(readFileSync("/proc/self/io", "utf8"))?.[1]);
}

Deno.test("100,000 forgotten states, in any order, are written down a few times at most", {
  // Other systems do not say what a process has written.
  ignore: !existsSync("/proc/self/io"),
}, () =>
  inTempDir((dir) => {
    const database = openStateDb(nodePlatform().fs, join(dir, "state.db"), "writer");
    const leaves = Array.from({ length: 100_000 }, (_, at) => {
      return { file: "transcript", gen: "", hash: sha256Hex(utf8(`${at}`)), len: at };
    });
    try {
      const before = bytesWritten();
      new SegmentIndex(database).apply([
        firstEntry(1, [{ op: "forget", id: idOf(1), session: SESSION, leaves }]),
      ]);
      const { count } = database.prepare("SELECT count(*) AS count FROM forgotten_state").get()!;
      assert.equal(count, leaves.length);
      const rowBytes = leaves.length *
        `${SESSION}transcript${leaves[0]!.hash}${idOf(1)}1234567`.length;
      const writtenBytes = bytesWritten() - before;
      assert.ok(writtenBytes < 4 * rowBytes, `${writtenBytes} bytes written for ${rowBytes}`);
    } finally {
      database.close();
    }
    return Promise.resolve();
  }));

Deno.test("states of files with strange names are the ones that are hidden", () => {
  for (const file of ["a\0b", "\ud800x", "x\udfff", 'é😀"\\', "\uffff\u2028", "transcript"]) {
    const said = firstEntry(1, [addOp([segment(file, "", "", "abc")])]);
    const leaves = [{ file, gen: "", hash: sha256Hex(utf8("abc")), len: 3 }];
    const forget = firstEntry(2, [{ op: "forget", id: idOf(1), session: SESSION, leaves }]);
    const { leaf, hidden } = read([[said, forget]]);
    assert.deepEqual([leaf!.length, hidden!.length], [0, 1], JSON.stringify(file));
  }
});
