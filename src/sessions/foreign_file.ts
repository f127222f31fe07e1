/**
 * Looking at files of other programs. They are hints: one that is absent, locked, too large or a
 * link in a circle tells nothing, and is no reason to stop.
 */
import { isClaudeSyncError } from "../errors.ts";
import type { Bytes } from "../base/bytes.ts";
import type { FileStat, FileSystem } from "../platform/types.ts";

/** What `look` gives, or null when the system or a limit does not let it. */
export function ifReadable<T>(look: () => T): T | null {
  try {
    return look();
  } catch (error) {
    if (isClaudeSyncError(error, "local-io", "too-large", "unsafe-file")) return null;
    throw error;
  }
}

/** The real path, or null when there is none or it cannot be told. */
export function realpathIfAny(fs: FileSystem, path: string): string | null {
  return ifReadable(() => fs.realpath(path));
}

/** What is at `path` when links are followed, or null. */
export function statIfAny(fs: FileSystem, path: string): FileStat | null {
  const real = realpathIfAny(fs, path);
  return real === null ? null : ifReadable(() => fs.lstat(real));
}

/** The content, links followed, or null when it cannot be had or is longer than `bytesMax`. */
export function readIfAny(fs: FileSystem, path: string, bytesMax: number): Bytes | null {
  const real = realpathIfAny(fs, path);
  return real === null ? null : ifReadable(() => fs.readFile(real, bytesMax));
}
