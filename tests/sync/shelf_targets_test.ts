import assert from "node:assert/strict";
import * as fc from "fast-check";
import { sha256Hex } from "../../src/crypto/hash.ts";
import { utf8 } from "../../src/base/bytes.ts";
import { memoryShelfId } from "../../src/sessions/shelf.ts";
import type { Leaf } from "../../src/sync/segment_index.ts";
import { shelfFiles } from "../../src/sync/shelf_targets.ts";

const ID = memoryShelfId({ kind: "git", remote: "example.com/app", sub: "" });
const NAMES = ["memory/MEMORY.md", "memory/a.md", "memory/b/c.md"];

/** Few times and lengths, so that leaves are often equal in both. */
const LEAVES: fc.Arbitrary<Leaf[]> = fc.uniqueArray(
  fc.record({ text: fc.nat(9), mtimeMs: fc.nat(1), len: fc.nat(1) }),
  { minLength: 1, maxLength: 5, selector: ({ text }) => text },
).map((states) =>
  states.map(({ text, mtimeMs, len }) => ({
    gen: "",
    hash: sha256Hex(utf8(String(text))),
    len,
    mtimeMs,
    machine: "0".repeat(32),
  }))
);

Deno.test("shelfFiles gives the same files in whatever order they became known", () => {
  fc.assert(
    fc.property(
      fc.subarray(NAMES, { minLength: 1 }).chain((names) =>
        fc.tuple(...names.map((name) => fc.tuple(fc.constant(name), LEAVES)))
      ),
      fc.infiniteStream(fc.nat(1_000_000)),
      (files, order) => {
        const shuffled = <Value>(values: readonly Value[]): Value[] =>
          values.map((value) => ({ value, at: order.next().value }))
            .sort((a, b) => a.at - b.at).map(({ value }) => value);
        const expected = shelfFiles(ID, new Map(files));
        const learnt = shuffled(files).map(([name, leaves]) => [name, shuffled(leaves)] as const);
        assert.deepEqual(shelfFiles(ID, new Map(learnt)), expected);
        const states = files.flatMap(([, leaves]) => leaves);
        assert.equal(expected.length, states.length, "each content has a file");
      },
    ),
  );
});
