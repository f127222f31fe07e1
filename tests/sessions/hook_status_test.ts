import assert from "node:assert/strict";
import { hooksInstalled } from "../../src/sessions/hook_status.ts";
import { MemoryFs } from "../support/memory_fs.ts";
import { fakeHost, put } from "./disk.ts";

const HOOK = `{"hooks":{"Stop":[{"hooks":[{"command":"claude-sync hook stop"}]}]}}`;

Deno.test("hooksInstalled finds hooks in the user's and the project's settings", () => {
  const fs = new MemoryFs();
  const host = fakeHost({ cwd: "/work" });
  assert.equal(hooksInstalled(fs, host), "none");
  put(fs, "/work/.claude/settings.json", HOOK);
  assert.equal(hooksInstalled(fs, host), "project");
  put(fs, "/home/bob/.claude/settings.json", HOOK);
  assert.equal(hooksInstalled(fs, host), "global");
});

Deno.test("hooksInstalled stands what somebody else's project has for settings", () => {
  const texts = [
    `{"hooks":[${"0,".repeat(500_000)}0]}`,
    `{"hooks":${"[".repeat(500_000)}${"]".repeat(500_000)}}`,
    `{"hooks":{"Stop":"${"x".repeat(3_000_000)}"}}`,
    `{"hooks":{"__proto__":{"command":1}}}`,
    "\0",
  ];
  for (const text of texts) {
    const fs = new MemoryFs();
    put(fs, "/work/.claude/settings.json", text);
    assert.equal(hooksInstalled(fs, fakeHost({ cwd: "/work" })), "none", text.slice(0, 40));
  }
});
