import assert from "node:assert/strict";
import { concat, utf8 } from "../../src/base/bytes.ts";
import { readTranscriptHead, readTranscriptTail } from "../../src/sessions/transcript_file.ts";
import { MemoryFs } from "../support/memory_fs.ts";
import { put } from "./disk.ts";

const record = (n: number) =>
  utf8(
    JSON.stringify({
      type: "user",
      message: { content: `prompt ${n}` },
      cwd: `/w/${n}`,
      version: "2.1.0",
      timestamp: new Date(1_700_000_000_000 + n * 1000).toISOString(),
    }) + "\n",
  );
const MIB = 1024 * 1024;

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
  assert.equal(readTranscriptHead(fs, "/none.jsonl"), null);
  assert.equal(readTranscriptTail(fs, "/none.jsonl"), null);
  assert.equal(readTranscriptHead(fs, "/empty.jsonl")?.firstCwd, null);
  assert.equal(readTranscriptTail(fs, "/empty.jsonl")?.lastVersion, null);
});
