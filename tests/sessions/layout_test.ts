import assert from "node:assert/strict";
import { parseFileName } from "../../src/sessions/file_name.ts";
import { pathOf, slugDir } from "../../src/sessions/layout.ts";
import { idOf } from "./disk.ts";

const ID = idOf(1);
const ROOT = { os: "linux", configDir: "/h/@me/.claude", claudeJsonPath: "" } as const;

Deno.test("pathOf gives each kind of file its place", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["transcript", `projects/-a/${ID}.jsonl`],
    ["side/subagents/agent-1.jsonl", `projects/-a/${ID}/subagents/agent-1.jsonl`],
    ["legacy/agent-ab57199.jsonl", "projects/-a/agent-ab57199.jsonl"],
    ["file-history/5adaa6c8b8ebc7bc@v3", `file-history/${ID}/5adaa6c8b8ebc7bc@v3`],
    ["todos/@-agent-@.json", `todos/${ID}-agent-${ID}.json`],
    ["todos/@.json", `todos/${ID}.json`],
    ["tasks/1.json", `tasks/${ID}/1.json`],
    ["history", "history.jsonl"],
    ["plans/a-b-c.md", "plans/a-b-c.md"],
    ["memory/topics/x.md", "projects/-a/memory/topics/x.md"],
  ];
  for (const [text, path] of cases) {
    const name = parseFileName(text);
    assert(name !== null, text);
    assert.equal(pathOf(ROOT, "-a", ID, name), `/h/@me/.claude/${path}`);
  }
});

Deno.test("pathOf uses the root's own separators", () => {
  const root = { os: "windows", configDir: "C:\\Users\\me\\.claude", claudeJsonPath: "" } as const;
  const name = parseFileName("side/tool-results/x.txt");
  assert(name !== null);
  assert.equal(
    pathOf(root, "C--x", ID, name),
    `C:\\Users\\me\\.claude\\projects\\C--x\\${ID}\\tool-results\\x.txt`,
  );
});

Deno.test("slugDir refuses a slug that is a path", () => {
  for (const slug of ["", ".", "..", "a/b", "a\\b", "../x", "a\0"]) {
    assert.throws(() => slugDir(ROOT, slug), { code: "bug" }, slug);
  }
});
