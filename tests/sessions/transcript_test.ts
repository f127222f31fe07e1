import assert from "node:assert/strict";
import fc from "fast-check";
import { concat, equalBytes, utf8 } from "../../src/base/bytes.ts";
import {
  lastCompleteLineEnd,
  RECORD_BYTES_MAX,
  RecordLine,
  records,
  recordsFromEnd,
  recordTimeMs,
} from "../../src/sessions/transcript.ts";

/** Pieces that real and broken transcripts are made of. */
const piece = fc.oneof(
  fc.constantFrom(
    utf8('{"type":"user"}\n'),
    utf8("\n"),
    utf8("\r\n"),
    utf8('{"a":1}\r\n'),
    utf8("[1,2]\n"),
    utf8("null\n"),
    utf8('{"torn":"li'),
    utf8("garbage\n"),
    new Uint8Array([0, 0, 0x0a]),
    new Uint8Array([0xff, 0xfe, 0x0a, 0x80]),
    utf8('{"__proto__":{"cwd":"/evil"}}\n'),
  ),
  fc.uint8Array({ maxLength: 40 }),
);
const content = fc.array(piece, { maxLength: 20 }).map((pieces) => concat(...pieces));

Deno.test("records is lossless: its slices make up the input, whatever it is", () => {
  fc.assert(fc.property(content, (bytes) => {
    const lines = [...records(bytes)];
    let at = 0;
    for (const record of lines) {
      assert.equal(record.offset, at);
      assert(record.length > 0);
      assert(!record.line.includes(0x0a));
      void record.parsed;
      at += record.length;
    }
    assert.equal(at, bytes.length);
    const slices = lines.map((record) => bytes.slice(record.offset, record.offset + record.length));
    assert(equalBytes(concat(...slices), bytes));
    assert(lines.slice(0, -1).every((record) => record.isComplete));
  }));
});

Deno.test("recordsFromEnd gives the complete records in reverse", () => {
  fc.assert(fc.property(content, (bytes) => {
    const shape = (record: RecordLine) => [record.offset, record.length];
    const forward = [...records(bytes)].filter((record) => record.isComplete).map(shape);
    assert.deepEqual([...recordsFromEnd(bytes)].map(shape), forward.reverse());
  }));
});

Deno.test("lastCompleteLineEnd is where a torn line begins", () => {
  const cases: readonly (readonly [string, number])[] = [
    ["", 0],
    ["torn", 0],
    ["\n", 1],
    ["a\nb\n", 4],
    ["a\nb\ntorn", 4],
    ["a\r\n", 3],
  ];
  for (const [text, end] of cases) assert.equal(lastCompleteLineEnd(utf8(text)), end, text);
});

Deno.test("RecordLine.parsed is the object of a line and null for everything else", () => {
  const parsed = (line: string | Uint8Array) =>
    [...records(typeof line === "string" ? utf8(line) : line)].map((record) => record.parsed);
  assert.equal(parsed('{"a":1}\n')[0]?.["a"], 1);
  assert.equal(parsed('{"a":1}\r\n')[0]?.["a"], 1);
  assert.equal(parsed('{"a":1}')[0]?.["a"], 1);
  assert.equal(
    parsed(concat(utf8('{"a":"'), new Uint8Array([0xff]), utf8('"}')))[0]?.["a"],
    "\ufffd",
  );
  for (
    const line of ["", "x", "[]", "null", '"text"', "12", '{"a":1}{"b":2}', '{"torn":"', "\0\0"]
  ) {
    assert(parsed(line).every((record) => record === null), line);
  }
});

Deno.test("RecordLine.parsed inherits nothing, from a hostile record neither", () => {
  const [record] = records(utf8('{"__proto__":{"cwd":"/evil"},"type":"user"}\n'));
  assert.equal(record?.parsed?.["cwd"], undefined);
  assert.equal(record?.parsed?.["constructor"], undefined);
  assert.equal(({} as Record<string, unknown>)["cwd"], undefined);
});

Deno.test("RecordLine.parsed is null past its limits of size and depth", () => {
  const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
  const parsed = (bytes: Uint8Array) => [...records(bytes)][0]?.parsed;
  assert.notEqual(parsed(utf8(nested(200))), null);
  assert.equal(parsed(utf8(nested(201))), null);
  assert.equal(parsed(utf8(`{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`)), null);

  const line = new Uint8Array(RECORD_BYTES_MAX + 1).fill(0x20);
  line.set(utf8('{"a":1}'));
  assert.equal(parsed(line.subarray(0, RECORD_BYTES_MAX))?.["a"], 1);
  assert.equal(parsed(line), null);
});

Deno.test("recordTimeMs reads ISO times only", () => {
  assert.equal(recordTimeMs({ timestamp: "2026-11-22T11:42:52.361Z" }), 1795347772361);
  assert.equal(recordTimeMs({ timestamp: "2026-11-22T12:42:52.361+01:00" }), 1795347772361);
  for (const timestamp of [undefined, null, 5, "", "5", "yesterday", "2026-13-40T00:00:00Z", {}]) {
    assert.equal(recordTimeMs({ timestamp }), null, String(timestamp));
  }
});
