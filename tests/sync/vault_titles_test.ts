/** Which title holds is a function of sets, in whatever order a machine learns of them. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { utf8 } from "../../src/base/bytes.ts";
import { EMPTY_SHA256_HEX, sha256Hex } from "../../src/crypto/hash.ts";
import { nodePlatform } from "../../src/platform/node.ts";
import { Forgotten } from "../../src/sync/forgotten.ts";
import { SegmentIndex } from "../../src/sync/segment_index.ts";
import { openStateDb } from "../../src/sync/state_db.ts";
import { titleLine, VaultTitles } from "../../src/sync/vault_titles.ts";
import type { Op, TitleClaim } from "../../src/vault/entry_body.ts";
import { TITLE_CHARACTERS_MAX } from "../../src/vault/format.ts";
import type { VerifiedEntry } from "../../src/vault/log_reader.ts";
import { firstEntry, idOf } from "../support/first_entry.ts";

const SESSION = "11111111-1111-4111-8111-111111111111";

Deno.test("titleLine makes one line of at most 200 code points", () => {
  const cases: readonly (readonly [name: string, given: string, made: string])[] = [
    ["plain", "Fix the flaky test", "Fix the flaky test"],
    ["lines and tabs", "  Fix\r\n\t\tthe\u2028flaky\u2029test \n", "Fix the flaky test"],
    ["escape sequences", "a\u001b[2Jb\u0000c\u009bd\u007f", "a [2Jb c d"],
    ["nothing that is left", " \n\u0000\u0085\u001f ", ""],
    ["nothing", "", ""],
    ["a lone surrogate", "a\ud800b", "a\ufffdb"],
    ["joined emoji", "👩‍💻 at work", "👩‍💻 at work"],
    ["200", "💻".repeat(TITLE_CHARACTERS_MAX), "💻".repeat(TITLE_CHARACTERS_MAX)],
    ["201", "💻".repeat(TITLE_CHARACTERS_MAX + 1), "💻".repeat(TITLE_CHARACTERS_MAX)],
    ["cut at a space", `${"x".repeat(199)} yz`, "x".repeat(199)],
    ["very long", "y".repeat(1_000_000), "y".repeat(TITLE_CHARACTERS_MAX)],
  ];
  for (const [name, given, made] of cases) assert.equal(titleLine(given), made, name);
});

Deno.test("titleLine is done after one time, and never more than the format takes", () => {
  const unit = fc.constantFrom(
    ...["a", " ", "\n", "\u0000", "\u2028", "\ud83d", "\udcbb", "💻", "é"],
  );
  fc.assert(fc.property(fc.string({ unit, maxLength: 300 }), (text) => {
    const line = titleLine(text);
    assert.equal(titleLine(line), line);
    assert.ok([...line].length <= TITLE_CHARACTERS_MAX && line.isWellFormed());
  }));
});

const hashOf = (text: string) => text === "" ? EMPTY_SHA256_HEX : sha256Hex(utf8(text));

/** The transcript went from one made-up content to a longer one, and is called so. */
function addOp(before: string, after: string, title: TitleClaim | undefined): Op {
  const [off, len] = [before.length, after.length - before.length];
  const place = { file: "transcript", gen: "", off, len, mtime: 1 };
  const segments = [{ ...place, parent: hashOf(before), hash: hashOf(after) }];
  const group = { in: -1, at: 0, stored: len, raw: len, comp: "none", segments } as const;
  return { op: "add", session: SESSION, project: null, title, gens: [], groups: [group] };
}

/** The title that holds, the largest of all, and whether anything is to be said of "now". */
function read(batches: readonly (readonly VerifiedEntry[])[]) {
  const database = openStateDb(nodePlatform().fs, ":memory:", "reader");
  try {
    const index = new SegmentIndex(database);
    for (const batch of batches) index.apply(batch);
    const titles = new VaultTitles(database, new Forgotten(database));
    const reached = { gen: "", hash: hashOf("more") };
    return {
      holds: titles.of(SESSION),
      largest: titles.evenForgotten(SESSION),
      news: titles.news(SESSION, "now", reached, 1),
    };
  } finally {
    database.close();
  }
}

/** "ab" and "ax" are branches; what is forgotten of one leaves the other there. */
const STEPS = [["", "a"], ["a", "ab"], ["ab", "abc"], ["a", "ax"]] as const;

const said = fc.record({
  step: fc.constantFrom(...STEPS),
  text: fc.option(fc.constantFrom("one", "two", "two\u{10000}", "two\uffff", "a\u0000b"), {
    nil: undefined,
  }),
  time: fc.integer({ min: 1, max: 3 }),
});
const wish = fc.record({
  id: fc.integer({ min: 0, max: 2 }),
  states: fc.array(fc.constantFrom("a", "ab", "abc", "ax"), { minLength: 1, maxLength: 3 }),
});
const event = fc.oneof(
  { weight: 4, arbitrary: said },
  { weight: 2, arbitrary: wish },
  { weight: 1, arbitrary: fc.record({ recalled: fc.integer({ min: 0, max: 2 }) }) },
);
type Event = typeof event extends fc.Arbitrary<infer Value> ? Value : never;

function opOf(each: Event): Op {
  if ("recalled" in each) return { op: "recall", ids: [idOf(each.recalled)] };
  if ("id" in each) {
    const leaves = each.states.map((text) => ({
      ...{ file: "transcript", gen: "", hash: hashOf(text), len: text.length },
    }));
    return { op: "forget", id: idOf(each.id), session: SESSION, leaves };
  }
  const [before, after] = each.step;
  const state = { gen: "", hash: hashOf(after) };
  const title = each.text === undefined
    ? undefined
    : { text: each.text, time: each.time, ...state };
  return addOp(before, after, title);
}

const byCodePoints = (a: string, b: string) => {
  const [x, y] = [[...a], [...b]].map((all) => all.map((one) => one.codePointAt(0)!)) as [
    number[],
    number[],
  ];
  for (let at = 0; at < Math.min(x.length, y.length); at++) {
    if (x[at] !== y[at]) return x[at]! - y[at]!;
  }
  return x.length - y.length;
};

/** FORMAT.md's rule in the plainest words: every machine of these tests has one entry. */
function expected(events: readonly (readonly Event[])[]): string | null {
  const all = events.flat();
  const adds = all.flatMap((each) => "step" in each ? [each] : []);
  const recalled = new Set(all.flatMap((each) => "recalled" in each ? [each.recalled] : []));
  const named = all.flatMap((each) => "id" in each && !recalled.has(each.id) ? each.states : []);
  const parents = new Map<string, Set<string>>();
  for (const { step: [before, after] } of adds) {
    parents.set(after, (parents.get(after) ?? new Set()).add(before));
  }
  const upTo = (starts: Iterable<string>) => {
    const found = new Set(starts);
    for (const each of found) for (const parent of parents.get(each) ?? []) found.add(parent);
    return found;
  };
  const states = new Set(adds.map(({ step }) => step[1]));
  const isLeaf = (state: string) => !adds.some(({ step }) => step[0] === state);
  const there = [...states].filter((state) => isLeaf(state) && !named.includes(state as "a"));
  const [needed, gone] = [upTo(there), upTo(named)];
  const larger = (a: (typeof adds)[number], b: (typeof adds)[number]) =>
    b.time - a.time ||
    byCodePoints(b.text!.replace("\0", "\ufffd"), a.text!.replace("\0", "\ufffd")) ||
    (hashOf(b.step[1]) < hashOf(a.step[1]) ? -1 : 1);
  const counting = events.flatMap((entry) => {
    const titled = entry.flatMap((each) => "step" in each && each.text !== undefined ? [each] : []);
    return titled.sort(larger).slice(0, 1);
  });
  const holding = counting.filter(({ step }) => needed.has(step[1]) || !gone.has(step[1]));
  return holding.sort(larger)[0]?.text?.replace("\0", "\ufffd") ?? null;
}

Deno.test("the title that holds is that of the format, in whatever order entries are read", () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(event, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 6 }),
      fc.array(fc.nat(5), { minLength: 6, maxLength: 6 }),
      (machines, order) => {
        const entries = machines.map((events, at) => firstEntry(at + 1, events.map(opOf)));
        const { holds, largest, news } = read([entries]);
        assert.equal(holds, expected(machines));
        const ranked = entries.map((entry, at) => ({ entry, rank: order[at]! }))
          .sort((one, other) => one.rank - other.rank);
        assert.deepEqual(read(ranked.map(({ entry }) => [entry])), { holds, largest, news });
        // Whatever is said next is larger than all that was said, so it holds at once.
        const next = firstEntry(100, [addOp("", "more", news)]);
        assert.equal(read([[...entries, next]]).holds, "now");
      },
    ),
    { numRuns: 150 },
  );
});

Deno.test("a title that holds is not said again, and another one is said past all times", () => {
  const at = { gen: "", hash: hashOf("a") };
  const database = openStateDb(nodePlatform().fs, ":memory:", "reader");
  try {
    const index = new SegmentIndex(database);
    const titles = new VaultTitles(database, new Forgotten(database));
    assert.deepEqual(titles.news(SESSION, "Fix\nit", at, 7.5), { text: "Fix it", time: 7, ...at });
    assert.equal(titles.news(SESSION, null, at, 7), undefined);
    assert.equal(titles.news(SESSION, "\n", at, 7), undefined);
    index.apply([firstEntry(1, [addOp("", "a", { text: "Fix it", time: 50, ...at })])]);
    assert.equal(titles.of(SESSION), "Fix it");
    assert.equal(titles.news(SESSION, " Fix  it ", at, 7), undefined);
    assert.equal(titles.news(SESSION, "Done", at, 7)!.time, 51, "a clock that is behind");
    const last = { text: "z", time: Number.MAX_SAFE_INTEGER, ...at };
    index.apply([firstEntry(2, [addOp("", "a", last)])]);
    assert.equal(titles.news(SESSION, "Done", at, 7)!.time, Number.MAX_SAFE_INTEGER);
  } finally {
    database.close();
  }
});
