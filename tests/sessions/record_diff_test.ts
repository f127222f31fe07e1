import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { utf8 } from "../../src/base/bytes.ts";
import { RECORD_HEAD_MAX } from "../../src/sessions/record_diff.ts";
import { diffRecords, saidOnlyIn } from "./made_in_memory.ts";

const SAMPLES = join(import.meta.dirname!, "..", "testdata", "claude-sessions");
const ID = "00000004-0000-4000-8000-000000000004";

function sample(name: string): Uint8Array {
  const path = join(SAMPLES, name, "projects", "-home-alice-code-app", `${ID}.jsonl`);
  return new Uint8Array(readFileSync(path));
}

const kinds: [line: string, kind: string, text: string][] = [
  ['{"type":"user","message":{"content":"Hello\\n  there"}}', "user", "Hello there"],
  ['{"type":"assistant","message":{"content":[{"type":"text","text":"Yes"}]}}', "assistant", "Yes"],
  [
    '{"type":"assistant","message":{"content":[{"type":"tool_use","name":"Bash"}]}}',
    "assistant",
    "(tool Bash)",
  ],
  ['{"type":"user","message":{"content":[{"type":"tool_result"}]}}', "user", "(result of a tool)"],
  ['{"type":"custom-title","customTitle":"A title"}', "custom-title", "A title"],
  ['{"type":"mode","mode":"x"}', "mode", ""],
  ['{"type":7}', "line", ""],
  ["garbage", "line", ""],
  ["", "line", ""],
  [
    `{"type":"user","message":{"content":"${"x".repeat(500)}"}}`,
    "user",
    "x".repeat(RECORD_HEAD_MAX),
  ],
  [`{"type":"${"k".repeat(100)}"}`, "k".repeat(40), ""],
];

for (const [line, kind, text] of kinds) {
  Deno.test(`diffRecords() tells ${line.slice(0, 70)}`, () => {
    const { onlyFirst, onlySecond, common } = diffRecords(utf8(`${line}\n`), utf8(""));
    assert.deepEqual(onlyFirst.map((one) => [one.kind, one.text]), [[kind, text]]);
    assert.deepEqual([onlySecond, common], [[], 0]);
  });
}

Deno.test("diffRecords() tells what two real machines said apart", () => {
  const [base, a, b] = ["04-fork-base", "04-fork-A", "04-fork-B"].map(sample) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const count = (bytes: Uint8Array) => bytes.filter((byte) => byte === 0x0a).length;
  const { onlyFirst, onlySecond, common } = diffRecords(a, b);
  assert.ok(common >= count(base));
  assert.equal(common + onlyFirst.length, count(a));
  assert.equal(common + onlySecond.length, count(b));
  const prompts = onlySecond.filter(({ kind, text }) => kind === "user" && /^B/.test(text));
  assert.ok(prompts.length >= 2, "what B said is told");
  assert.ok(saidOnlyIn(b, a).length >= 4 && saidOnlyIn(base, a).length === 0);
});

Deno.test("diffRecords() loses and invents no record", () => {
  const text = fc.array(fc.constantFrom("a", "b", '{"type":"user"}', "", "\0"), { maxLength: 12 })
    .chain((lines) => fc.boolean().map((torn) => lines.join("\n") + (torn ? "" : "\n")));
  fc.assert(fc.property(text, text, (first, second) => {
    const count = (content: string) =>
      content.split("\n").length - (content.endsWith("\n") || content === "" ? 1 : 0);
    const diff = diffRecords(utf8(first), utf8(second));
    assert.equal(diff.common + diff.onlyFirst.length, count(first));
    assert.equal(diff.common + diff.onlySecond.length, count(second));
    const turned = diffRecords(utf8(second), utf8(first));
    assert.deepEqual(turned.onlyFirst, diff.onlySecond);
    assert.deepEqual(diffRecords(utf8(first), utf8(first)).onlyFirst, []);
  }));
});
