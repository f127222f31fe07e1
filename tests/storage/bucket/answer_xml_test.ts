import assert from "node:assert/strict";
import fc from "fast-check";
import { utf8 } from "../../../src/base/bytes.ts";
import {
  parseAnswerXml,
  XML_BYTES_MAX,
  XML_DEPTH_MAX,
} from "../../../src/storage/bucket/answer_xml.ts";

const parse = (text: string) => parseAnswerXml(utf8(text));

Deno.test("parseAnswerXml reads elements, text and characters written as references", () => {
  const root = parse(
    '<?xml version="1.0" encoding="UTF-8"?>\n<R xmlns="http://x/"><!-- c --><A>a&amp;b&#x41;</A>' +
      "<A><![CDATA[<c>]]></A><B><C/></B></R>",
  );
  assert.equal(root?.name, "R");
  assert.equal(root?.text("A"), "a&bA");
  assert.deepEqual(root?.all("A").length, 2);
  assert.equal(root?.text("B"), "");
  assert.equal(root?.text("C"), null, "only what is directly below");
  assert.equal(root?.all("B")[0]?.text("C"), "");
});

const HOSTILE: readonly (readonly [name: string, text: string])[] = [
  ["nothing", ""],
  ["words", "Service Unavailable"],
  ["a page of HTML", "<!DOCTYPE html><html><body><p>Login<br></body></html>"],
  ["an entity that grows", '<!DOCTYPE a [<!ENTITY b "xxxxxxxxxx">]><a>&b;&b;&b;</a>'],
  ["an entity from a file", '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'],
  ["an entity that nobody declared", "<a>&b;</a>"],
  ["half of it", "<ListBucketResult><Contents><Key>a"],
  ["two roots", "<a/><b/>"],
  ["a NUL", "<a>\0</a>"],
  ["JSON", '{"Code":"NoSuchKey"}'],
];

Deno.test("parseAnswerXml takes nothing but an answer", async (t) => {
  for (const [name, text] of HOSTILE) {
    await t.step(name, () => assert.equal(parse(text), null));
  }
  assert.equal(
    parseAnswerXml(new Uint8Array([0x3c, 0x61, 0x3e, 0xff, 0x3c, 0x2f, 0x61, 0x3e])),
    null,
  );
});

Deno.test("parseAnswerXml takes an answer at its limit and none past it", () => {
  const filled = (length: number) => `<a>${"x".repeat(length - "<a></a>".length)}</a>`;
  assert.notEqual(parse(filled(XML_BYTES_MAX)), null);
  assert.equal(parse(filled(XML_BYTES_MAX + 1)), null);
});

Deno.test("parseAnswerXml takes 32 levels and refuses 33, whose text could be too deep", () => {
  const nested = (depth: number) => "<a>".repeat(depth) + "x" + "</a>".repeat(depth);
  assert.equal(parse(nested(XML_DEPTH_MAX))?.text("a"), "x");
  assert.equal(parse(nested(XML_DEPTH_MAX + 1)), null);
  // The parser takes these; asking for their text would be too much for the stack.
  assert.equal(parse(`<R><Key>${nested(3000)}</Key></R>`), null);
});

Deno.test("parseAnswerXml survives nesting without end and attributes without number", () => {
  parse("<a>".repeat(XML_BYTES_MAX / 3 - 1));
  parse("<a>".repeat(200_000) + "</a>".repeat(200_000));
  assert.notEqual(
    parse(`<a ${Array.from({ length: 20_000 }, (_, i) => `b${i}=""`).join(" ")}/>`),
    null,
  );
});

Deno.test("parseAnswerXml never throws", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    parseAnswerXml(bytes);
  }));
  const piece = fc.constantFrom(
    "<a>",
    "</a>",
    "<a",
    ">",
    "/",
    "&lt;",
    "&",
    ";",
    "<!--",
    "-->",
    "x",
  );
  fc.assert(fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
    parse(pieces.join(""));
  }));
});
