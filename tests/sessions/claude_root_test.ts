import assert from "node:assert/strict";
import { claudeRoot } from "../../src/sessions/claude_root.ts";
import { fakeHost } from "./disk.ts";

Deno.test("claudeRoot is .claude in the home folder by default", () => {
  assert.deepEqual(claudeRoot(fakeHost({ home: "/Users/bob", os: "darwin" })), {
    os: "darwin",
    configDir: "/Users/bob/.claude",
    claudeJsonPath: "/Users/bob/.claude.json",
  });
  assert.deepEqual(claudeRoot(fakeHost({ home: "C:\\Users\\bob", os: "windows" })), {
    os: "windows",
    configDir: "C:\\Users\\bob\\.claude",
    claudeJsonPath: "C:\\Users\\bob\\.claude.json",
  });
});

Deno.test("claudeRoot follows CLAUDE_CONFIG_DIR, and .claude.json moves into it", () => {
  const env = { CLAUDE_CONFIG_DIR: "/srv/claude/" };
  assert.deepEqual(claudeRoot(fakeHost({ env })), {
    os: "linux",
    configDir: "/srv/claude",
    claudeJsonPath: "/srv/claude/.claude.json",
  });
  const relative = { CLAUDE_CONFIG_DIR: "cfg" };
  assert.equal(claudeRoot(fakeHost({ env: relative, cwd: "/w" })).configDir, "/w/cfg");
  const windows = { CLAUDE_CONFIG_DIR: "D:/claude" };
  const host = fakeHost({ env: windows, os: "windows", home: "C:\\Users\\bob" });
  assert.equal(claudeRoot(host).claudeJsonPath, "D:\\claude\\.claude.json");
});
