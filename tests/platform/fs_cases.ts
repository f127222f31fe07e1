/** What every `FileSystem` must do, without a test runner: run on the real disk and on the fake. */
import assert from "node:assert/strict";
import { utf8 } from "../../src/base/bytes.ts";
import { errnoOf } from "../../src/base/errno.ts";
import { isClaudeSyncError } from "../../src/errors.ts";
import type { FileSystem } from "../../src/platform/types.ts";
import { thrownCode } from "../support/memory_fs.ts";

/** One disk with an empty folder to work in. */
export interface FsWorld {
  readonly fs: FileSystem;
  /** Absolute, its parts joined by `/`. */
  readonly dir: string;
  symlink(target: string, path: string): void;
}

/** One promise of the contract. */
export interface FsCase {
  readonly name: string;
  run(world: FsWorld): void;
}

function put(fs: FileSystem, path: string, text: string): void {
  const file = fs.createFile(path);
  file.write(utf8(text));
  file.sync();
  file.close();
}

function text(fs: FileSystem, path: string): string | null {
  const bytes = fs.readFile(path, 1_000_000);
  return bytes === null ? null : new TextDecoder().decode(bytes);
}

/** All promises of the contract. */
export function fsCases(): FsCase[] {
  return [...absentCases(), ...readCases(), ...writeCases(), ...nameCases(), ...linkCases()];
}

function absentCases(): FsCase[] {
  return [
    {
      name: "absent is a value",
      run({ fs, dir }) {
        for (const path of [`${dir}/none`, `${dir}/none/below`]) {
          assert.equal(fs.lstat(path), null);
          assert.equal(fs.realpath(path), null);
          assert.equal(fs.readDir(path), null);
          assert.equal(fs.readFile(path, 10), null);
          assert.equal(fs.openRead(path), null);
          assert.equal(fs.removeFile(path), false);
          assert.equal(fs.removeDir(path), false);
        }
      },
    },
    {
      name: "a file where a folder should be is absent",
      run({ fs, dir }) {
        put(fs, `${dir}/file`, "x");
        assert.equal(fs.lstat(`${dir}/file/below`), null);
        assert.equal(fs.readFile(`${dir}/file/below`, 10), null);
        assert.equal(fs.readDir(`${dir}/file`), null);
        assert.equal(thrownCode(() => fs.createFile(`${dir}/file/below`)), "local-io");
        assert.equal(thrownCode(() => fs.makeDir(`${dir}/file/below`)), "local-io");
      },
    },
    {
      name: "a path with NUL is an error and no crash",
      run({ fs, dir }) {
        assert.equal(thrownCode(() => fs.lstat(`${dir}/a\0b`)), "local-io");
        assert.equal(thrownCode(() => fs.createFile(`${dir}/a\0b`)), "local-io");
      },
    },
  ];
}

function readCases(): FsCase[] {
  return [
    {
      name: "readFile takes a file at its limit and refuses one past it",
      run({ fs, dir }) {
        put(fs, `${dir}/file`, "12345");
        assert.equal(fs.readFile(`${dir}/file`, 5)?.length, 5);
        assert.equal(thrownCode(() => fs.readFile(`${dir}/file`, 4)), "too-large");
        put(fs, `${dir}/empty`, "");
        assert.equal(fs.readFile(`${dir}/empty`, 0)?.length, 0);
      },
    },
    {
      name: "readFile refuses a folder",
      run({ fs, dir }) {
        assert.equal(thrownCode(() => fs.readFile(dir, 10)), "local-io");
        assert.equal(thrownCode(() => fs.openRead(dir)), "local-io");
      },
    },
    {
      name: "openRead reads anywhere and less only at the end",
      run({ fs, dir }) {
        put(fs, `${dir}/file`, "0123456789");
        const handle = fs.openRead(`${dir}/file`);
        assert.ok(handle);
        const into = new Uint8Array(4);
        assert.equal(handle.readAt(into, 3), 4);
        assert.deepEqual(into, utf8("3456"));
        assert.equal(handle.readAt(into, 8), 2);
        assert.equal(handle.readAt(into, 10), 0);
        assert.equal(handle.readAt(into, 99), 0);
        assert.equal(handle.stat().sizeBytes, 10);
        handle.close();
        handle.close();
        assert.equal(thrownCode(() => handle.readAt(into, 0)), "local-io");
      },
    },
    {
      name: "readDir tells kinds and sorts by name",
      run({ fs, dir, symlink }) {
        fs.makeDir(`${dir}/b`);
        put(fs, `${dir}/c`, "");
        put(fs, `${dir}/B`, "");
        symlink("c", `${dir}/a`);
        assert.deepEqual(fs.readDir(dir), [
          { name: "B", kind: "file" },
          { name: "a", kind: "symlink" },
          { name: "b", kind: "directory" },
          { name: "c", kind: "file" },
        ]);
      },
    },
  ];
}

function writeCases(): FsCase[] {
  return [
    {
      name: "openAppend writes at the end, wherever others have moved it",
      run({ fs, dir, symlink }) {
        assert.equal(fs.openAppend(`${dir}/none`), null);
        assert.equal(fs.openAppend(`${dir}/none/below`), null);
        put(fs, `${dir}/file`, "one");
        const { ino } = fs.lstat(`${dir}/file`)!;
        const [first, second] = [fs.openAppend(`${dir}/file`)!, fs.openAppend(`${dir}/file`)!];
        first.write(utf8(" two"));
        second.write(utf8(" three"));
        first.write(utf8(" four"));
        for (const handle of [first, second]) {
          handle.sync();
          handle.close();
        }
        assert.equal(text(fs, `${dir}/file`), "one two three four");
        assert.equal(fs.lstat(`${dir}/file`)!.ino, ino, "the same file");
        symlink(`${dir}/file`, `${dir}/link`);
        assert.equal(thrownCode(() => fs.openAppend(`${dir}/link`)), "unsafe-file");
        fs.makeDir(`${dir}/folder`);
        assert.equal(thrownCode(() => fs.openAppend(`${dir}/folder`)), "local-io");
      },
    },
    {
      name: "createFile never replaces and is private",
      run({ fs, dir, symlink }) {
        put(fs, `${dir}/file`, "first");
        assert.equal(thrownCode(() => fs.createFile(`${dir}/file`)), "local-io");
        assert.equal(text(fs, `${dir}/file`), "first");
        symlink("elsewhere", `${dir}/dangling`);
        assert.equal(thrownCode(() => fs.createFile(`${dir}/dangling`)), "local-io");
        assert.equal(fs.lstat(`${dir}/elsewhere`), null);
        if (hasModes(fs, dir)) assert.equal(fs.lstat(`${dir}/file`)?.mode, 0o600);
        assert.equal(thrownCode(() => fs.createFile(`${dir}/none/file`)), "local-io");
      },
    },
    {
      name: "write appends piece after piece, and a closed file takes none",
      run({ fs, dir }) {
        const file = fs.createFile(`${dir}/file`);
        file.write(utf8("one "));
        file.write(new Uint8Array(0));
        file.write(utf8("two"));
        file.sync();
        file.close();
        file.close();
        assert.equal(text(fs, `${dir}/file`), "one two");
        assert.equal(thrownCode(() => file.write(utf8("x"))), "local-io");
      },
    },
    {
      name: "makeDir makes parents privately and accepts what is there",
      run({ fs, dir, symlink }) {
        fs.makeDir(`${dir}/a/b/c`);
        fs.makeDir(`${dir}/a/b/c`);
        assert.equal(fs.lstat(`${dir}/a/b/c`)?.kind, "directory");
        if (hasModes(fs, dir)) assert.equal(fs.lstat(`${dir}/a`)?.mode, 0o700);
        symlink("a", `${dir}/l`);
        fs.makeDir(`${dir}/l`);
        fs.makeDir(`${dir}/l/d`);
        assert.equal(fs.lstat(`${dir}/a/d`)?.kind, "directory");
        fs.syncDir(`${dir}/a`);
      },
    },
    {
      name: "setMtime and setMode are seen by lstat",
      run({ fs, dir }) {
        put(fs, `${dir}/file`, "x");
        fs.setMtime(`${dir}/file`, 1_600_000_000_789);
        assert.equal(fs.lstat(`${dir}/file`)?.mtimeMs, 1_600_000_000_789);
        assert.equal(thrownCode(() => fs.setMtime(`${dir}/none`, 1)), "local-io");
        if (hasModes(fs, dir)) {
          fs.setMode(`${dir}/file`, 0o640);
          assert.equal(fs.lstat(`${dir}/file`)?.mode, 0o640);
        }
      },
    },
  ];
}

function nameCases(): FsCase[] {
  return [
    {
      name: "rename replaces a file, never a folder",
      run({ fs, dir }) {
        put(fs, `${dir}/new`, "new");
        put(fs, `${dir}/old`, "old");
        fs.rename(`${dir}/new`, `${dir}/old`);
        assert.equal(text(fs, `${dir}/old`), "new");
        assert.equal(fs.lstat(`${dir}/new`), null);
        fs.makeDir(`${dir}/folder`);
        assert.equal(thrownCode(() => fs.rename(`${dir}/old`, `${dir}/folder`)), "local-io");
        assert.equal(text(fs, `${dir}/old`), "new");
        assert.equal(thrownCode(() => fs.rename(`${dir}/none`, `${dir}/x`)), "local-io");
      },
    },
    {
      name: "link gives a second name and never replaces",
      run({ fs, dir }) {
        put(fs, `${dir}/a`, "a");
        put(fs, `${dir}/b`, "b");
        if (fs.link(`${dir}/a`, `${dir}/c`) === null) return;
        assert.equal(text(fs, `${dir}/c`), "a");
        assert.equal(fs.lstat(`${dir}/c`)?.nlink, 2);
        assert.equal(fs.lstat(`${dir}/c`)?.ino, fs.lstat(`${dir}/a`)?.ino);
        assert.equal(fs.link(`${dir}/a`, `${dir}/b`), false);
        assert.equal(text(fs, `${dir}/b`), "b");
        assert.equal(fs.removeFile(`${dir}/a`), true);
        assert.equal(text(fs, `${dir}/c`), "a");
        assert.equal(thrownCode(() => fs.link(`${dir}/none`, `${dir}/d`)), "local-io");
      },
    },
    {
      name: "removeFile never removes a folder, removeDir never a full one or a file",
      run({ fs, dir }) {
        fs.makeDir(`${dir}/folder/below`);
        assert.equal(thrownCode(() => fs.removeFile(`${dir}/folder/below`)), "local-io");
        assert.equal(fs.removeDir(`${dir}/folder`), false);
        assert.equal(fs.removeDir(`${dir}/folder/below`), true);
        put(fs, `${dir}/file`, "x");
        assert.equal(thrownCode(() => fs.removeDir(`${dir}/file`)), "local-io");
        assert.equal(text(fs, `${dir}/file`), "x");
      },
    },
  ];
}

function linkCases(): FsCase[] {
  return [
    {
      name: "symbolic links at the end are seen, never read through",
      run({ fs, dir, symlink }) {
        put(fs, `${dir}/file`, "secret");
        symlink("file", `${dir}/link`);
        symlink("none", `${dir}/dangling`);
        assert.equal(fs.lstat(`${dir}/link`)?.kind, "symlink");
        for (const name of ["link", "dangling"]) {
          assert.equal(thrownCode(() => fs.readFile(`${dir}/${name}`, 99)), "unsafe-file");
          assert.equal(thrownCode(() => fs.openRead(`${dir}/${name}`)), "unsafe-file");
        }
        assert.equal(fs.realpath(`${dir}/link`), `${fs.realpath(dir)}/file`);
        assert.equal(fs.realpath(`${dir}/dangling`), null);
        assert.equal(fs.removeFile(`${dir}/link`), true);
        assert.equal(text(fs, `${dir}/file`), "secret");
      },
    },
    {
      name: "setMtime and setMode touch no file that a link leads to",
      run({ fs, dir, symlink }) {
        put(fs, `${dir}/file`, "x");
        fs.setMtime(`${dir}/file`, 1_700_000_000_000);
        symlink("file", `${dir}/link`);
        symlink("none", `${dir}/dangling`);
        const before = fs.lstat(`${dir}/file`);
        for (const name of ["link", "dangling"]) {
          fs.setMtime(`${dir}/${name}`, 1_600_000_000_000);
          assert.equal(fs.lstat(`${dir}/${name}`)?.mtimeMs, 1_600_000_000_000);
          assert.equal(thrownCode(() => fs.setMode(`${dir}/${name}`, 0o644)), "unsafe-file");
        }
        assert.deepEqual(fs.lstat(`${dir}/file`), before);
      },
    },
    {
      name: "errors carry the path, the system's name and a hint",
      run({ fs, dir }) {
        put(fs, `${dir}/file`, "");
        assert.throws(() => fs.createFile(`${dir}/file`), (error) => {
          assert.ok(isClaudeSyncError(error, "local-io"));
          assert.equal(error.path, `${dir}/file`);
          assert.equal(errnoOf(error), "EEXIST");
          assert.match(error.hint ?? "", /there already/);
          return true;
        });
      },
    },
  ];
}

function hasModes(fs: FileSystem, dir: string): boolean {
  return fs.lstat(dir)?.mode !== 0;
}
