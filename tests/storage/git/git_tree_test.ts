import assert from "node:assert/strict";
import fc from "fast-check";
import { concat, fromHex, utf8 } from "../../../src/base/bytes.ts";
import { parseBatch, parseTree } from "../../../src/storage/git/git_tree.ts";

const OID = "5bc42e78d347d64f6dcc894afc54d1aa9877bfb5";

Deno.test("parseTree reads trees of both formats", () => {
  const oid = fromHex(OID)!;
  const tree = concat(utf8("100644 a=1\0"), oid, utf8("40000 7f\0"), oid);
  assert.deepEqual(parseTree(tree, "sha1"), [
    { mode: "100644", name: "a=1", oid: OID },
    { mode: "40000", name: "7f", oid: OID },
  ]);
  const long = concat(oid, oid.subarray(0, 12));
  const entries = parseTree(concat(utf8("100644 a=1\0"), long), "sha256");
  assert.equal(entries?.[0]?.oid, OID + OID.slice(0, 24));
  assert.deepEqual(parseTree(new Uint8Array(0), "sha1"), []);
});

Deno.test("parseTree and parseBatch give null for anything cut short, and never throw", () => {
  const tree = concat(utf8("100644 a=1\0"), fromHex(OID)!);
  for (let length = 1; length < tree.length; length++) {
    assert.equal(parseTree(tree.slice(0, length), "sha1"), null);
  }
  const output = utf8(`${OID} blob 3\none\n${OID} missing\n`);
  for (let length = 0; length < output.length; length++) {
    assert.equal(parseBatch(output.slice(0, length), 2), null);
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
    parseTree(new Uint8Array(bytes), "sha1");
    parseBatch(new Uint8Array(bytes), 3);
  }));
});

Deno.test("parseBatch gives each answer in its place", () => {
  const output = utf8(`${OID} blob 3\n\n\0x\n${OID} missing\n${OID} tree 0\n\n`);
  const answers = parseBatch(output, 3);
  assert.equal(answers?.[0]?.type, "blob");
  assert.deepEqual(answers?.[0]?.content, utf8("\n\0x"));
  assert.equal(answers?.[1], null);
  assert.equal(answers?.[2]?.content.length, 0);
  assert.equal(parseBatch(output, 2), null);
  assert.equal(parseBatch(output, 4), null);
  assert.equal(parseBatch(utf8(`${OID} ambiguous\n`), 1), null);
});
