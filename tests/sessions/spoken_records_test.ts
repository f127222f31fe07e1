import assert from "node:assert/strict";
import { utf8 } from "../../src/base/bytes.ts";
import { RECORD_BYTES_MAX } from "../../src/sessions/transcript.ts";
import { isRewriteOf, spokenRecords } from "../../src/sessions/spoken_records.ts";

function line(type: string, content: string, more: object = {}): string {
  return JSON.stringify({ type, message: { role: type, content }, ...more }) + "\n";
}

const user = (text: string) => line("user", text);
const answer = (text: string) => line("assistant", text);

function hashes(text: string): string[] {
  return spokenRecords(utf8(text)).map(({ hash }) => hash);
}

Deno.test("spokenRecords gives one identity under any session id, fork and line end", () => {
  const plain = `{"type":"user","sessionId":"a","uuid":"u","session_id":"b"}`;
  const [identity] = hashes(plain + "\n");
  const same = [
    plain,
    plain + "\r\n",
    plain.replace(`"a"`, `"another"`).replace(`"b"`, "null"),
    plain.replace("}", `,"forkedFrom":{"sessionId":"a","messageUuid":"u"}}`),
  ];
  for (const text of same) assert.deepEqual(hashes(text), [identity]);
  assert.notDeepEqual(hashes(plain.replace(`"u"`, `"v"`)), [identity]);
  assert.notDeepEqual(hashes(plain.replace(`"type"`, `"x":1,"type"`)), [identity]);
});

Deno.test("spokenRecords reads only times that the client can have written", () => {
  const at = (timestamp: unknown) =>
    spokenRecords(utf8(line("user", "x", { timestamp })))[0]!.saidMs;
  assert.equal(at("1970-01-01T00:00:01.500Z"), 1500);
  assert.equal(at("1970-01-01T00:00:01Z"), 1000);
  for (
    const bad of ["2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "yesterday", 12, null, "2026"]
  ) {
    assert.equal(at(bad), Infinity);
  }
});

Deno.test("spokenRecords reads a line at the limit and counts a longer one unread", () => {
  const head = `{"type":"mode","x":"`;
  const atLimit = head + "x".repeat(RECORD_BYTES_MAX - head.length - 2) + `"}`;
  assert.deepEqual(hashes(atLimit + "\n"), []);
  const [record] = spokenRecords(utf8(atLimit.replace("xx", "xxx") + "\n"));
  assert.deepEqual([record?.speaker, record?.saidMs], ["unknown", Infinity]);
  assert.deepEqual(spokenRecords(new Uint8Array(RECORD_BYTES_MAX + 1)), [], "a hole is no record");
});

Deno.test("isRewriteOf tells a rewrite from a continuation that people would miss", () => {
  const old = user("1") + answer("2") + user("3") + answer("4");
  const cases: [now: string, expected: boolean][] = [
    [user("1") + answer("2") + user("3"), true],
    [user("1") + answer("2") + user("3") + user("5"), true],
    [user("3") + answer("4"), false],
    [user("1") + answer("2") + line("mode", "x") + user("3") + answer("4"), true],
    [user("1") + answer("2"), false],
    [user("1") + answer("2") + answer("4"), false],
    [user("1") + answer("2") + user("9"), false],
    ["", false],
  ];
  for (const [now, expected] of cases) {
    assert.equal(isRewriteOf(utf8(old), utf8(now)), expected, now);
  }
  assert.equal(isRewriteOf(utf8(user("1")), utf8(answer("2"))), false, "a person's words count");
  assert.equal(isRewriteOf(utf8("{}\n"), utf8("")), true, "nobody had spoken");
});

Deno.test("isRewriteOf takes a file with lost blocks for no rewrite", () => {
  const old = user("1") + line("mode", "x".repeat(64)) + answer("2");
  const damaged = old.replace("x".repeat(64), "\0".repeat(64));
  assert.equal(isRewriteOf(utf8(old), utf8(damaged)), false);
  assert.equal(isRewriteOf(utf8(damaged), utf8(old)), true, "a repaired file replaces it");
});
