import assert from "node:assert/strict";
import { type Bytes, utf8 } from "../../src/base/bytes.ts";
import {
  createFileExclusive,
  TEMPORARY_NAME,
  writeFileAtomic,
  writeFileUnflushed,
  writeStreamAtomic,
} from "../../src/platform/atomic_file.ts";
import { nodeRandom } from "../../src/platform/node.ts";
import type { FileSystem } from "../../src/platform/types.ts";
import { faultyFs, MemoryFs, type MemoryFsOptions, thrownCode } from "../support/memory_fs.ts";

const random = nodeRandom();
const oldBytes = utf8("old");
const newBytes = utf8("new and longer");

function memory(options: MemoryFsOptions = {}): MemoryFs {
  const fs = new MemoryFs(options);
  fs.makeDir("/d");
  return fs;
}

function withFile(options: MemoryFsOptions = {}): MemoryFs {
  const fs = memory(options);
  writeFileAtomic(fs, random, "/d/file", oldBytes);
  return fs;
}

Deno.test("writeFileAtomic replaces the file, privately, with the time asked for", () => {
  const fs = withFile();
  writeFileAtomic(fs, random, "/d/file", newBytes, { mtimeMs: 1_600_000_000_001 });
  assert.deepEqual([...fs.files()], [["/d/file", newBytes]]);
  assert.equal(fs.lstat("/d/file")?.mtimeMs, 1_600_000_000_001);
  assert.equal(fs.lstat("/d/file")?.mode, 0o600);
});

Deno.test("writeFileAtomic leaves the old or the new file when any call fails", () => {
  for (const effect of ["before", "after"] as const) {
    for (const from of ["once", "then-on"] as const) {
      let failed = 1;
      for (let failNth = 1; failed > 0; failNth++) {
        const fs = withFile();
        const faulty = faultyFs(fs, { failNth, effect, from });
        const code = thrownCode(() => writeFileAtomic(faulty, random, "/d/file", newBytes));
        failed = faulty.failed;
        const files = fs.files();
        const file = files.get("/d/file");
        assert.ok(same(file, oldBytes) || same(file, newBytes), `call ${failNth}`);
        if (code === null) assert.ok(same(file, newBytes));
        assert.equal(fs.openHandles, 0);
        files.delete("/d/file");
        for (const path of files.keys()) assert.match(path.slice("/d/".length), TEMPORARY_NAME);
        if (from === "once" && effect === "before" && failNth < 5) assert.equal(files.size, 0);
        assert.ok(failNth < 20);
      }
    }
  }
});

Deno.test("writeFileUnflushed leaves nothing behind on a full disk, which may stay full", () => {
  for (const call of ["createFile", "write", "rename"]) {
    const fs = withFile();
    const full = faultyFs(fs, { failNth: 1, errno: "ENOSPC", calls: [call] });
    const code = thrownCode(() => writeFileUnflushed(full, random, "/d/file", newBytes));
    assert.equal(code, "no-space");
    assert.deepEqual([...fs.files()], [["/d/file", oldBytes]], call);
    assert.equal(fs.openHandles, 0);
  }
});

Deno.test("writeStreamAtomic keeps the old file and no leftovers when the content fails", () => {
  const fs = withFile();
  assert.throws(() =>
    writeStreamAtomic(fs, random, "/d/file", (file) => {
      file.write(utf8("half"));
      throw new RangeError("content");
    }), RangeError);
  assert.deepEqual([...fs.files()], [["/d/file", oldBytes]]);
  assert.equal(fs.openHandles, 0);
});

Deno.test("writeStreamAtomic writes what comes in pieces", () => {
  const fs = withFile();
  writeStreamAtomic(fs, random, "/d/file", (file) => {
    for (let i = 0; i < 1000; i++) file.write(utf8("0123456789"));
  });
  assert.equal(fs.readFile("/d/file", 10_000)?.length, 10_000);
});

for (const hardLinks of [true, false]) {
  for (const withoutHardLinks of ["exclusive", "atomic"] as const) {
    const disk = `${hardLinks ? "with" : "without"} hard links, ${withoutHardLinks}`;
    Deno.test(`createFileExclusive creates once and never replaces, ${disk}`, () => {
      const fs = memory({ hardLinks });
      const create = (bytes: Bytes) =>
        createFileExclusive(fs, random, "/d/file", bytes, { withoutHardLinks });
      assert.equal(create(oldBytes), true);
      assert.equal(create(newBytes), false);
      assert.deepEqual([...fs.files()], [["/d/file", oldBytes]]);
      assert.equal(fs.lstat("/d/file")?.nlink, 1);
    });

    Deno.test(`createFileExclusive loses a race without harm, ${disk}`, () => {
      const inner = memory({ hardLinks });
      // The other process is as late as can be: it creates the file while we ask for the name.
      const fs: FileSystem = Object.assign(Object.create(inner) as FileSystem, delegate(inner), {
        link: (from: string, to: string) => {
          if (inner.lstat(to) === null) writeFileAtomic(inner, random, to, oldBytes);
          return inner.link(from, to);
        },
      });
      const options = { withoutHardLinks };
      assert.equal(createFileExclusive(fs, random, "/d/file", newBytes, options), false);
      assert.deepEqual([...inner.files()], [["/d/file", oldBytes]]);
    });
  }
}

Deno.test("createFileExclusive leaves no part of a file behind when a call fails", () => {
  for (const hardLinks of [true, false]) {
    let failed = 1;
    for (let failNth = 1; failed > 0; failNth++) {
      const fs = memory({ hardLinks });
      const faulty = faultyFs(fs, { failNth });
      const code = thrownCode(() => createFileExclusive(faulty, random, "/d/file", newBytes));
      failed = faulty.failed;
      const file = fs.files().get("/d/file");
      assert.ok(file === undefined || same(file, newBytes), `call ${failNth}`);
      if (code === null) assert.ok(file !== undefined);
      assert.equal(fs.openHandles, 0);
    }
  }
});

function same(file: Bytes | undefined, bytes: Bytes): boolean {
  return file !== undefined && file.length === bytes.length && file.every((b, i) => b === bytes[i]);
}

/** A plain object that passes every call on: the way to override one of them. */
function delegate(fs: FileSystem): FileSystem {
  return faultyFs(fs, { failNth: Infinity });
}
