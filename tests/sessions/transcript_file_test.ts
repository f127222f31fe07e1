import assert from "node:assert/strict";
import { concat, utf8 } from "../../src/base/bytes.ts";
import { transcriptFacts } from "../../src/sessions/transcript_facts.ts";
import {
  readTranscriptFacts,
  readTranscriptHead,
  readTranscriptTail,
} from "../../src/sessions/transcript_file.ts";
import { MemoryFs } from "../support/memory_fs.ts";
import { put } from "./disk.ts";

const record = (n: number, padding = 0) =>
  utf8(
    JSON.stringify({
      type: "user",
      message: { content: `prompt ${n} ${"x".repeat(padding)}` },
      cwd: `/w/${n}`,
      version: "2.1.0",
      timestamp: new Date(1_700_000_000_000 + n * 1000).toISOString(),
    }) + "\n",
  );
const MIB = 1024 * 1024;

Deno.test("readTranscriptFacts reads in pieces what transcriptFacts reads at once", () => {
  const fs = new MemoryFs();
  // Lines that end just before, at and after the edges of the pieces, and one of several pieces.
  const bytes = concat(
    record(1, 4 * MIB - 300),
    ...Array.from({ length: 300 }, (_, i) => record(i + 2)),
    record(400, 9 * MIB),
    record(401),
    utf8('{"torn":'),
  );
  put(fs, "/t.jsonl", bytes);
  const facts = readTranscriptFacts(fs, "/t.jsonl");
  assert.deepEqual(facts, transcriptFacts(bytes));
  assert.equal(facts?.messages, 303);
  assert.equal(fs.openHandles, 0);
});

Deno.test("readTranscriptFacts passes over a line that is too long and goes on after it", () => {
  const fs = new MemoryFs();
  // Looks like a record from where it is cut off.
  const longLine = concat(new Uint8Array(68 * MIB - record(1).length).fill(0x78), record(3));
  put(
    fs,
    "/t.jsonl",
    concat(record(1), longLine, record(2)),
  );
  const facts = readTranscriptFacts(fs, "/t.jsonl");
  assert.equal(facts?.messages, 2);
  assert.equal(facts?.lastCwd, "/w/2");
});

Deno.test("readTranscriptHead and -Tail look further when the nearest bytes tell nothing", () => {
  const fs = new MemoryFs();
  const blank = utf8(`{"type":"attachment","x":"${"y".repeat(2 * MIB)}"}\n`);
  put(fs, "/t.jsonl", concat(blank, record(1), record(2), blank));
  assert.equal(readTranscriptHead(fs, "/t.jsonl")?.firstCwd, "/w/1");
  const tail = readTranscriptTail(fs, "/t.jsonl");
  assert.equal(tail?.lastCwd, "/w/2");
  assert.equal(tail?.lastActivityMs, 1_700_000_002_000);
});

Deno.test("readTranscript… give null for an absent file and nulls for an empty one", () => {
  const fs = new MemoryFs();
  put(fs, "/empty.jsonl", "");
  assert.equal(readTranscriptFacts(fs, "/none.jsonl"), null);
  assert.equal(readTranscriptHead(fs, "/none.jsonl"), null);
  assert.equal(readTranscriptTail(fs, "/none.jsonl"), null);
  assert.equal(readTranscriptFacts(fs, "/empty.jsonl")?.messages, 0);
  assert.equal(readTranscriptHead(fs, "/empty.jsonl")?.firstCwd, null);
  assert.equal(readTranscriptTail(fs, "/empty.jsonl")?.lastVersion, null);
});
