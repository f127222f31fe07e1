/** The key file: read with suspicion, written once, never replaced. */
import { dirname } from "node:path";
import type { Bytes } from "../base/bytes.ts";
import { decodeKeyFile, KEY_TEXT_BYTES_MAX, type RootKey } from "../crypto/root_key.ts";
import { rootKeyFromBytes } from "../crypto/root_key.ts";
import { ClaudeSyncError } from "../errors.ts";
import { createFileExclusive } from "../platform/atomic_file.ts";
import type { Platform } from "../platform/types.ts";

/**
 * The key in `path`, or null when there is no such file. Errors: `unsafe-file` for a link, another
 * owner, or a file that others may read or that has a second name; `key-malformed`.
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

/** Bytes of a file that only its owner may read; null when absent. Errors as `readKeyFile`. */
export function readSecretFile(platform: Platform, path: string): Bytes | null {
  const { fs, host } = platform;
  const stat = fs.lstat(path);
  if (stat === null) return null;
  const refuse = (why: string, hint: string) =>
    new ClaudeSyncError("unsafe-file", `"${path}" ${why}`, { path, hint });
  if (stat.kind !== "file") throw refuse("is not a regular file", "Put the key itself there");
  if (host.os !== "windows") {
    if (stat.uid !== null && host.uid !== null && stat.uid !== host.uid) {
      throw refuse("belongs to another user", `Make it yours: chown "$USER" '${path}'`);
    }
    if ((stat.mode & 0o077) !== 0) {
      throw refuse("may be read by other users", `Close it: chmod 600 '${path}'`);
    }
    if (stat.nlink > 1) throw refuse("has a second name (hard link)", "Remove the other name");
  }
  return fs.readFile(path, KEY_TEXT_BYTES_MAX);
}

/** Creates a secret file (0600). False when one is there already; it is never replaced. */
export function createSecretFile(platform: Platform, path: string, bytes: Bytes): boolean {
  platform.fs.makeDir(dirname(path));
  return createFileExclusive(platform.fs, platform.random, path, bytes);
}
