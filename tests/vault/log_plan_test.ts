import assert from "node:assert/strict";
import fc from "fast-check";
import { objectName } from "../../src/storage/object_name.ts";
import { groupByLog, type KnownLog, planLogRead } from "../../src/vault/log_plan.ts";
import { logEntryName } from "../../src/vault/names.ts";

const TAGS = ["0".repeat(16), "1".repeat(16), "z".repeat(16)];

interface Named {
  readonly tag: string;
  readonly seq: number;
  readonly hash8: string;
}

function listed(entries: readonly Named[]) {
  return entries.map(({ tag, seq, hash8 }) => ({
    name: objectName(logEntryName(tag, seq, hash8)),
    sizeBytes: 4096,
  }));
}

function planOf(entries: readonly Named[], known: ReadonlyMap<string, KnownLog>) {
  const { logs, alarms } = planLogRead(groupByLog(listed(entries)), known);
  const said = [...alarms].map(([tag, { code, message }]) => [tag, code, message]);
  return { logs, alarms: said };
}

const arbitraryEntry: fc.Arbitrary<Named> = fc.record({
  tag: fc.constantFrom(...TAGS),
  seq: fc.integer({ min: 1, max: 5 }),
  hash8: fc.constantFrom("00000000", "7fffffff", "ffffffff"),
});
const arbitraryMark = fc.option(
  fc.record({
    seq: fc.integer({ min: 1, max: 6 }),
    hash: fc.constantFrom("00000000", "7fffffff").map((hash8) => hash8.repeat(8)),
  }),
  { nil: null },
);

Deno.test("what is read and what is wrong is the same in whatever order names are listed", () => {
  const key = ({ tag, seq, hash8 }: Named) => `${tag}/${seq}/${hash8}`;
  fc.assert(
    fc.property(
      fc.uniqueArray(arbitraryEntry, { selector: key, maxLength: 20 }).chain((entries) =>
        fc.tuple(
          fc.constant(entries),
          fc.shuffledSubarray(entries, { minLength: entries.length, maxLength: entries.length }),
        )
      ),
      fc.array(fc.record({ tag: fc.constantFrom(...TAGS), mark: arbitraryMark }), { maxLength: 3 }),
      ([entries, shuffled], marks) => {
        const logs = marks.map(({ tag, mark }): [string, KnownLog] => [
          tag,
          { mark, cursor: mark, hasRead: () => false },
        ]);
        const expected = planOf(
          entries.toSorted((a, b) => key(a) < key(b) ? -1 : 1),
          new Map(logs),
        );
        assert.deepEqual(planOf(shuffled, new Map(logs)), expected);
        for (const { entries: planned } of expected.logs) {
          assert.deepEqual(planned.map(({ seq }) => seq), planned.map(({ seq }) => seq).toSorted());
        }
        const tags = expected.logs.map(({ tag }) => tag);
        assert.deepEqual(tags, tags.toSorted());
      },
    ),
    { numRuns: 500 },
  );
});
