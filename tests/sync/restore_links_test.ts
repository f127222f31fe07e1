/** Links in a folder that `restore --to` writes to. */
import assert from "node:assert/strict";
import { existsSync, lstatSync, readFileSync, renameSync, symlinkSync } from "node:fs";
import { utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { speak } from "../support/forget_world.ts";
import { restore } from "../support/restore_world.ts";
import { inTempDir, type SyncMachine } from "../support/sync_machine.ts";
import { newWorld } from "../support/sync_world.ts";

const ID = "11111111-1111-4111-8111-111111111111";
const TEMPORARY = ".claude-sync-0123456789abcdef.tmp";

async function withSession(work: (machine: SyncMachine, dir: string) => Promise<void>) {
  await inTempDir(async (dir) => {
    const [anna] = (await newWorld(dir, { names: ["anna"] })).machines;
    speak(anna!, ID, "hello");
    await anna!.push();
    await work(anna!, dir);
  });
}

Deno.test("restore --to takes a link to the very bytes for something else", () =>
  withSession(async (anna, dir) => {
    const to = join(dir, "out");
    const { path } = (await restore(anna, { queries: [ID], to })).sessions[0]!;
    const elsewhere = join(dir, "elsewhere.jsonl");
    renameSync(path!, elsewhere);
    symlinkSync(elsewhere, path!);
    for (const force of [false, true]) {
      const { sessions, failures } = await restore(anna, { queries: [ID], to, force });
      assert.deepEqual([sessions[0]!.outcome, failures[0]?.code], ["failed", "unsafe-file"]);
      assert.ok(lstatSync(path!).isSymbolicLink());
    }
    assert.ok(readFileSync(elsewhere, "utf8").includes("hello"));
  }));

Deno.test("restore --to takes away what a crash left, but not behind a link", () =>
  withSession(async (anna, dir) => {
    for (const isLink of [false, true]) {
      const to = join(dir, `out ${isLink}`);
      const { path } = (await restore(anna, { queries: [ID], to })).sessions[0]!;
      const folder = dirname(path!);
      const real = isLink ? join(dir, "outside") : folder;
      if (isLink) {
        renameSync(folder, real);
        symlinkSync(real, folder);
      }
      writeFileSync(join(real, TEMPORARY), "half");
      const longAgo = anna.platform.clock.nowMs() / 1000 - 86_400;
      utimesSync(join(real, TEMPORARY), longAgo, longAgo);
      await restore(anna, { queries: [ID], to });
      assert.equal(existsSync(join(real, TEMPORARY)), isLink);
    }
  }));
