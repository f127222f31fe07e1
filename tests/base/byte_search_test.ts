import assert from "node:assert/strict";
import fc from "fast-check";
import { utf8 } from "../../src/base/bytes.ts";
import { ByteWord } from "../../src/base/byte_search.ts";
import { isClaudeSyncError } from "../../src/errors.ts";

Deno.test("ByteWord finds what a search in text finds, from anywhere", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", '"', "-"), maxLength: 40 });
  const word = fc.string({
    unit: fc.constantFrom("a", "b", '"', "-"),
    minLength: 1,
    maxLength: 5,
  });
  fc.assert(
    fc.property(text, word, fc.nat(45), (within, wanted, from) => {
      const found = new ByteWord(wanted).indexIn(utf8(within), from);
      assert.equal(found, from > within.length ? -1 : within.indexOf(wanted, from));
    }),
    { numRuns: 5000 },
  );
});

Deno.test("ByteWord takes words of 1 to 255 bytes", () => {
  const long = "x".repeat(255);
  assert.equal(new ByteWord(long).indexIn(utf8(`y${long}`)), 1);
  assert.equal(new ByteWord("é").indexIn(utf8("caffé")), 4);
  for (const text of ["", `${long}x`]) {
    assert.throws(() => new ByteWord(text), (error) => isClaudeSyncError(error, "bug"));
  }
});
