import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { utf8 } from "../../src/base/bytes.ts";
import { fsCases } from "../platform/fs_cases.ts";
import { thrownCode } from "../support/memory_fs.ts";
import { Dice } from "./dice.ts";
import { SimDisk, WRITE_BACK_MS } from "./disk.ts";

/** The simulated disk has no symbolic links: a case is run up to the first one. */
const NO_LINKS = "This disk has no links";

function newDisk(clock = { nowMs: 1_700_000_000_000 }): SimDisk {
  const nowMs = () => clock.nowMs;
  const disk = new SimDisk({ databaseDir: "/none", nowMs, trueMs: nowMs });
  disk.makeDir("/work");
  return disk;
}

Deno.test("the simulated disk keeps the contract of all disks", async (t) => {
  for (const { name, run } of fsCases()) {
    await t.step(name, () => {
      let ticks = 1_700_000_000_000;
      const nowMs = () => ticks++;
      const fs = new SimDisk({ databaseDir: "/none", nowMs, trueMs: nowMs });
      fs.makeDir("/work");
      try {
        run({ fs, dir: "/work", symlink: () => assert.fail(NO_LINKS) });
      } catch (error) {
        if (!(error instanceof Error) || error.message !== NO_LINKS) throw error;
      }
    });
  }
});

function write(disk: SimDisk, path: string, text: string, isFlushed: boolean): void {
  const file = disk.createFile(path);
  file.write(utf8(text));
  if (isFlushed) file.sync();
  file.close();
}

/** What a power cut may leave of `/work`, over many seeds. */
function outcomes(make: (disk: SimDisk, clock: { nowMs: number }) => void): Set<string> {
  const seen = new Set<string>();
  for (let seed = 0; seed < 64; seed++) {
    const clock = { nowMs: 1_700_000_000_000 };
    const disk = newDisk(clock);
    make(disk, clock);
    disk.cutPower(new Dice(seed));
    const files = [...disk.files("/work")];
    const texts = files.map(([path, bytes]) => `${path}=${new TextDecoder().decode(bytes)}`);
    seen.add(texts.join(" ") || "nothing");
  }
  return seen;
}

Deno.test("a power cut leaves what was flushed, and of the rest a part or nothing", () => {
  const unflushed = outcomes((disk) => write(disk, "/work/a", "ab", false));
  assert.deepEqual(
    [...unflushed].sort(),
    ["/work/a=", "/work/a=a", "/work/a=ab", "nothing"],
  );
  const named = outcomes((disk) => {
    write(disk, "/work/a", "ab", true);
    disk.syncDir("/work");
  });
  assert.deepEqual([...named], ["/work/a=ab"]);
  const later = outcomes((disk, clock) => {
    write(disk, "/work/a", "ab", false);
    clock.nowMs += WRITE_BACK_MS;
  });
  assert.deepEqual([...later], ["/work/a=ab"], "the system has flushed it");
  const grown = outcomes((disk, clock) => {
    write(disk, "/work/a", "ab", false);
    clock.nowMs += WRITE_BACK_MS;
    disk.openAppend("/work/a")!.write(utf8("c"));
  });
  assert.deepEqual([...grown].sort(), ["/work/a=ab", "/work/a=abc"]);
  const replaced = outcomes((disk) => {
    write(disk, "/work/a", "old", true);
    disk.syncDir("/work");
    write(disk, "/work/b", "new", true);
    disk.rename("/work/b", "/work/a");
  });
  assert.deepEqual([...replaced].sort(), ["/work/a=new", "/work/a=old"]);
});

Deno.test("a full disk takes nothing more and lets go; a read-only one changes nothing", () => {
  const disk = newDisk();
  write(disk, "/work/a", "x", true);
  disk.state = "full";
  assert.equal(thrownCode(() => disk.createFile("/work/b")), "no-space");
  assert.equal(thrownCode(() => disk.openAppend("/work/a")!.write(utf8("y"))), "no-space");
  disk.state = "read-only";
  assert.equal(thrownCode(() => disk.removeFile("/work/a")), "local-io");
  disk.state = "full";
  assert.equal(disk.removeFile("/work/a"), true);
});

Deno.test("a copy of a disk does not change with it", () => {
  const dir = mkdtempSync(join(tmpdir(), "claude-sync-sim-"));
  try {
    const disk = new SimDisk({ databaseDir: dir, nowMs: () => 1, trueMs: () => 1 });
    disk.makeDir("/work");
    write(disk, "/work/a", "1", true);
    const copy = disk.copy();
    disk.openAppend("/work/a")!.write(utf8("2"));
    disk.restore(copy);
    assert.equal(disk.readFile("/work/a", 9)?.length, 1);
    disk.openAppend("/work/a")!.write(utf8("2"));
    disk.restore(copy);
    assert.equal(disk.readFile("/work/a", 9)?.length, 1);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
