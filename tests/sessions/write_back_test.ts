import assert from "node:assert/strict";
import { utf8 } from "../../src/base/bytes.ts";
import { ClaudeSyncError } from "../../src/errors.ts";
import type { FileStat, FileSystem } from "../../src/platform/types.ts";
import {
  isSameFile,
  isTempName,
  prepareSessionFile,
  sweepTemps,
  TEMP_STALE_MS,
} from "../../src/sessions/write_back.ts";
import { faultyFs, MemoryFs } from "../support/memory_fs.ts";
import { codeOf } from "../support/outcome.ts";
import { put, textAt } from "./disk.ts";

const ROOT = { os: "linux", configDir: "/h/.claude", claudeJsonPath: "" } as const;
const DIR = "/h/.claude/projects/-a";
const FILE = `${DIR}/00000000-0000-4000-8000-000000000001.jsonl`;

const random = {
  bytes: (length: number) => crypto.getRandomValues(new Uint8Array(length)),
};

/** Writes "new" over what the caller saw. */
async function replace(
  fs: FileSystem,
  expected = fs.lstat(FILE),
  path = FILE,
  onWrite = () => {},
) {
  const deps = { fs, random, root: ROOT };
  const prepared = await prepareSessionFile(deps, path, expected, async (handle) => {
    handle.write(utf8("ne"));
    await Promise.resolve();
    onWrite();
    handle.write(utf8("w"));
  });
  return prepared.commit(1_234_000);
}

const names = (fs: FileSystem, dir = DIR) => fs.readDir(dir)?.map(({ name }) => name);

Deno.test("prepareSessionFile makes folders and file with the given time, mode 0600", async () => {
  const fs = new MemoryFs();
  assert.equal(await replace(fs, null), "written");
  assert.equal(textAt(fs, FILE), "new");
  assert.deepEqual([fs.lstat(FILE)?.mtimeMs, fs.lstat(FILE)?.mode], [1_234_000, 0o600]);
  assert.equal(fs.lstat(DIR)?.mode, 0o700);
  assert.equal(names(fs)?.length, 1);
});

Deno.test("prepareSessionFile replaces the file that was expected", async () => {
  const fs = new MemoryFs();
  put(fs, FILE, "old");
  fs.setMode(FILE, 0o644);
  assert.equal(await replace(fs), "written");
  assert.equal(textAt(fs, FILE), "new");
  assert.equal(fs.lstat(FILE)?.mode, 0o600);
  assert.equal(names(fs)?.length, 1);
});

Deno.test("prepareSessionFile writes nothing when the file is not the expected one", async () => {
  const fs = new MemoryFs();
  put(fs, FILE, "old");
  const seen = fs.lstat(FILE);
  assert.equal(await replace(fs, null), "changed-meanwhile");
  put(fs, FILE, "old, grown");
  assert.equal(await replace(fs, seen), "changed-meanwhile");
  assert.equal(textAt(fs, FILE), "old, grown");
  fs.removeFile(FILE);
  assert.equal(await replace(fs, seen), "changed-meanwhile");
  assert.deepEqual(names(fs), []);
});

Deno.test("prepareSessionFile notices a change in the last moment", async () => {
  for (const hardLinks of [true, false]) {
    for (const existed of [true, false]) {
      const fs = new MemoryFs({ hardLinks });
      if (existed) put(fs, FILE, "old");
      const outcome = await replace(fs, fs.lstat(FILE), FILE, () => put(fs, FILE, "by the client"));
      assert.equal(outcome, "changed-meanwhile");
      assert.equal(textAt(fs, FILE), "by the client");
      assert.equal(names(fs)?.length, 1, "no temporary file is left");
    }
  }
});

Deno.test("prepareSessionFile never replaces a file that appears while it makes one", async () => {
  class Racing extends MemoryFs {
    override link(from: string, to: string) {
      put(this, to, "by the client");
      return super.link(from, to);
    }
  }
  const fs = new Racing();
  assert.equal(await replace(fs, null), "changed-meanwhile");
  assert.equal(textAt(fs, FILE), "by the client");
  assert.equal(names(fs)?.length, 1);
});

Deno.test("prepareSessionFile creates files on a disk without hard links", async () => {
  const fs = new MemoryFs({ hardLinks: false });
  assert.equal(await replace(fs, null), "written");
  assert.equal(textAt(fs, FILE), "new");
  assert.equal(names(fs)?.length, 1);
});

Deno.test("prepareSessionFile never writes through a link", async () => {
  const fs = new MemoryFs();
  put(fs, "/secret/file", "untouched");
  fs.makeDir(DIR);
  fs.symlink("/secret/file", FILE);
  assert.equal(await replace(fs), "changed-meanwhile");
  assert.equal(await replace(fs, null), "changed-meanwhile");
  assert.equal(textAt(fs, "/secret/file"), "untouched");
});

Deno.test("prepareSessionFile refuses a folder that leads out of the config folder", async () => {
  for (const target of ["/secret", "/", "/h", "/nowhere", "/h/.claude/projects/-file"]) {
    const fs = new MemoryFs();
    fs.makeDir("/secret");
    put(fs, "/h/.claude/projects/-file", "x");
    fs.symlink(target, DIR);
    const before = fs.files();
    assert.equal(await codeOf(replace(fs, null)), "unsafe-file", target);
    assert.deepEqual(fs.files(), before);
  }
  const fs = new MemoryFs();
  put(fs, DIR, "a file where the folder should be");
  assert.equal(await codeOf(replace(fs, null)), "unsafe-file");
});

Deno.test("prepareSessionFile notices a folder that becomes a link while it writes", async () => {
  const fs = new MemoryFs();
  fs.makeDir("/secret");
  const code = await codeOf(
    replace(fs, null, FILE, () => {
      fs.rename(DIR, `${DIR}-moved`);
      fs.symlink("/secret", DIR);
    }),
  );
  assert.equal(code, "unsafe-file");
  assert.deepEqual(fs.readDir("/secret"), []);
});

Deno.test("prepareSessionFile follows a linked config folder and links inside it", async () => {
  const fs = new MemoryFs();
  fs.makeDir("/data/claude/projects/-b");
  fs.makeDir("/h");
  fs.symlink("/data/claude", "/h/.claude");
  fs.symlink("-b", "/data/claude/projects/-a");
  assert.equal(await replace(fs, null), "written");
  assert.equal(names(fs, "/data/claude/projects/-b")?.length, 1);
});

Deno.test("prepareSessionFile refuses a path outside the configuration folder", async () => {
  const fs = new MemoryFs();
  for (
    const path of [
      "/etc/passwd",
      "/h/.claude-not/x",
      "/h/.claude/../x",
      "/h/.claude/projects/../../x",
    ]
  ) {
    assert.equal(await codeOf(replace(fs, null, path)), "bug", path);
  }
  assert.equal(fs.files().size, 0);
});

Deno.test("prepareSessionFile leaves the old file when the content cannot be had", async () => {
  const fs = new MemoryFs();
  put(fs, FILE, "old");
  const fails = () => {
    throw new ClaudeSyncError("damaged", "Cannot open the pack");
  };
  assert.equal(await codeOf(replace(fs, fs.lstat(FILE), FILE, fails)), "damaged");
  assert.equal(textAt(fs, FILE), "old");
  assert.equal(names(fs)?.length, 1);
});

Deno.test("prepareSessionFile leaves the old or the new file whichever call fails", async () => {
  for (const existed of [true, false]) {
    for (const effect of ["before", "after"] as const) {
      for (const from of ["once", "then-on"] as const) {
        for (let failNth = 1;; failNth++) {
          const fs = new MemoryFs();
          if (existed) put(fs, FILE, "old");
          const expected = fs.lstat(FILE);
          const faulty = faultyFs(fs, { failNth, effect, from });
          const code = await codeOf(replace(faulty, expected));
          const text = textAt(fs, FILE);
          assert([existed ? "old" : null, "new"].includes(text), `${failNth}: ${text}`);
          if (code === null) assert.equal(text, "new");
          assert.equal(fs.openHandles, 0);
          if (faulty.failed === 0) break;
        }
      }
    }
  }
});

Deno.test("prepareSessionFile touches nothing until commit, and ends once", async () => {
  const fs = new MemoryFs();
  put(fs, FILE, "old");
  const deps = { fs, random, root: ROOT };
  const prepare = (text: string) =>
    prepareSessionFile(deps, FILE, fs.lstat(FILE), (handle) => handle.write(utf8(text)));
  const [first, second, third] = [await prepare("one"), await prepare("two"), await prepare("3")];
  assert.equal(textAt(fs, FILE), "old");
  first.discard();
  assert.equal(first.commit(1_000), "changed-meanwhile");
  assert.equal(textAt(fs, FILE), "old");
  assert.equal(second.commit(1_000), "written");
  assert.equal(second.commit(2_000), "written");
  second.discard();
  assert.equal(third.commit(1_000), "changed-meanwhile");
  assert.deepEqual([textAt(fs, FILE), fs.lstat(FILE)?.mtimeMs], ["two", 1_000]);
  assert.equal(names(fs)?.length, 1);
});

Deno.test("sweepTemps removes our temporary files once they are an hour old", () => {
  const nowMs = 1_800_000_000_000;
  const clock = { nowMs: () => nowMs, monotonicMs: () => 0, sleep: () => Promise.resolve() };
  const fs = new MemoryFs();
  const temp = (n: number) => `${DIR}/.claude-sync-000000000000000${n}.tmp`;
  put(fs, temp(1), "x", nowMs - TEMP_STALE_MS);
  put(fs, temp(2), "x", nowMs - TEMP_STALE_MS + 1);
  fs.makeDir(temp(3));
  const temps = [1, 2, 3, 4].map((n) => ({ path: temp(n) }));
  assert.equal(sweepTemps(fs, clock, temps), 1);
  assert.deepEqual([fs.lstat(temp(1)), fs.lstat(temp(2))?.kind], [null, "file"]);
});

Deno.test("isTempName knows our names and no transcript's", () => {
  assert(isTempName(".claude-sync-0123456789abcdef.tmp"));
  for (const name of ["x.jsonl", ".claude-sync-1.tmp", "a.claude-sync-0123456789abcdef.tmp"]) {
    assert(!isTempName(name));
  }
});

Deno.test("isSameFile holds while kind, size, time, number and disk are the same", () => {
  const fs = new MemoryFs();
  put(fs, "/file", "x");
  const stat = fs.lstat("/file")!;
  assert.ok(isSameFile({ ...stat }, stat) && isSameFile(null, null));
  const changes = [{ kind: "symlink" }, { sizeBytes: 2 }, { mtimeMs: 1 }, { ino: 99 }, { dev: 99 }];
  for (const change of changes as Partial<FileStat>[]) {
    assert.ok(!isSameFile({ ...stat, ...change }, stat), JSON.stringify(change));
    assert.ok(!isSameFile(stat, { ...stat, ...change }), JSON.stringify(change));
  }
  assert.ok(!isSameFile(null, stat) && !isSameFile(stat, null));
});
