import * as fs from "node:fs";
import process from "node:process";
import type { Bytes } from "../base/bytes.ts";
import { errnoOf } from "../base/errno.ts";
import { linkError, localError, tooLargeError } from "./local_error.ts";
import type { FileStat, ReadHandle, WriteHandle } from "./types.ts";

const isWindows = process.platform === "win32";

/** Bytes asked for at once when a file turns out longer than it said, as files under `/proc` do. */
const GROWTH_BYTES = 64 * 1024;

/** Translates what the runtime tells of a file. */
export function toStat(stat: fs.Stats): FileStat {
  return {
    kind: stat.isFile()
      ? "file"
      : stat.isDirectory()
      ? "directory"
      : stat.isSymbolicLink()
      ? "symlink"
      : "other",
    sizeBytes: stat.size,
    mtimeMs: Math.floor(stat.mtimeMs),
    ino: stat.ino,
    dev: stat.dev,
    nlink: stat.nlink,
    mode: isWindows ? 0 : stat.mode & 0o7777,
    uid: isWindows ? null : stat.uid,
  };
}

/**
 * Opens an ordinary file, for reading unless `access` says other, never through a symbolic link and
 * never waiting for the other end of a pipe. The caller closes the descriptor.
 */
export function openOrdinary(path: string, access = fs.constants.O_RDONLY): number {
  // Windows has neither flag, though the types promise them.
  const flags: Partial<typeof fs.constants> = fs.constants;
  const noFollow = flags.O_NOFOLLOW;
  const before = noFollow === undefined ? fs.lstatSync(path) : null;
  if (before?.isSymbolicLink()) throw linkError(path);
  let fd: number;
  try {
    fd = fs.openSync(path, access | (noFollow ?? 0) | (flags.O_NONBLOCK ?? 0));
  } catch (error) {
    // FreeBSD and NetBSD answer EMLINK and EFTYPE where others say ELOOP.
    if (["ELOOP", "EMLINK", "EFTYPE"].includes(errnoOf(error) ?? "")) throw linkError(path, error);
    throw error;
  }
  const opened = fs.fstatSync(fd);
  const swapped = before !== null && (before.ino !== opened.ino || before.dev !== opened.dev);
  if (swapped || !opened.isFile()) {
    fs.closeSync(fd);
    if (swapped) throw linkError(path);
    throw localError("open", path, new Error("it is not an ordinary file"));
  }
  return fd;
}

/** Reads all of an open file; throws `too-large` as soon as it proves longer than `maxBytes`. */
export function readBounded(fd: number, path: string, maxBytes: number): Bytes {
  let sizeBytes = fs.fstatSync(fd).size;
  if (sizeBytes > maxBytes) throw tooLargeError(path, maxBytes);
  let bytes = new Uint8Array(sizeBytes);
  let filled = 0;
  for (;;) {
    filled += readFully(fd, bytes.subarray(filled), filled);
    if (filled < bytes.length) return bytes.slice(0, filled);
    const more = new Uint8Array(Math.min(GROWTH_BYTES, maxBytes - filled + 1));
    const grownBytes = readFully(fd, more, filled);
    if (grownBytes === 0) return bytes;
    sizeBytes = filled + grownBytes;
    if (sizeBytes > maxBytes) throw tooLargeError(path, maxBytes);
    const longer = new Uint8Array(sizeBytes);
    longer.set(bytes);
    longer.set(more.subarray(0, grownBytes), filled);
    bytes = longer;
    filled = sizeBytes;
  }
}

/** Fills `into`; gives the bytes read, less only at the end of the file. */
function readFully(fd: number, into: Uint8Array, offset: number): number {
  let filled = 0;
  while (filled < into.length) {
    const got = fs.readSync(fd, into, filled, into.length - filled, offset + filled);
    if (got === 0) break;
    filled += got;
  }
  return filled;
}

/** A descriptor as the contract's `ReadHandle`. */
export class NodeReadHandle implements ReadHandle {
  #fd: number | null;
  readonly #path: string;

  constructor(fd: number, path: string) {
    this.#fd = fd;
    this.#path = path;
  }

  stat(): FileStat {
    return call("look at", this.#path, this.#fd, (fd) => toStat(fs.fstatSync(fd)));
  }

  readAt(into: Uint8Array, offset: number): number {
    return call("read", this.#path, this.#fd, (fd) => readFully(fd, into, offset));
  }

  close(): void {
    const fd = this.#fd;
    this.#fd = null;
    if (fd !== null) call("close", this.#path, fd, fs.closeSync);
  }
}

/** A descriptor as the contract's `WriteHandle`. */
export class NodeWriteHandle implements WriteHandle {
  #fd: number | null;
  readonly #path: string;

  constructor(fd: number, path: string) {
    this.#fd = fd;
    this.#path = path;
  }

  write(bytes: Uint8Array): void {
    call("write", this.#path, this.#fd, (fd) => {
      let written = 0;
      while (written < bytes.length) {
        const got = fs.writeSync(fd, bytes, written, bytes.length - written);
        if (got === 0) throw new Error("the disk takes no more bytes");
        written += got;
      }
    });
  }

  sync(): void {
    call("flush", this.#path, this.#fd, (fd) => {
      try {
        fs.fsyncSync(fd);
      } catch (error) {
        // Some mounts know no fsync at all; then the write itself is all that they promise.
        if (!["EINVAL", "ENOSYS", "ENOTSUP", "EOPNOTSUPP"].includes(errnoOf(error) ?? "")) {
          throw error;
        }
      }
    });
  }

  close(): void {
    const fd = this.#fd;
    this.#fd = null;
    // Network mounts report a full disk only here.
    if (fd !== null) call("close", this.#path, fd, fs.closeSync);
  }
}

function call<T>(action: string, path: string, fd: number | null, run: (fd: number) => T): T {
  try {
    if (fd === null) throw new Error("the file is closed");
    return run(fd);
  } catch (error) {
    throw localError(action, path, error);
  }
}
