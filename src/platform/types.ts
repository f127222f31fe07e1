/**
 * What the program needs from the world. Everything that is not a pure function takes these as
 * arguments, so that tests and the simulation can replace the world. `node.ts` is the real one.
 */
import type { Bytes } from "../base/bytes.ts";

/** Wall and monotonic time. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number;
  /** Milliseconds since an arbitrary start; never goes back. */
  monotonicMs(): number;
  /** Resolves after `ms`, or rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Cryptographically secure random bytes. Limits: any `length` (chunks are handled inside). */
export interface Random {
  bytes(length: number): Bytes;
}

/** What `lstat` tells. Times are milliseconds: Deno has no finer ones. */
export interface FileStat {
  readonly kind: "file" | "directory" | "symlink" | "other";
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  readonly ino: number;
  readonly dev: number;
  /** Hard links to the file. */
  readonly nlink: number;
  /** Permission bits (0 on Windows where they mean nothing). */
  readonly mode: number;
  /** Owner, or null where the platform has none. */
  readonly uid: number | null;
}

/** One name in a folder. */
export interface DirEntry {
  readonly name: string;
  readonly kind: "file" | "directory" | "symlink" | "other";
}

/**
 * Local files. Synchronous on purpose: the calls are short, the fastest on both runtimes, and a
 * simulated disk can order them. Absent is a value (`null` or false); every other failure is a
 * `ClaudeSyncError` with code `local-io` or `no-space` and the path.
 */
export interface FileSystem {
  /** Does not follow a symbolic link at the end. Null when absent. */
  lstat(path: string): FileStat | null;
  /** Follows links. Null when absent or dangling. */
  realpath(path: string): string | null;
  /** Null when absent or not a folder. Order is by name (UTF-16 units). */
  readDir(path: string): DirEntry[] | null;
  /** Whole file, never through a symbolic link at the end. Null when absent. Throws `too-large` past `maxBytes`. */
  readFile(path: string, maxBytes: number): Bytes | null;
  /** Opens for reading, never through a symbolic link at the end. Null when absent. */
  openRead(path: string): ReadHandle | null;
  /** Creates the folder and its parents (mode 0700 for those it makes). */
  makeDir(path: string): void;
  /**
   * Creates a new file (O_EXCL, 0600) for writing. Throws `local-io` when it exists.
   */
  createFile(path: string): WriteHandle;
  /** Atomically gives `from` the name `to`, replacing a file there. */
  rename(from: string, to: string): void;
  /** Second name for a file; false when `to` exists, null when the disk has no hard links. */
  link(from: string, to: string): boolean | null;
  /** Removes a file or link. False when absent. */
  removeFile(path: string): boolean;
  /** Removes an empty folder. False when absent or not empty. */
  removeDir(path: string): boolean;
  /** Flushes the folder's entries; does nothing where the platform cannot. */
  syncDir(path: string): void;
  /** Sets the modification time. */
  setMtime(path: string, mtimeMs: number): void;
  /** Sets permission bits; does nothing where they mean nothing. */
  setMode(path: string, mode: number): void;
}

/** An open file. `close` is idempotent. */
export interface ReadHandle {
  stat(): FileStat;
  /** Fills `into` from `offset`; gives the bytes read, less only at the end of the file. */
  readAt(into: Uint8Array, offset: number): number;
  close(): void;
}

/** A file being made. Without `sync` nothing is promised after a power cut. `close` is idempotent. */
export interface WriteHandle {
  write(bytes: Uint8Array): void;
  /** fsync. */
  sync(): void;
  close(): void;
}

/** Facts about the process and the machine. */
export interface Host {
  readonly os: "linux" | "darwin" | "windows";
  readonly arch: string;
  readonly pid: number;
  /** The user's home folder, absolute. */
  readonly home: string;
  /** Current folder, absolute. */
  cwd(): string;
  /** Environment variable, undefined when unset or empty. */
  env(name: string): string | undefined;
  readonly hostname: string;
  readonly uid: number | null;
  /** Absolute path of the running executable. */
  readonly executable: string;
  /** Whether a process lives, and its start time in clock ticks where `/proc` tells (else null). */
  process(pid: number): { alive: boolean; startTicks: string | null };
}

/** Everything together, as `main.ts` builds it. */
export interface Platform {
  readonly clock: Clock;
  readonly random: Random;
  readonly fs: FileSystem;
  readonly host: Host;
}
