/** The key file: read with suspicion, written once, never replaced. */
import { dirname, join } from "node:path";
import type { Bytes } from "../base/bytes.ts";
import { decodeKeyFile, KEY_TEXT_BYTES_MAX, type RootKey } from "../crypto/root_key.ts";
import { rootKeyFromBytes } from "../crypto/root_key.ts";
import { ClaudeSyncError } from "../errors.ts";
import { createFileExclusive, TEMPORARY_NAME } from "../platform/atomic_file.ts";
import type { FileStat, FileSystem, Platform } from "../platform/types.ts";

/**
 * The key in `path`, or null when there is no such file. Errors: `unsafe-file` for a link, another
 * owner, or a file that others may read (one in our own closed folder is closed instead) or that
 * has a second name; `key-malformed`.
 */
export function readKeyFile(platform: Platform, path: string): RootKey | null {
  const bytes = readSecretFile(platform, path);
  if (bytes === null) return null;
  const key = decodeKeyFile(bytes);
  if (key === null) {
    throw new ClaudeSyncError("key-malformed", `"${path}" does not hold a key`, { path });
  }
  return rootKeyFromBytes(key);
}

/**
 * Bytes of a file that only its owner may read; null when absent. Errors as `readKeyFile`, and
 * `too-large` past `bytesMax`.
 */
export function readSecretFile(
  platform: Platform,
  path: string,
  bytesMax = KEY_TEXT_BYTES_MAX,
): Bytes | null {
  const { fs, host } = platform;
  let stat = fs.lstat(path);
  if (stat !== null && stat.nlink > 1) {
    removeUnfinishedName(fs, path, stat);
    stat = fs.lstat(path);
  }
  if (stat === null) return null;
  const refuse = (why: string, hint: string) =>
    new ClaudeSyncError("unsafe-file", `"${path}" ${why}`, { path, hint });
  if (stat.kind !== "file") throw refuse("is not a regular file", "Put the file itself there");
  if (host.os !== "windows") {
    if (stat.uid !== null && host.uid !== null && stat.uid !== host.uid) {
      throw refuse("belongs to another user", `Make it yours: chown "$USER" '${path}'`);
    }
    if ((stat.mode & 0o077) !== 0 && isInOwnFolder(platform, path)) {
      // Nobody else could reach it there; a shell that wrote it knows only its umask.
      fs.setMode(path, 0o600);
      stat = fs.lstat(path) ?? stat;
    }
    if ((stat.mode & 0o077) !== 0) {
      throw refuse("may be read by other users", `Close it: chmod 600 '${path}'`);
    }
    if (stat.nlink > 1) throw refuse("has a second name (hard link)", "Remove the other name");
  }
  return fs.readFile(path, bytesMax);
}

/** Whether the file's folder is ours and closed to everybody else. */
function isInOwnFolder({ fs, host }: Platform, path: string): boolean {
  const dir = dirname(path);
  const stat = fs.lstat(fs.realpath(dir) ?? dir);
  return stat?.kind === "directory" && stat.uid === host.uid && (stat.mode & 0o077) === 0;
}

/** A crash between giving a new file its name and taking away its temporary one leaves both. */
function removeUnfinishedName(fs: FileSystem, path: string, stat: FileStat): void {
  const dir = dirname(path);
  for (const { name } of fs.readDir(dir) ?? []) {
    if (!TEMPORARY_NAME.test(name)) continue;
    const other = fs.lstat(join(dir, name));
    if (other?.ino === stat.ino && other.dev === stat.dev) fs.removeFile(join(dir, name));
  }
}

/** Creates a secret file (0600). False when one is there already; it is never replaced. */
export function createSecretFile(platform: Platform, path: string, bytes: Bytes): boolean {
  platform.fs.makeDir(dirname(path));
  return createFileExclusive(platform.fs, platform.random, path, bytes);
}
