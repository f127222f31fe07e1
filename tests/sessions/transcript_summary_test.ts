import assert from "node:assert/strict";
import fc from "fast-check";
import { concat, utf8 } from "../../src/base/bytes.ts";
import { sha256Hex } from "../../src/crypto/hash.ts";
import { transcriptFacts } from "../../src/sessions/transcript_facts.ts";
import {
  extendSummary,
  NO_SUMMARY,
  readTranscriptSummary,
  readTranscriptTitle,
  SummaryFollower,
  type SummarySoFar,
  summaryTitle,
} from "../../src/sessions/transcript_summary.ts";
import { MemoryFs } from "../support/memory_fs.ts";
import { put } from "./disk.ts";

const MIB = 1024 * 1024;
const PATH = "/t.jsonl";

const lines = (...records: readonly unknown[]) =>
  utf8(records.map((record) => `${JSON.stringify(record)}\n`).join(""));

const user = (content: unknown, more: object = {}) => ({
  type: "user",
  message: { role: "user", content },
  ...more,
});

/** Records of every kind that a title may come from, and of kinds that only look like it. */
const record = fc.oneof(
  fc.constantFrom("one", "two", "<command-name>/init</command-name>", "", "three words here")
    .map((text) => user(text)),
  fc.constantFrom("one", "side").map((text) => user(text, { isSidechain: true })),
  fc.constant(user([{ type: "tool_result", content: 'it says "custom-title" and "user"' }])),
  fc.constant(user([{ type: "text", text: "in a block" }])),
  fc.constantFrom("Mine", "Yours", "", null, 7)
    .map((customTitle) => ({ type: "custom-title", customTitle })),
  fc.constantFrom("Made up", "Made anew", "").map((aiTitle) => ({ type: "ai-title", aiTitle })),
  fc.constant({ type: "ai-title", title: "An old client's" }),
  fc.constantFrom("/a", "/b", "", 3).map((cwd) => ({ type: "assistant", cwd, message: {} })),
  fc.constantFrom("mode", "last-prompt").map((type) => ({ type, cwd: "/c", is: "user" })),
  fc.constant({ type: "system", about: ["custom-title", "ai-title", { "custom-title": 1 }] }),
);

const line = fc.oneof(
  { weight: 9, arbitrary: record.map((each) => JSON.stringify(each)) },
  { weight: 1, arbitrary: fc.constantFrom("", "{", '{"type":"custom-title"', "[1]", "null", "\r") },
);

const transcript = fc.array(line, { maxLength: 30 })
  .map((all) => utf8(all.map((each) => `${each}\n`).join("")));

function told(bytes: Uint8Array) {
  const { customTitle, aiTitle, firstPrompt, firstCwd, title } = transcriptFacts(bytes);
  return { customTitle, aiTitle, firstPrompt, firstCwd, title };
}

function summed(summary: typeof NO_SUMMARY) {
  const { lastActivityMs: _, ...rest } = summary;
  return { ...rest, title: summaryTitle(summary) };
}

Deno.test("a summary says of a transcript what its facts say", () => {
  fc.assert(
    fc.property(transcript, (bytes) => {
      assert.deepEqual(summed(extendSummary(NO_SUMMARY, bytes)), told(bytes));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("a summary that goes on is the summary of all", () => {
  fc.assert(
    fc.property(transcript, transcript, (first, second) => {
      const extended = extendSummary(extendSummary(NO_SUMMARY, first), second);
      assert.deepEqual(summed(extended), told(concat(first, second)));
    }),
    { numRuns: 1000 },
  );
});

/** Follows a scan of the file in windows of `windowBytes`. */
function followed(
  fs: MemoryFs,
  before: SummarySoFar | null,
  windowBytes: number,
): SummarySoFar {
  const handle = fs.openRead(PATH)!;
  const follower = new SummaryFollower(sha256Hex, before);
  follower.begin(handle);
  const window = new Uint8Array(windowBytes);
  for (let offset = 0;;) {
    const read = handle.readAt(window, offset);
    if (read === 0) break;
    follower.take(window.subarray(0, read), offset);
    offset += read;
  }
  const soFar = follower.end(handle);
  handle.close();
  return soFar;
}

Deno.test("however a file is read and cut, its summary is the same", () => {
  fc.assert(
    fc.property(
      transcript,
      transcript,
      fc.constantFrom("", "torn", '{"type":"custom-title","customTitle":"half'),
      fc.integer({ min: 1, max: 200 }),
      (first, second, torn, windowBytes) => {
        const fs = new MemoryFs();
        put(fs, PATH, concat(first, utf8(torn)));
        const start = readTranscriptSummary(fs, PATH, sha256Hex)!;
        assert.deepEqual(followed(fs, null, windowBytes), start);
        assert.equal(start.lengthBytes, first.length);
        const all = concat(first, utf8(torn === "" ? "" : "\n"), second);
        put(fs, PATH, all);
        const whole = readTranscriptSummary(fs, PATH, sha256Hex)!;
        assert.deepEqual(readTranscriptSummary(fs, PATH, sha256Hex, start), whole);
        assert.deepEqual(followed(fs, start, windowBytes), whole);
        assert.deepEqual(summed(whole.summary), told(all));
        // Something else stands there now: what was known of it counts for nothing.
        const other = concat(utf8("x"), all);
        put(fs, PATH, other);
        const anew = readTranscriptSummary(fs, PATH, sha256Hex)!;
        if (first.length === 0) return;
        assert.deepEqual(readTranscriptSummary(fs, PATH, sha256Hex, start), anew);
        assert.deepEqual(followed(fs, start, windowBytes), anew);
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("readTranscriptSummary reads in pieces, and past lines that are too long", () => {
  const fs = new MemoryFs();
  const filler = (bytes: number) => utf8(`{"type":"x","y":"${"z".repeat(bytes)}"}\n`);
  const long = new Uint8Array(65 * MIB).fill(0x78);
  long[long.length - 1] = 0x0a;
  const bytes = concat(
    filler(4 * MIB - 300),
    lines(user("the prompt", { cwd: "/w" })),
    filler(9 * MIB),
    lines({ type: "custom-title", customTitle: "First" }),
    long,
    lines({ type: "custom-title", customTitle: "Last" }),
    filler(5 * MIB),
    utf8('{"type":"custom-title","customTitle":"torn"}'),
  );
  put(fs, PATH, bytes);
  const { summary, lengthBytes } = readTranscriptSummary(fs, PATH, sha256Hex)!;
  assert.deepEqual([summary.firstPrompt, summary.firstCwd], ["the prompt", "/w"]);
  assert.equal(readTranscriptTitle(fs, PATH), "Last");
  assert.equal(lengthBytes, bytes.lastIndexOf(0x0a) + 1);
  assert.equal(fs.openHandles, 0);
});

Deno.test("a summary has the latest time of the last records, also when none follows", () => {
  const at = (second: number) => ({ timestamp: new Date(second * 1000).toISOString(), type: "x" });
  const first = extendSummary(NO_SUMMARY, lines(at(5), at(9), at(8), { type: "mode" }));
  assert.equal(first.lastActivityMs, 9_000);
  assert.equal(extendSummary(first, lines({ type: "mode" })).lastActivityMs, 9_000);
  assert.equal(extendSummary(first, lines(at(7))).lastActivityMs, 9_000);
  assert.equal(extendSummary(first, lines(at(12))).lastActivityMs, 12_000);
});

Deno.test("readTranscript… give null for an absent file and nothing for an empty one", () => {
  const fs = new MemoryFs();
  put(fs, "/empty.jsonl", "");
  assert.equal(readTranscriptSummary(fs, "/none.jsonl", sha256Hex), null);
  assert.equal(readTranscriptTitle(fs, "/none.jsonl"), null);
  assert.deepEqual(readTranscriptSummary(fs, "/empty.jsonl", sha256Hex)?.summary, NO_SUMMARY);
  assert.equal(readTranscriptTitle(fs, "/empty.jsonl"), null);
});
