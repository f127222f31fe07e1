import { errnoOf } from "../base/errno.ts";
import { ClaudeSyncError } from "../errors.ts";

const NO_SPACE = new Set(["ENOSPC", "EDQUOT"]);

const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: "Free some space on that disk, then run the command again",
  EDQUOT: "The disk quota is used up; free some space, then run the command again",
  EROFS: "That disk is mounted read-only",
  EACCES: "Check the permissions of that path and of the folders above it",
  EPERM: "Check the permissions of that path and of the folders above it",
  ENOTDIR: "A part of that path is a file, not a folder",
  EEXIST: "Something with that name is there already",
  EBUSY: "Another program holds it; close that program, then try again",
  ENAMETOOLONG: "The path is longer than this disk allows",
  EMFILE: "Too many files are open; raise the limit (ulimit -n)",
  ENFILE: "Too many files are open on this machine",
  EIO: "The disk reports a hardware or connection error",
  ESTALE: "The network folder was unmounted or moved; mount it again",
};

/**
 * The error for a failed call on a local path: `no-space` when the disk or quota is full, else
 * `local-io`. `action` completes "Cannot …", e.g. `read` or `create the folder`.
 */
export function localError(action: string, path: string, cause: unknown): ClaudeSyncError {
  const errno = errnoOf(cause);
  const full = errno !== null && NO_SPACE.has(errno);
  const hint = errno === null ? undefined : HINTS[errno];
  return new ClaudeSyncError(
    full ? "no-space" : "local-io",
    `Cannot ${action} "${path}"${errno === null ? "" : ` (${errno})`}`,
    { path, cause, ...(hint === undefined ? {} : { hint }) },
  );
}

/** The error for a symbolic link where only a real file is acceptable. */
export function linkError(path: string, cause?: unknown): ClaudeSyncError {
  return new ClaudeSyncError(
    "unsafe-file",
    `"${path}" is a symbolic link, which is not followed here`,
    { path, cause, hint: "Put the real file in its place" },
  );
}

/** The error for a file that is larger than its named limit. */
export function tooLargeError(path: string, maxBytes: number): ClaudeSyncError {
  return new ClaudeSyncError("too-large", `"${path}" is larger than ${maxBytes} bytes`, { path });
}
