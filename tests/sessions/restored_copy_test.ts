/** Earlier versions as sessions of their own, on real transcripts of every client. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { utf8 } from "../../src/base/bytes.ts";
import { rootSessionId } from "../../src/sessions/branch_copy.ts";
import { restoredId } from "../../src/sessions/restored_copy.ts";
import { restoredCopy, restoredLines } from "./made_in_memory.ts";
import { parseSessionId, type SessionId } from "../../src/sessions/session_id.ts";
import { sha256Hex } from "../../src/crypto/hash.ts";

const SAMPLES = join(import.meta.dirname!, "..", "testdata", "claude-sessions");
const AT_MS = Date.UTC(2026, 0, 15, 12, 30, 59);

function transcripts(): { path: string; id: SessionId; bytes: Uint8Array }[] {
  return readdirSync(SAMPLES, { recursive: true, encoding: "utf8" }).flatMap((path) => {
    const id = parseSessionId(basename(path, ".jsonl"));
    if (id === null || !path.endsWith(".jsonl")) return [];
    return [{ path, id, bytes: new Uint8Array(readFileSync(join(SAMPLES, path))) }];
  });
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

Deno.test("restoredCopy() changes whose a record is, adds a title, and nothing else", () => {
  const samples = transcripts().filter(({ bytes }) => bytes.length > 0);
  assert.ok(samples.length >= 12, "real transcripts were found");
  for (const { path, id: of, bytes } of samples) {
    const id = restoredId(of, sha256Hex(bytes));
    const before = text(bytes).trimEnd().split("\n");
    const after = text(restoredCopy(bytes, { of, id, atMs: AT_MS })).trimEnd().split("\n");
    assert.equal(after.length, before.length + 1, path);
    for (const [at, line] of before.entries()) {
      const was = JSON.parse(line);
      const { forkedFrom, ...is } = JSON.parse(after[at]!);
      if (was.forkedFrom !== undefined) assert.deepEqual(forkedFrom, was.forkedFrom);
      else if (was.uuid !== undefined) {
        assert.deepEqual(forkedFrom, { sessionId: of, messageUuid: was.uuid });
      }
      const { forkedFrom: _, ...expected } = was;
      if (expected.sessionId === of) expected.sessionId = id;
      if (expected.session_id === of) expected.session_id = id;
      assert.deepEqual(is, expected, path);
    }
    const title = JSON.parse(after.at(-1)!);
    assert.equal(title.sessionId, id);
    assert.match(title.customTitle, / \(as of 2026-01-15 12:30 UTC\)$/);
    // It is nobody's branch, or two machines would take it for one.
    assert.equal(rootSessionId(id, restoredCopy(bytes, { of, id, atMs: AT_MS })), id);
  }
});

Deno.test("restoredCopy() keeps garbage, CRLF and invalid UTF-8, and ends a torn line", () => {
  const of = parseSessionId("11111111-1111-4111-8111-111111111111")!;
  const id = restoredId(of, "00".repeat(32));
  const bytes = new Uint8Array([...utf8('\0\0\r\nnot json\n{"a":'), 0xff, 0xfe]);
  const copy = restoredCopy(bytes, { of, id, atMs: AT_MS });
  assert.deepEqual(copy.subarray(0, bytes.length), bytes);
  assert.equal(copy[bytes.length], 0x0a);
  assert.deepEqual(restoredLines(bytes, { of, id, atMs: AT_MS }), bytes);
});

Deno.test("restoredId() differs by session and by version, and is always the same", () => {
  const of = parseSessionId("11111111-1111-4111-8111-111111111111")!;
  const other = parseSessionId("22222222-2222-4222-8222-222222222222")!;
  const [one, two] = ["ab".repeat(32), "cd".repeat(32)];
  const ids = [restoredId(of, one), restoredId(of, two), restoredId(other, one)];
  assert.equal(new Set(ids).size, 3);
  assert.equal(restoredId(of, one), ids[0]);
  for (const id of ids) assert.equal(id[14], "8", "no id that the client gives");
});
