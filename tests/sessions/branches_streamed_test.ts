/** Branches made in passes over pieces are those that are made of whole leaves in memory. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { concat, utf8 } from "../../src/base/bytes.ts";
import { branchCopy, copiedRecord, type Leaf, rootForm } from "../../src/sessions/branch_copy.ts";
import { branchId } from "../../src/sessions/branch_id.ts";
import type { SessionId } from "../../src/sessions/session_id.ts";
import { spokenRecords } from "../../src/sessions/spoken_records.ts";
import { titleAt } from "../../src/sessions/branch_title.ts";
import { lines } from "../../src/sessions/record_text.ts";
import { diffRecords, saidOnlyIn } from "./made_in_memory.ts";
import { restoredCopy } from "../../src/sessions/restored_copy.ts";
import { play, ROOT, steps, type Stored } from "./branch_histories.ts";
import { fileOf, piecesOf, resolveBranches } from "./branches_in_memory.ts";
import * as whole from "./whole_memory/branches.ts";
import * as wholeDiff from "./whole_memory/record_diff.ts";
import * as wholeCopy from "./whole_memory/branch_copy.ts";

const said = (text: string, type = "user") =>
  JSON.stringify({
    type,
    uuid: `uuid ${text}`,
    timestamp: `2026-01-01T00:00:0${text.length % 10}Z`,
    message: { role: type, content: text },
    sessionId: ROOT,
  });

/** Lines as hostile as they come: the same again, without an end, with NULs, of other sessions. */
const line: fc.Arbitrary<Uint8Array> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.nat(12).map((n) => utf8(said("x".repeat(n), n % 3 ? "user" : "assistant"))),
  },
  fc.constantFrom(
    utf8(""),
    utf8("{"),
    utf8("\r"),
    utf8('{"type":"mode"}'),
    new Uint8Array(40),
    utf8(said("torn").slice(0, 50)),
    utf8('{"type":"custom-title","customTitle":"t","sessionId":"' + ROOT + '"}'),
    utf8('{"type":"custom-title","customTitle":"t (from bob)","sessionId":"' + ROOT + '"}'),
    utf8('{"type":"ai-title","aiTitle":"made","sessionId":"' + ROOT + '"}'),
    utf8(said("spoilt") + "}"),
    concat(utf8('{"type":"user","n":"'), new Uint8Array([0xff, 0xfe]), utf8('"}')),
  ),
);
const text = fc.array(fc.tuple(line, fc.constantFrom("\n", "\n", "\r\n")), { maxLength: 6 })
  .map((lines) => concat(...lines.flatMap(([bytes, end]) => [bytes, utf8(end)])));
/** A cut makes it torn, in the middle of anything. */
const cutText = fc.tuple(text, fc.nat(30), fc.boolean())
  .map(([bytes, cut, isCut]) => isCut ? bytes.subarray(0, Math.max(0, bytes.length - cut)) : bytes);

const machines = fc.constantFrom("anna", "bob (x)", "");
const leaves = fc.tuple(
  text,
  fc.array(fc.tuple(cutText, cutText, machines), { minLength: 1, maxLength: 4 }),
)
  .map(([base, tails]) => {
    const all: Leaf[] = [];
    for (const [tail, more, machine] of tails) {
      const writers = base.length === 0
        ? [{ start: 0, machine }]
        : [{ start: 0, machine: "first" }, { start: base.length, machine }];
      all.push({ bytes: concat(base, tail), writers });
      // A leaf that goes on from another one, mostly in the middle of its last line.
      if (more.length % 2 === 1) all.push({ bytes: concat(base, tail, more), writers });
    }
    return all;
  });

interface Files {
  readonly files: unknown;
  readonly dropped: unknown;
  readonly storedBranchIds: unknown;
}

function bothWays(
  own: readonly Leaf[],
  stored: (id: SessionId) => readonly Leaf[],
  known: readonly SessionId[] = [],
): [Files, Files] {
  const streamed = resolveBranches(ROOT, own, stored, known);
  const inMemory = whole.resolveBranches(ROOT, own, stored, known);
  const short = ({ id, machine, start, firstHash }: whole.ResolvedBranch) => [
    id,
    machine,
    start,
    firstHash,
  ];
  return [
    {
      files: [streamed.main, ...streamed.branches].map((each) => [
        each.id,
        shown(fileOf(ROOT, each)),
        shown(each.rootForm),
        each.from.map(({ id, leaf }) => [id, shown(leaf)]),
        "firstHash" in each ? short(each as unknown as whole.ResolvedBranch) : null,
      ]),
      dropped: streamed.dropped.map(({ id, leaf, why }) => [id, shown(leaf), why]),
      storedBranchIds: streamed.storedBranchIds,
    },
    {
      files: [inMemory.main, ...inMemory.branches].map((each) => [
        each.id,
        shown(whole.fileOf(ROOT, each)),
        shown(each.rootForm),
        each.from.map(({ id, leaf }) => [id, shown(leaf)]),
        "firstHash" in each ? short(each as whole.ResolvedBranch) : null,
      ]),
      dropped: inMemory.dropped.map(({ id, leaf, why }) => [id, shown(leaf), why]),
      storedBranchIds: inMemory.storedBranchIds,
    },
  ];
}

function shown({ bytes, writers }: Leaf): unknown {
  return [Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""), writers];
}

function assertSame(
  own: readonly Leaf[],
  stored: (id: SessionId) => readonly Leaf[],
  known: readonly SessionId[] = [],
): void {
  const [streamed, inMemory] = bothWays(own, stored, known);
  assert.deepEqual(streamed, inMemory);
}

Deno.test("resolveBranches of hostile leaves gives what it gives of whole ones", () => {
  let branches = 0;
  let prefixes = 0;
  fc.assert(
    fc.property(leaves, cutText, fc.boolean(), (own, more, isKnown) => {
      assertSame(own, () => []);
      const first = whole.resolveBranches(ROOT, own, () => []);
      branches += first.branches.length;
      prefixes += first.dropped.filter(({ why }) => why === "prefix").length;
      // Its branches are stored, too, and somebody went on in them; or only they are.
      const copies = new Map(first.branches.map((each) => {
        const { bytes, writers } = whole.fileOf(ROOT, each);
        const renamed = new TextDecoder("latin1").decode(more).replaceAll(ROOT, each.id);
        const grown = Uint8Array.from(renamed, (char) => char.charCodeAt(0));
        return [each.id, [{ bytes, writers }, { bytes: concat(bytes, grown), writers }]];
      }));
      const under = (id: SessionId) => copies.get(id) ?? [];
      assertSame(own, under);
      assertSame(own.slice(0, 1), under, isKnown ? [...copies.keys()] : []);
    }),
    { numRuns: 400 },
  );
  assert.ok(branches > 50 && prefixes > 50, `${branches} branches, ${prefixes} prefixes`);
});

Deno.test("resolveBranches of histories gives what it gives of whole leaves", () => {
  fc.assert(
    fc.property(steps, (history) => {
      const stored: Stored[] = play(history);
      const under = (id: SessionId) =>
        stored.filter((one) => one.id === id).map(({ leaf }) => leaf);
      const known = stored
        .filter(({ id, leaf }) => id !== ROOT && wholeCopy.rootSessionId(id, leaf.bytes) === ROOT)
        .map(({ id }) => id);
      assertSame(under(ROOT), under, known);
    }),
    { numRuns: 100 },
  );
});

Deno.test("branchCopy and rootForm give what they give of whole leaves", () => {
  fc.assert(
    fc.property(leaves, fc.nat(), (own, pick) => {
      for (const leaf of own) {
        const records = spokenRecords(leaf.bytes);
        const record = records[pick % (records.length || 1)];
        if (record === undefined) continue;
        const id = branchId(ROOT, record.hash);
        const point = { rootId: ROOT, id, start: record.start, machine: "bob" };
        const copy = branchCopy(leaf, point);
        assert.deepEqual(copy, wholeCopy.branchCopy(leaf, point));
        assert.deepEqual(rootForm(copy, id, ROOT), wholeCopy.rootForm(copy, id, ROOT));
        assert.deepEqual(rootForm(leaf, id, ROOT), wholeCopy.rootForm(leaf, id, ROOT));
      }
    }),
    { numRuns: 400 },
  );
});

Deno.test("diffRecords and saidOnlyIn give what they give of whole transcripts", () => {
  fc.assert(
    fc.property(cutText, cutText, cutText, (base, one, other) => {
      for (const [a, b] of [[one, other], [concat(base, one), concat(base, other)]] as const) {
        assert.deepEqual(diffRecords(a, b), wholeDiff.diffRecords(a, b));
        assert.deepEqual(saidOnlyIn(a, b), wholeDiff.saidOnlyIn(a, b));
      }
    }),
    { numRuns: 1000 },
  );
});

Deno.test("restoredCopy of pieces gives the copy of the whole", () => {
  const id = branchId(ROOT, "0".repeat(64));
  fc.assert(
    fc.property(cutText, (bytes) => {
      const expected: Uint8Array[] = [];
      for (const { start, end, next } of lines(bytes)) {
        const copy = copiedRecord(bytes.subarray(start, end), { rootId: ROOT, id }, null);
        expected.push(copy, bytes.subarray(end, next));
      }
      if (bytes.length > 0 && bytes.at(-1) !== 0x0a) expected.push(utf8("\n"));
      const customTitle = `${titleAt(bytes, Infinity)} (as of 1970-01-01 00:00 UTC)`;
      const title = { type: "custom-title", customTitle, sessionId: id };
      expected.push(utf8(JSON.stringify(title) + "\n"));
      const parts: Uint8Array[] = [];
      const copy = restoredCopy({ of: ROOT, id, atMs: 0 }, (part) => parts.push(part.slice()));
      for (const piece of piecesOf(bytes)) copy.take(piece);
      copy.end();
      assert.deepEqual(concat(...parts), concat(...expected));
    }),
    { numRuns: 1000 },
  );
});
