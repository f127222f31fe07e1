import assert from "node:assert/strict";
import { cleanupPeriodDays, isPastRetention } from "../../src/sessions/retention.ts";
import { MemoryFs } from "../support/memory_fs.ts";
import { put } from "./disk.ts";

const ROOT = { os: "linux", configDir: "/h/.claude", claudeJsonPath: "" } as const;
const DAY_MS = 86_400_000;

Deno.test("cleanupPeriodDays reads the user's settings and falls back to 30", () => {
  const days = (settings: string) => {
    const fs = new MemoryFs();
    put(fs, "/h/.claude/settings.json", settings);
    return cleanupPeriodDays(fs, ROOT);
  };
  assert.equal(cleanupPeriodDays(new MemoryFs(), ROOT), 30);
  assert.equal(days('{"cleanupPeriodDays":99999}'), 99999);
  assert.equal(days('{"cleanupPeriodDays":1}'), 1);
  for (
    const odd of [
      '{"cleanupPeriodDays":0}',
      '{"cleanupPeriodDays":"7"}',
      "{}",
      "[]",
      "{,",
      "",
      '{"cleanupPeriodDays":-1}',
    ]
  ) {
    assert.equal(days(odd), 30, odd);
  }
  assert.equal(days(`{"cleanupPeriodDays":7}${" ".repeat(5 * 1024 * 1024)}`), 30);
});

Deno.test("cleanupPeriodDays follows a linked settings file and survives a circle of links", () => {
  const fs = new MemoryFs();
  put(fs, "/dotfiles/claude.json", '{"cleanupPeriodDays":5}');
  fs.makeDir("/h/.claude");
  fs.symlink("/dotfiles/claude.json", "/h/.claude/settings.json");
  assert.equal(cleanupPeriodDays(fs, ROOT), 5);
  fs.removeFile("/h/.claude/settings.json");
  fs.symlink("settings.json", "/h/.claude/settings.json");
  assert.equal(cleanupPeriodDays(fs, ROOT), 30);
});

Deno.test("isPastRetention is true from the period's end on", () => {
  const nowMs = 1_800_000_000_000;
  assert(!isPastRetention(nowMs - 30 * DAY_MS, 30, nowMs));
  assert(isPastRetention(nowMs - 30 * DAY_MS - 1, 30, nowMs));
  assert(!isPastRetention(nowMs + DAY_MS, 30, nowMs));
  assert(!isPastRetention(null, 30, nowMs));
});
