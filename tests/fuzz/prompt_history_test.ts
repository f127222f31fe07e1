/** Lines of the prompt history: written by any client, torn, glued, of no session. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { equalBytes, utf8 } from "../../src/base/bytes.ts";
import { claudeRoot } from "../../src/sessions/claude_root.ts";
import {
  appendHistory,
  historyLineHash,
  historyLines,
  readHistory,
  sessionsInHistory,
} from "../../src/sessions/prompt_history.ts";
import { parseSessionId } from "../../src/sessions/session_id.ts";
import { fakeHost, idOf, put } from "../sessions/disk.ts";
import { MemoryFs } from "../support/memory_fs.ts";
import { CASES, fuzz } from "./fuzzing.ts";
import { type Json, mutatedJson } from "./json_mutations.ts";
import { mutatedBytes } from "./mutations.ts";

const ID = idOf(1);

const PROMPTS: Json[] = [
  { display: "hello", pastedContents: {}, timestamp: 1764000000000, project: "/p", sessionId: ID },
  { display: "more", timestamp: 1764000000001, project: "/p", sessionId: idOf(2) },
];

const histories = fc.oneof(
  fc.array(mutatedJson(PROMPTS), { maxLength: 6 }).map((found) => utf8(found.join("\n"))),
  mutatedBytes([utf8(PROMPTS.map((line) => JSON.stringify(line) + "\n").join(""))]),
);

Deno.test("fuzz: the prompt history grows by what is added", () => {
  const root = claudeRoot(fakeHost());
  fuzz(histories, (bytes) => {
    const fs = new MemoryFs();
    put(fs, "/home/bob/.claude/history.jsonl", bytes);
    const found = [...historyLines(bytes)];
    const before = sessionsInHistory(fs, root, null);
    appendHistory(fs, root, found.map((line) => line.bytes));
    return { fs, found, before, after: sessionsInHistory(fs, root, before.mark) };
  }, {
    // Each writes a file and reads it four times, with the lines that have cases of their own.
    runs: CASES / 50,
    check({ fs, found, before, after }, bytes) {
      const sessions = new Set(found.map(({ session }) => session));
      assert.deepEqual(before.sessions, sessions);
      const now = fs.readFile("/home/bob/.claude/history.jsonl", 1 << 20)!;
      assert(equalBytes(now.subarray(0, bytes.length), bytes), "what was there stays");
      for (const session of sessions) assert(after.sessions.has(session));
      const read = readHistory(fs, root, sessions);
      assert.deepEqual(new Set(read.keys()), sessions as ReadonlySet<string>);
    },
  });
});

Deno.test("fuzz: the prompt history is told apart line by line", () => {
  fuzz(histories, (bytes) => [...historyLines(bytes)], {
    check(found) {
      for (const { session, bytes, timeMs } of found) {
        assert.notEqual(parseSessionId(session), null);
        assert.equal(bytes.indexOf(0x0a), bytes.length - 1);
        assert.equal(typeof timeMs, "number");
        assert.match(historyLineHash(bytes), /^[0-9a-f]{32}$/);
      }
    },
  });
});
