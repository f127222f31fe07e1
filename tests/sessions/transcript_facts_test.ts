import assert from "node:assert/strict";
import fc from "fast-check";
import { concat, utf8 } from "../../src/base/bytes.ts";
import {
  extendFacts,
  FACT_TEXT_MAX,
  promptOf,
  transcriptFacts,
  transcriptHead,
  transcriptTail,
} from "../../src/sessions/transcript_facts.ts";

const lines = (...records: readonly unknown[]) =>
  utf8(records.map((record) => `${JSON.stringify(record)}\n`).join(""));

const at = (second: number) => `2026-11-22T11:42:${String(second).padStart(2, "0")}.000Z`;
const AT_0_MS = Date.parse(at(0));

const chain = (second: number) => ({
  parentUuid: null,
  isSidechain: false,
  cwd: "/home/alice/code/app",
  sessionId: "00000000-0000-4000-8000-000000000001",
  version: "2.1.330",
  gitBranch: "main",
  timestamp: at(second),
});
const user = (second: number, content: unknown, more: object = {}) => ({
  ...chain(second),
  type: "user",
  message: { role: "user", content },
  ...more,
});
const assistant = (second: number, id: string, more: object = {}) => ({
  ...chain(second),
  type: "assistant",
  message: { id, role: "assistant", content: [{ type: "text", text: "ok" }] },
  ...more,
});

const CONVERSATION = [
  { type: "mode", mode: "normal" },
  { type: "file-history-snapshot", snapshot: { timestamp: at(59) } },
  user(1, "<command-name>/init</command-name>"),
  user(2, "note to the model", { isMeta: true }),
  user(3, "first question"),
  assistant(4, "msg_1"),
  assistant(5, "msg_1"),
  user(6, [{ type: "tool_result", tool_use_id: "t", content: "hi" }]),
  assistant(7, "msg_2", { cwd: "/home/alice/code/app/sub", gitBranch: "topic" }),
  user(8, "agent's prompt", { isSidechain: true }),
  assistant(8, "msg_s", { isSidechain: true }),
  { type: "last-prompt", lastPrompt: "first question" },
];

Deno.test("transcriptFacts tells what people want to know of a session", () => {
  assert.deepEqual(transcriptFacts(lines(...CONVERSATION)), {
    firstCwd: "/home/alice/code/app",
    lastCwd: "/home/alice/code/app",
    lastActivityMs: AT_0_MS + 8_000,
    title: "first question",
    customTitle: null,
    aiTitle: null,
    firstPrompt: "first question",
    messages: 3,
    lastVersion: "2.1.330",
    gitBranch: "main",
    lastAnswerId: "msg_2",
  });
});

Deno.test("transcriptFacts takes the last title the user gave before the client's own", () => {
  const title = (...more: object[]) => transcriptFacts(lines(user(1, "hello"), ...more)).title;
  assert.equal(title(), "hello");
  assert.equal(title({ type: "ai-title", aiTitle: "Made up" }), "Made up");
  assert.equal(
    title({ type: "custom-title", customTitle: "Mine" }, { type: "ai-title", aiTitle: "x" }),
    "Mine",
  );
  assert.equal(
    title({ type: "custom-title", customTitle: "old" }, {
      type: "custom-title",
      customTitle: "new",
    }),
    "new",
  );
  assert.equal(
    title({ type: "custom-title", customTitle: "Mine" }, { type: "custom-title", customTitle: "" }),
    "hello",
  );
  assert.equal(title({ type: "custom-title", customTitle: 7 }), "hello");
});

Deno.test("transcriptFacts takes the latest time, not the last", () => {
  const facts = transcriptFacts(
    lines(user(9, "a"), assistant(3, "m"), { type: "user", timestamp: "soon" }),
  );
  assert.equal(facts.lastActivityMs, AT_0_MS + 9_000);
});

Deno.test("transcriptFacts passes over garbage, fields of other types and a torn last line", () => {
  const odd = { type: "user", cwd: 5, version: {}, gitBranch: null, message: null, timestamp: [] };
  const bytes = concat(
    utf8("garbage\n\0\0\n\n"),
    lines(odd, [1], null, "x"),
    lines(user(1, "real")),
    utf8(JSON.stringify(user(2, "torn"))),
  );
  const facts = transcriptFacts(bytes);
  assert.equal(facts.firstPrompt, "real");
  assert.equal(facts.messages, 1);
  assert.equal(facts.lastActivityMs, AT_0_MS + 1_000);
});

Deno.test("extendFacts continues where a transcript was left", () => {
  const whole = lines(...CONVERSATION, { type: "custom-title", customTitle: "T" });
  const ends = [0, ...whole.keys().filter((i) => whole[i] === 0x0a).map((i) => i + 1)];
  fc.assert(fc.property(fc.constantFrom(...ends), (end) => {
    const before = transcriptFacts(whole.subarray(0, end));
    const stored = JSON.parse(JSON.stringify(before));
    assert.deepEqual(extendFacts(stored, whole.subarray(end)), transcriptFacts(whole));
  }));
});

Deno.test("promptOf gives what a person typed and nothing the client wrote", () => {
  const prompt = (content: unknown, more: object = {}) => promptOf(user(1, content, more));
  assert.equal(prompt("hello"), "hello");
  assert.equal(prompt([{ type: "image" }, { type: "text", text: "see image" }]), "see image");
  assert.equal(
    prompt([{ type: "text", text: "<system-reminder>x" }, { type: "text", text: "typed" }]),
    "typed",
  );
  assert.equal(prompt("<b>bold</b> is what I typed"), "<b>bold</b> is what I typed");
  const notTyped = [
    "",
    "  \n",
    "<command-name>/compact</command-name>",
    "<local-command-stdout>x</local-command-stdout>",
    "<local-command-caveat>x",
    "<system-reminder>\nx",
    "Caveat: The messages below were generated by the user while running local commands",
    "[Request interrupted by user]",
    [{ type: "tool_result", content: "x" }, { type: "text", text: "y" }],
    null,
    7,
    [null, 7, "x"],
  ];
  for (const content of notTyped) assert.equal(prompt(content), null, JSON.stringify(content));
  assert.equal(prompt("x", { isMeta: true }), null);
  assert.equal(prompt("x", { isSidechain: true }), null);
  assert.equal(prompt("x", { isCompactSummary: true }), null);
  assert.equal(promptOf(assistant(1, "m")), null);
});

Deno.test("transcriptFacts cuts an endless prompt between characters", () => {
  const fits = "p".repeat(FACT_TEXT_MAX);
  assert.equal(transcriptFacts(lines(user(1, fits))).firstPrompt, fits);
  assert.equal(transcriptFacts(lines(user(1, `${fits}q`))).firstPrompt, fits);
  const pair = `${"p".repeat(FACT_TEXT_MAX - 1)}😀`;
  assert.equal(transcriptFacts(lines(user(1, pair))).firstPrompt, "p".repeat(FACT_TEXT_MAX - 1));
});

Deno.test("transcriptHead finds the first working folder", () => {
  assert.equal(transcriptHead(lines(...CONVERSATION)).firstCwd, "/home/alice/code/app");
  assert.equal(transcriptHead(lines({ type: "mode" })).firstCwd, null);
  assert.equal(transcriptHead(utf8('{"cwd":"/torn')).firstCwd, null);
});

Deno.test("transcriptTail agrees with transcriptFacts, also when the first line is cut", () => {
  const whole = lines(...CONVERSATION, assistant(6, "msg_3"));
  const facts = transcriptFacts(whole);
  for (const bytes of [whole, whole.subarray(700)]) {
    assert.deepEqual(transcriptTail(bytes), {
      lastActivityMs: facts.lastActivityMs,
      lastVersion: facts.lastVersion,
      lastCwd: facts.lastCwd,
      gitBranch: facts.gitBranch,
    });
  }
});
