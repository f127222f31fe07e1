import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { utf8 } from "../../src/base/bytes.ts";
import { type Leaf, rootForm, rootSessionId } from "../../src/sessions/branch_copy.ts";
import { branchId } from "../../src/sessions/branch_id.ts";
import { FAMILY_LEAVES_MAX } from "../../src/sessions/continuations.ts";
import type { SessionId } from "../../src/sessions/session_id.ts";
import { isClaudeSyncError } from "../../src/errors.ts";
import { spokenRecords } from "../../src/sessions/spoken_records.ts";
import { ROOT } from "./branch_histories.ts";
import { fileOf, resolveBranches } from "./branches_in_memory.ts";

const NONE = () => [];

function sample(name: string): Uint8Array {
  return readFileSync(new URL(`../testdata/fork/${name}.jsonl`, import.meta.url));
}

function by(machine: string, bytes: Uint8Array | string): Leaf {
  const given = typeof bytes === "string" ? utf8(bytes) : bytes;
  return { bytes: given, writers: [{ start: 0, machine }] };
}

function textOf(leaf: Leaf): string {
  return new TextDecoder().decode(leaf.bytes);
}

/** A record as the client writes it; `at` is seconds. */
function said(text: string, at: number | null, type = "user", more: object = {}): string {
  return JSON.stringify({
    type,
    message: { role: type, content: text },
    uuid: `uuid of ${text}`,
    ...(at === null ? {} : { timestamp: new Date(at * 1000).toISOString() }),
    sessionId: ROOT,
    ...more,
  }) + "\n";
}

const BASE = said("hello", 1) + said("hi", 2, "assistant");
const STATE = `{"type":"mode","mode":"normal","sessionId":"${ROOT}"}\n`;

/** What was said, per session, in the order of the records. */
function talk(leaves: readonly Leaf[], stored: (id: SessionId) => Leaf[] = NONE): string[][] {
  const resolution = resolveBranches(ROOT, leaves, stored);
  return [resolution.main, ...resolution.branches].map((session) => {
    const { bytes } = fileOf(ROOT, session);
    return spokenRecords(bytes).map(({ start }) =>
      JSON.parse(new TextDecoder().decode(bytes.subarray(start)).split("\n")[0]!).message.content
    );
  });
}

const A = by("anna", sample("continued-on-a"));
const B = by("bob", sample("continued-on-b"));

Deno.test("resolveBranches keeps the id for who spoke first and branches the other", () => {
  const resolution = resolveBranches(ROOT, [B, A], NONE);
  assert.equal(fileOf(ROOT, resolution.main), A);
  const [branch, ...others] = resolution.branches;
  assert.equal(others.length, 0);
  assert.equal(branch?.machine, "bob");
  assert.equal(branch.id, "53f233ca-2521-89eb-8b18-22fdb0a9619b");
  assert.match(textOf(fileOf(ROOT, branch)), /"customTitle":"base one \(from bob\)"/);
});

Deno.test("resolveBranches gives a branch's file the shape of the client's own /branch", () => {
  const ours = textOf(fileOf(ROOT, resolveBranches(ROOT, [A, B], NONE).branches[0]!));
  const theirs = new TextDecoder().decode(sample("branched-by-client"));
  const keys = (line: string | undefined) => {
    const { sessionId: _, ...record } = JSON.parse(line!);
    return [Object.keys(record), Object.keys(record.forkedFrom ?? {})];
  };
  const first = (text: string, type: string) =>
    text.split("\n").find((line) => line.includes(`"type":"${type}"`) && !line.includes(`"p":`));
  assert.deepEqual(keys(first(ours, "user")), keys(first(theirs, "user")));
  assert.deepEqual(keys(first(ours, "custom-title")), keys(first(theirs, "custom-title")));
  assert.ok(!ours.includes(`"sessionId":"${ROOT}","version"`));
});

Deno.test("resolveBranches finds what was said later in a branch under the branch's id", () => {
  const before = resolveBranches(ROOT, [A, B], NONE);
  const branch = before.branches[0]!;
  const copy = fileOf(ROOT, branch);
  const grown = by("carl", textOf(copy) + said("later", 99).replaceAll(ROOT, branch.id));
  const stored = (id: SessionId) => id === branch.id ? [grown] : [];
  const after = resolveBranches(ROOT, [A, B], stored);
  assert.deepEqual(after.storedBranchIds, [branch.id]);
  assert.deepEqual(after.branches.map(({ id }) => id), [branch.id]);
  assert.equal(fileOf(ROOT, after.branches[0]!), grown);
  assert.equal(rootSessionId(branch.id, grown.bytes), ROOT);
  assert.deepEqual(after.dropped.map(({ leaf, why }) => [leaf, why]), [[B, "prefix"]]);
});

Deno.test("resolveBranches keeps both sides when a branch itself was continued twice", () => {
  const branch = resolveBranches(ROOT, [A, B], NONE).branches[0]!;
  const copy = textOf(fileOf(ROOT, branch));
  const older = by("anna", copy + said("older", 2e9).replaceAll(ROOT, branch.id));
  const newer = by("bob", copy + said("newer", 3e9).replaceAll(ROOT, branch.id));
  const stored = (id: SessionId) => id === branch.id ? [newer, older] : [];
  const { branches } = resolveBranches(ROOT, [A, B], stored);
  assert.equal(branches.length, 2);
  assert.equal(fileOf(ROOT, branches.find(({ id }) => id === branch.id)!), older);
  const other = textOf(fileOf(ROOT, branches.find(({ id }) => id !== branch.id)!));
  assert.match(other, /"customTitle":"base one \(from bob\)"/);
  assert.ok(other.includes("newer") && !other.includes("older") && !other.includes(branch.id));
  assert.equal(other.match(/customTitle/g)?.length, 1, "the title of the branch it left is gone");
});

Deno.test("resolveBranches names one of several said to have written the same bytes", () => {
  for (const names of [["bob", "zoe"], ["zoe", "bob"]]) {
    const leaves = names.map((name) => by(name, B.bytes));
    for (const all of [[A, ...leaves], [...leaves, A]]) {
      assert.deepEqual(resolveBranches(ROOT, all, NONE).branches.map(({ machine }) => machine), [
        "bob",
      ]);
    }
  }
});

Deno.test("resolveBranches makes no branch of a tail in which nobody spoke", () => {
  const echo = said("<command-name>/exit</command-name>", 5);
  const notes = said("Caveat", 5, "user", { isMeta: true });
  const odd = said("No response requested.", 5, "assistant").replace(
    `"role":"assistant"`,
    `"role":"assistant","model":"<synthetic>"`,
  );
  const listed = said("", 5).replace(
    `"content":""`,
    `"content":[{"type":"text","text":"<local-command-stdout>ok"}]`,
  );
  for (const tail of [STATE, echo, notes, odd, listed, "garbage\n", `{"type":"user"`]) {
    assert.deepEqual(talk([by("a", BASE + tail), by("b", BASE + said("more", 9))]), [
      ["hello", "hi", "more"],
    ]);
  }
});

Deno.test("resolveBranches counts a tool's result and any other text as spoken", () => {
  const result = said("", 5).replace(
    `"content":""`,
    `"content":[{"type":"tool_result","content":"<command-name>"}]`,
  );
  for (const tail of [result, said("a <command-name>", 5), said("torn", 5).trimEnd()]) {
    const { branches } = resolveBranches(
      ROOT,
      [by("a", BASE + tail), by("b", BASE + said("more", 4))],
      NONE,
    );
    assert.equal(branches.length, 1, tail);
  }
});

Deno.test("resolveBranches takes the longest of those that say the same", () => {
  const short = by("a", BASE + "{}\n");
  const long = by("b", BASE + STATE);
  const { main, branches, dropped } = resolveBranches(ROOT, [short, long], NONE);
  assert.equal(fileOf(ROOT, main), long);
  assert.equal(branches.length, 0);
  assert.deepEqual(dropped, [{ id: ROOT, leaf: short, why: "covered" }]);
});

Deno.test("resolveBranches takes no time for the newest, and equal times by identity", () => {
  const timeless = by("a", BASE + said("one", null));
  const late = by("b", BASE + said("two", 9e8));
  assert.deepEqual(talk([timeless, late])[0], ["hello", "hi", "two"]);
  const twins = [by("a", BASE + said("left", 7)), by("b", BASE + said("right", 7))];
  assert.deepEqual(talk(twins), talk(twins.toReversed()));
});

Deno.test("resolveBranches decides where continuations part, not by what came last", () => {
  const early = BASE + said("early", 10) + said("very late", 1000);
  const inner = BASE + said("early", 10) + said("less late", 900);
  const late = BASE + said("late", 20);
  const talks = talk([by("a", early), by("b", late), by("c", inner)]);
  assert.deepEqual(talks[0], ["hello", "hi", "early", "less late"]);
  assert.deepEqual(
    new Set(talks.slice(1).map(String)),
    new Set(["hello,hi,late", "hello,hi,early,very late"]),
  );
});

Deno.test("resolveBranches makes no branch of repeated or CRLF records", () => {
  const doubled = by("a", BASE + BASE);
  const crlf = by("b", (BASE + STATE).replaceAll("\n", "\r\n"));
  assert.equal(talk([doubled, crlf]).length, 1);
});

Deno.test("resolveBranches makes no branch of a copy put in the place of its root", () => {
  const copy = fileOf(ROOT, resolveBranches(ROOT, [A, B], NONE).branches[0]!);
  assert.equal(resolveBranches(ROOT, [A, B, copy], NONE).branches.length, 1);
});

Deno.test("resolveBranches makes no branch of what others have together", () => {
  const left = by("a", BASE + said("x", 3) + said("l", 4));
  const right = by("b", BASE + said("y", 5) + said("r", 6));
  const both = by("c", BASE + said("x", 3) + said("y", 5));
  const resolution = resolveBranches(ROOT, [left, right, both], NONE);
  const kept = new Set(
    [resolution.main, ...resolution.branches].flatMap(({ rootForm }) =>
      spokenRecords(rootForm.bytes).map(({ hash }) => hash)
    ),
  );
  assert.equal(kept.size, 6);
});

Deno.test("resolveBranches names the machine that wrote the first own record, not the last", () => {
  const start = BASE + said("of bob", 5);
  const writers = [
    { start: 0, machine: "anna" },
    { start: BASE.length, machine: "bob" },
    { start: start.length, machine: "carl" },
  ];
  const grown = { bytes: utf8(start + said("of carl", 6)), writers };
  const { branches } = resolveBranches(ROOT, [by("anna", BASE + said("first", 3)), grown], NONE);
  assert.equal(branches[0]?.machine, "bob");
});

Deno.test("resolveBranches finds a known branch whose source is gone", () => {
  const branch = resolveBranches(ROOT, [A, B], NONE).branches[0]!;
  const copy = fileOf(ROOT, branch);
  const stored = (id: SessionId) => id === branch.id ? [copy] : [];
  assert.equal(resolveBranches(ROOT, [A], stored).branches.length, 0);
  const { branches } = resolveBranches(ROOT, [A], stored, [branch.id]);
  assert.deepEqual(branches.map(({ id }) => id), [branch.id]);
  assert.deepEqual(rootForm(copy, branch.id, ROOT).bytes.length, B.bytes.length);
});

Deno.test("resolveBranches accepts as many leaves as the limit and no more", () => {
  const leaves = Array.from({ length: FAMILY_LEAVES_MAX }, () => by("a", BASE));
  assert.equal(resolveBranches(ROOT, leaves, NONE).branches.length, 0);
  assert.throws(
    () => resolveBranches(ROOT, [...leaves, by("a", BASE)], NONE),
    (error) => isClaudeSyncError(error, "too-large"),
  );
});

Deno.test("branchId gives a fixed UUID of version 8 for a root and a record", () => {
  const id = branchId(ROOT, "ab".repeat(32));
  assert.equal(id, "9458ba6e-8155-8437-89b1-d0150744a57c");
  assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.notEqual(branchId(ROOT, "ac".repeat(32)), id);
});

Deno.test("resolveBranches decides between equally long leaves by hash, not order", () => {
  const one = by("a", BASE + `{"type":"mode","mode":"1"}\n`);
  const two = by("b", BASE + `{"type":"mode","mode":"2"}\n`);
  const kept = (leaves: Leaf[]) => textOf(fileOf(ROOT, resolveBranches(ROOT, leaves, NONE).main));
  assert.equal(kept([one, two]), kept([two, one]));
});

Deno.test("resolveBranches drops the shared beginning as a prefix of both continuations", () => {
  const start = by("anna", BASE);
  const leaves = [start, by("a", BASE + said("x", 3) + STATE), by("b", BASE + said("y", 4))];
  const { dropped } = resolveBranches(ROOT, leaves, NONE);
  assert.deepEqual(dropped, [{ id: ROOT, leaf: start, why: "prefix" }]);
});

Deno.test("resolveBranches names who wrote a record in the root, not who stored the branch", () => {
  const branch = resolveBranches(ROOT, [A, B], NONE).branches[0]!;
  const own = said("later", 2e9).replaceAll(ROOT, branch.id);
  const stored = by("anna", textOf(fileOf(ROOT, branch)) + own);
  const stands = (id: SessionId) => id === branch.id ? [stored] : [];
  assert.equal(resolveBranches(ROOT, [A, B], stands).branches[0]?.machine, "bob");
});
