/**
 * Writing files so that a crash, a full disk or another process never leaves half of one: all bytes
 * go to a temporary file in the same folder, which gets the final name only when it is on the disk.
 */
import { dirname, join } from "node:path";
import { toHex } from "../base/bytes.ts";
import { ClaudeSyncError } from "../errors.ts";
import type { FileSystem, Random, WriteHandle } from "./types.ts";

/** Matches the names of our temporary files, and nothing that somebody else would make. */
export const TEMPORARY_NAME = /^\.claude-sync-[0-9a-f]{16}\.tmp$/;

const TEMPORARY_NAME_RANDOM_BYTES = 8;

/** How a finished file looks. */
export interface FinishedFile {
  /** Modification time; now unless given. */
  readonly mtimeMs?: number;
  /** Permission bits; 0600 unless given. */
  readonly mode?: number;
}

/** Path of a new temporary file beside `path`. */
export function temporaryPathBeside(random: Random, path: string): string {
  const name = `.claude-sync-${toHex(random.bytes(TEMPORARY_NAME_RANDOM_BYTES))}.tmp`;
  return join(dirname(path), name);
}

/**
 * Replaces or creates the file at `path`: afterwards it holds `bytes`, and at every instant before
 * it held the old ones. The folder must be there. A symbolic link at `path` is itself replaced.
 * Errors: `local-io`, `no-space`; then the file is the old one, or the new one when only flushing
 * the folder failed.
 */
export function writeFileAtomic(
  fs: FileSystem,
  random: Random,
  path: string,
  bytes: Uint8Array,
  finished: FinishedFile = {},
): void {
  writeStreamAtomic(fs, random, path, (file) => file.write(bytes), finished);
}

/**
 * Like `writeFileAtomic`, but does not wait for the disk: after a power cut the file may be the old
 * one, or empty. For what somebody waits for and nothing depends on.
 */
export function writeFileUnflushed(
  fs: FileSystem,
  random: Random,
  path: string,
  bytes: Uint8Array,
): void {
  const temporary = temporaryPathBeside(random, path);
  const file = fs.createFile(temporary);
  try {
    try {
      file.write(bytes);
    } finally {
      file.close();
    }
    fs.rename(temporary, path);
  } catch (error) {
    removeQuietly(fs, temporary);
    throw error;
  }
}

/**
 * Like `writeFileAtomic` for content that is made piece by piece: `writeContent` writes to the
 * temporary file. When it throws, the file at `path` is untouched and the error passes through.
 */
export function writeStreamAtomic(
  fs: FileSystem,
  random: Random,
  path: string,
  writeContent: (file: WriteHandle) => void,
  finished: FinishedFile = {},
): void {
  withTemporaryFile(fs, random, path, writeContent, finished, (temporary) => {
    fs.rename(temporary, path);
  });
  fs.syncDir(dirname(path));
}

/**
 * What `createFileExclusive` does on a disk without hard links. `exclusive`: never replaces, but a
 * crash may leave part of the file. `atomic`: whole or absent, but of two processes creating the
 * same name in the same instant the second wins.
 */
export type WithoutHardLinks = "exclusive" | "atomic";

/**
 * Creates the file at `path` with `bytes`, whole or not at all, and never replaces one: false when
 * something has that name (then nothing changed). The folder must be there.
 */
export function createFileExclusive(
  fs: FileSystem,
  random: Random,
  path: string,
  bytes: Uint8Array,
  options: FinishedFile & { readonly withoutHardLinks?: WithoutHardLinks } = {},
): boolean {
  if (fs.lstat(path) !== null) return false;
  const created = withTemporaryFile(
    fs,
    random,
    path,
    (file) => file.write(bytes),
    options,
    (temporary): boolean | null => {
      const linked = fs.link(temporary, path);
      if (linked !== null) return linked;
      if ((options.withoutHardLinks ?? "exclusive") === "exclusive") return null;
      if (fs.lstat(path) !== null) return false;
      fs.rename(temporary, path);
      return true;
    },
  ) ?? createInPlace(fs, path, bytes, options);
  if (created) fs.syncDir(dirname(path));
  return created;
}

function createInPlace(
  fs: FileSystem,
  path: string,
  bytes: Uint8Array,
  finished: FinishedFile,
): boolean {
  let file: WriteHandle;
  try {
    file = fs.createFile(path);
  } catch (error) {
    if (fs.lstat(path) !== null) return false;
    throw error;
  }
  try {
    fill(fs, file, path, (handle) => handle.write(bytes), finished);
  } catch (error) {
    removeQuietly(fs, path);
    throw error;
  }
  return true;
}

/** Makes the temporary file, lets `publish` use it, and removes it when it still has its name. */
function withTemporaryFile<T>(
  fs: FileSystem,
  random: Random,
  path: string,
  writeContent: (file: WriteHandle) => void,
  finished: FinishedFile,
  publish: (temporary: string) => T,
): T {
  const temporary = temporaryPathBeside(random, path);
  const file = fs.createFile(temporary);
  try {
    fill(fs, file, temporary, writeContent, finished);
    return publish(temporary);
  } finally {
    removeQuietly(fs, temporary);
  }
}

function fill(
  fs: FileSystem,
  file: WriteHandle,
  path: string,
  writeContent: (file: WriteHandle) => void,
  finished: FinishedFile,
): void {
  try {
    writeContent(file);
    file.sync();
  } finally {
    file.close();
  }
  if (finished.mode !== undefined) fs.setMode(path, finished.mode);
  if (finished.mtimeMs !== undefined) fs.setMtime(path, finished.mtimeMs);
}

function removeQuietly(fs: FileSystem, path: string): void {
  try {
    fs.removeFile(path);
  } catch (error) {
    // What happened before matters more; a sweep finds the file later.
    if (!(error instanceof ClaudeSyncError)) throw error;
  }
}
