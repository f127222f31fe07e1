import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodePlatform } from "../../src/platform/node.ts";
import { acquireLock, lockFailure } from "../../src/sync/lock.ts";

const { clock } = nodePlatform();
const never = new AbortController().signal;

Deno.test("acquireLock has one holder at a time", async () => {
  const dir = mkdtempSync(join(tmpdir(), "claude-sync-test-"));
  try {
    const path = join(dir, "lock.db");
    const first = await acquireLock(clock, path, 0, never);
    await assert.rejects(acquireLock(clock, path, 50, never), { code: "busy" });
    first.release();
    (await acquireLock(clock, path, 0, never)).release();
  } finally {
    rmSync(dir, { recursive: true });
  }
});

Deno.test("lockFailure tells a full disk from one that cannot be written", () => {
  // As Bun has them; Deno's errors carry no code.
  const cases: readonly [number, string, RegExp][] = [
    [13, "no-space", /^No space left in "\/home\/a"$/],
    [1544, "local-io", /^Cannot write in "\/home\/a"$/],
    [14, "local-io", /^Cannot write in "\/home\/a"$/],
  ];
  for (const [errcode, code, message] of cases) {
    const cause = Object.assign(new Error("x"), { code: "ERR_SQLITE_ERROR", errcode });
    const error = lockFailure("/home/a/lock.db", cause);
    assert.equal(error.code, code);
    assert.match(error.message, message);
  }
});
