import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { nodePlatform } from "../../src/platform/node.ts";
import { acquireLock } from "../../src/sync/lock.ts";

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

function mount(dir: string): void {
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", dir], { stdio: "pipe" });
}

/** Only root may mount a disk of its own to fill it, and not in every container. */
function canMount(): boolean {
  if (process.getuid?.() !== 0) return false;
  const dir = mkdtempSync(join(tmpdir(), "claude-sync-test-"));
  try {
    mount(dir);
    execFileSync("umount", [dir]);
    return true;
  } catch {
    // The run says that the test was left out.
    return false;
  } finally {
    rmSync(dir, { recursive: true });
  }
}

Deno.test({
  name: "acquireLock on a full disk says that there is no space",
  ignore: !canMount(),
  fn: async () => {
    const dir = mkdtempSync(join(tmpdir(), "claude-sync-test-"));
    mount(dir);
    try {
      const path = join(dir, "lock.db");
      writeFileSync(path, "");
      const fill = () => writeFileSync(join(dir, "fill"), new Uint8Array(1_000_000));
      assert.throws(fill, { code: "ENOSPC" });
      await assert.rejects(acquireLock(clock, path, 0, never), (error: Error) => {
        assert.match(error.message, /^No space left in ".*"$/);
        return "code" in error && error.code === "no-space";
      });
    } finally {
      execFileSync("umount", [dir]);
      rmSync(dir, { recursive: true });
    }
  },
});
