import assert from "node:assert/strict";
import fc from "fast-check";
import { concat, utf8 } from "../../src/base/bytes.ts";
import { JSON_DEPTH_MAX } from "../../src/vault/format.ts";
import { parseJsonStrict } from "../../src/vault/json.ts";

const limits = { bytesMax: 100_000 };

function parse(text: string): unknown {
  return parseJsonStrict(utf8(text), limits);
}

Deno.test("parseJsonStrict reads what JSON.parse reads", () => {
  fc.assert(fc.property(fc.json({ maxDepth: 8 }), (text) => {
    fc.pre(!/__proto__|constructor|prototype/.test(text));
    assert.deepEqual(parse(text), JSON.parse(text));
  }));
});

Deno.test("parseJsonStrict refuses members that could reach a prototype", () => {
  for (
    const name of ["__proto__", "constructor", "prototype", "\\u005f_proto__", "\\u0063onstructor"]
  ) {
    assert.equal(parse(`{"${name}":1}`), undefined);
    assert.equal(parse(`[{"a":[{"${name}":{}}]}]`), undefined);
    assert.notEqual(parse(`{"a":"${name}"}`), undefined, "as a value it is harmless");
  }
});

Deno.test("parseJsonStrict reads down to its depth and not past it", () => {
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  assert.notEqual(parse(nested(JSON_DEPTH_MAX)), undefined);
  assert.equal(parse(nested(JSON_DEPTH_MAX + 1)), undefined);
  assert.equal(parse('{"a":'.repeat(65) + "1" + "}".repeat(65)), undefined);
  assert.equal(parse("[".repeat(99_000)), undefined);
  assert.notEqual(parse(`["${"[".repeat(70)}","\\"[[","\\\\"${",[]".repeat(99)}]`), undefined);
  assert.equal(parseJsonStrict(utf8("[[1]]"), { ...limits, depthMax: 1 }), undefined);
});

Deno.test("parseJsonStrict reads up to its size and not past it", () => {
  const text = `"${"x".repeat(10)}"`;
  assert.notEqual(parseJsonStrict(utf8(text), { bytesMax: 12 }), undefined);
  assert.equal(parseJsonStrict(utf8(text), { bytesMax: 11 }), undefined);
});

Deno.test("parseJsonStrict refuses a byte order mark, broken UTF-8 and what is no JSON", () => {
  assert.equal(parse("\ufeff{}"), undefined);
  assert.equal(
    parseJsonStrict(concat(utf8('"'), Uint8Array.of(0xc3), utf8('"')), limits),
    undefined,
  );
  for (const text of ["", "{", "{]", "nul", "{} {}", "NaN", "'x'"]) {
    assert.equal(parse(text), undefined);
  }
});

Deno.test("parseJsonStrict never throws", () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => void parseJsonStrict(bytes, limits)));
});
