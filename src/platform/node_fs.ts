import * as fs from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import type { Bytes } from "../base/bytes.ts";
import { errnoOf } from "../base/errno.ts";
import { ClaudeSyncError } from "../errors.ts";
import { linkError, localError } from "./local_error.ts";
import { NodeReadHandle, NodeWriteHandle, openOrdinary, readBounded, toStat } from "./node_file.ts";
import type { DirEntry, FileStat, FileSystem, ReadHandle, WriteHandle } from "./types.ts";

const isWindows = process.platform === "win32";

/** What a disk without hard links, or one that does not let us make them, answers to `link`. */
const NO_HARD_LINKS = new Set([
  "EPERM",
  "ENOTSUP",
  "EOPNOTSUPP",
  "ENOSYS",
  "EMLINK",
  "EXDEV",
  "EINVAL",
  "EISDIR",
  "UNKNOWN",
  ...(isWindows ? [] : ["EACCES"]),
]);

/** What a disk without permission bits, or without `fsync` for folders, answers. */
const NOT_SUPPORTED = new Set(["ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EINVAL"]);

const ABSENT = new Set(["ENOENT", "ENOTDIR"]);

/** Windows lets no one rename over a file that a virus scanner or indexer holds for a moment. */
const RENAME_ATTEMPTS = isWindows ? 20 : 1;
const RENAME_PAUSE_MS = 50;

/** The real disk, through `node:fs`. */
export function nodeFileSystem(): FileSystem {
  return {
    lstat,
    realpath,
    readDir,
    readFile,
    openRead,
    makeDir,
    createFile,
    openAppend,
    rename,
    link,
    removeFile,
    removeDir,
    syncDir,
    setMtime,
    setMode,
  };
}

/** Runs one call; gives `onAbsent` when the path is not there and wraps every other failure. */
function attempt<T, A>(action: string, path: string, onAbsent: A, call: () => T): T | A {
  try {
    return call();
  } catch (error) {
    if (error instanceof ClaudeSyncError) throw error;
    const errno = errnoOf(error);
    if (errno !== null && ABSENT.has(errno)) return onAbsent;
    throw localError(action, path, error);
  }
}

/** Like `attempt` for calls whose path must be there. */
function must<T>(action: string, path: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw error instanceof ClaudeSyncError ? error : localError(action, path, error);
  }
}

/** Written out, without `attempt` and its closure: a run looks at every file of every session. */
function lstat(path: string): FileStat | null {
  try {
    return toStat(fs.lstatSync(path));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== null && ABSENT.has(errno)) return null;
    throw localError("look at", path, error);
  }
}

function realpath(path: string): string | null {
  return attempt("resolve", path, null, () => fs.realpathSync(path));
}

function readDir(path: string): DirEntry[] | null {
  const entries = attempt(
    "list the folder",
    path,
    null,
    () => fs.readdirSync(path, { withFileTypes: true }),
  );
  if (entries === null) return null;
  return entries
    .map((entry): DirEntry => ({ name: entry.name, kind: kindOf(path, entry) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function kindOf(folder: string, entry: fs.Dirent): DirEntry["kind"] {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "directory";
  if (entry.isSymbolicLink()) return "symlink";
  // Some network mounts do not tell kinds while listing.
  return lstat(join(folder, entry.name))?.kind ?? "other";
}

function readFile(path: string, maxBytes: number): Bytes | null {
  const fd = attempt("read", path, null, () => openOrdinary(path));
  if (fd === null) return null;
  try {
    return must("read", path, () => readBounded(fd, path, maxBytes));
  } finally {
    fs.closeSync(fd);
  }
}

function openRead(path: string): ReadHandle | null {
  const fd = attempt("read", path, null, () => openOrdinary(path));
  return fd === null ? null : new NodeReadHandle(fd, path);
}

function makeDir(path: string): void {
  must("create the folder", path, () => makeDirWithParents(path));
}

function makeDirWithParents(path: string): void {
  if (tryMakeDir(path)) return;
  const parent = dirname(path);
  if (parent !== path) makeDirWithParents(parent);
  if (!tryMakeDir(path)) fs.mkdirSync(path, 0o700);
}

/** True when the folder is there now, false when its parent is not. */
function tryMakeDir(path: string): boolean {
  try {
    fs.mkdirSync(path, 0o700);
    applyMode(path, 0o700);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    // EEXIST, or what `/` and drive roots answer; another process may have been faster.
    if (fs.statSync(path, { throwIfNoEntry: false })?.isDirectory()) return true;
    throw error;
  }
}

function createFile(path: string): WriteHandle {
  return must("create", path, () => {
    const { O_WRONLY, O_CREAT, O_EXCL } = fs.constants;
    const fd = fs.openSync(path, O_WRONLY | O_CREAT | O_EXCL, 0o600);
    const handle = new NodeWriteHandle(fd, path);
    try {
      if (!isWindows && (fs.fstatSync(fd).mode & 0o7777) !== 0o600) fs.fchmodSync(fd, 0o600);
    } catch (error) {
      if (!isModeless(error)) {
        handle.close();
        fs.unlinkSync(path);
        throw error;
      }
    }
    return handle;
  });
}

function openAppend(path: string): WriteHandle | null {
  const { O_WRONLY, O_APPEND } = fs.constants;
  const fd = attempt("append to", path, null, () => openOrdinary(path, O_WRONLY | O_APPEND));
  return fd === null ? null : new NodeWriteHandle(fd, path);
}

function rename(from: string, to: string): void {
  must("rename to", to, () => {
    // Node replaces an empty folder by a file on some systems; a file never replaces a folder here.
    const target = fs.lstatSync(to, { throwIfNoEntry: false });
    if (target?.isDirectory() && !fs.lstatSync(from).isDirectory()) {
      throw Object.assign(new Error("the target is a folder"), { code: "EISDIR" });
    }
    for (let attemptsLeft = RENAME_ATTEMPTS - 1;; attemptsLeft--) {
      try {
        return fs.renameSync(from, to);
      } catch (error) {
        const errno = errnoOf(error);
        const held = errno === "EPERM" || errno === "EACCES" || errno === "EBUSY";
        if (attemptsLeft <= 0 || !held) throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RENAME_PAUSE_MS);
      }
    }
  });
}

function link(from: string, to: string): boolean | null {
  try {
    fs.linkSync(from, to);
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "EEXIST") return false;
    if (errno !== null && NO_HARD_LINKS.has(errno)) return null;
    throw localError("link to", to, error);
  }
}

function removeFile(path: string): boolean {
  return attempt("remove", path, false, () => {
    // `unlinkSync` removes an empty folder on one of the runtimes.
    if (fs.lstatSync(path).isDirectory()) {
      throw Object.assign(new Error("it is a folder"), { code: "EISDIR" });
    }
    fs.unlinkSync(path);
    return true;
  });
}

function removeDir(path: string): boolean {
  return attempt("remove the folder", path, false, () => {
    if (!fs.lstatSync(path).isDirectory()) throw localError("remove the folder", path, null);
    try {
      fs.rmdirSync(path);
      return true;
    } catch (error) {
      // POSIX allows both answers for a folder that is not empty.
      if (["ENOTEMPTY", "EEXIST"].includes(errnoOf(error) ?? "")) return false;
      throw error;
    }
  });
}

function syncDir(path: string): void {
  if (isWindows) return;
  let fd: number | null = null;
  try {
    fd = fs.openSync(path, fs.constants.O_RDONLY);
    fs.fsyncSync(fd);
  } catch (error) {
    const errno = errnoOf(error) ?? "";
    // Some network mounts cannot open or flush a folder; then nothing can be promised.
    const cannot = NOT_SUPPORTED.has(errno) ||
      ["EISDIR", "EPERM", "EBADF", "EACCES"].includes(errno);
    if (!cannot) throw localError("flush the folder", path, error);
  } finally {
    if (fd !== null) fs.closeSync(fd);
  }
}

function setMtime(path: string, mtimeMs: number): void {
  must("set the time of", path, () => fs.lutimesSync(path, mtimeMs / 1000, mtimeMs / 1000));
}

function setMode(path: string, mode: number): void {
  must("set the permissions of", path, () => {
    if (fs.lstatSync(path).isSymbolicLink()) throw linkError(path);
    applyMode(path, mode);
  });
}

function applyMode(path: string, mode: number): void {
  if (isWindows) return;
  try {
    if ((fs.lstatSync(path).mode & 0o7777) !== mode) fs.chmodSync(path, mode);
  } catch (error) {
    if (!isModeless(error) || fs.lstatSync(path).uid !== process.getuid?.()) throw error;
  }
}

/** FAT and some network mounts have no permission bits and refuse to change them. */
function isModeless(error: unknown): boolean {
  const errno = errnoOf(error) ?? "";
  return NOT_SUPPORTED.has(errno) || errno === "EPERM";
}
