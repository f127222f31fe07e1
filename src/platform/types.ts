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
 * `ClaudeSyncError` with code `local-io` or `no-space` and the path, its cause the system's error
 * (`errnoOf` in `base/errno.ts` tells which). A symbolic link where none is followed:
 * `unsafe-file`.
 */
export interface FileSystem {
  /** Does not follow a symbolic link at the end. Null when absent. */
  lstat(path: string): FileStat | null;
  /** Follows links. Null when absent or dangling. */
  realpath(path: string): string | null;
  /** Null when absent or not a folder. Order is by name (UTF-16 units). */
  readDir(path: string): DirEntry[] | null;
  /**
   * Whole file, never through a symbolic link at the end. Null when absent. Throws `too-large` past
   * `maxBytes`.
   */
  readFile(path: string, maxBytes: number): Bytes | null;
  /** Opens for reading, never through a symbolic link at the end. Null when absent. Close it. */
  openRead(path: string): ReadHandle | null;
  /** Creates the folder and its parents (mode 0700 for those it makes). */
  makeDir(path: string): void;
  /**
   * Creates a new file (O_EXCL, 0600) for writing. Throws `local-io` when it exists.
   */
  createFile(path: string): WriteHandle;
  /**
   * Opens an ordinary file to write at its end, wherever that is when a write comes: what another
   * process appends meanwhile is never overwritten. Never through a symbolic link at the end. Null
   * when absent. Close it.
   */
  openAppend(path: string): WriteHandle | null;
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

/**
 * A file being made. Without `sync` nothing is promised after a power cut. `close` is idempotent.
 */
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

/** Where and with what a child process runs. */
export interface ChildOptions {
  /** Absolute; the current folder unless given. */
  readonly cwd?: string;
  /** Changes to our own environment; a variable with the value null is left out. */
  readonly env?: Readonly<Record<string, string | null>>;
}

/** How `run` feeds and bounds a child process. */
export interface RunOptions extends ChildOptions {
  /**
   * What it reads: bytes, bytes that come piece by piece (each is asked for when the child has
   * taken the one before; when asking throws, the child is killed and that error rejects), our own
   * standard input, or nothing (the default).
   */
  readonly stdin?: Bytes | AsyncIterable<Bytes> | "inherit" | "ignore";
  /** Killed after this time; 60 s unless given. */
  readonly timeoutMs?: number;
  /**
   * The most that is kept of stdout and of stderr, each; 16 MiB unless given. Past it the child is
   * killed.
   */
  readonly outputBytesMax?: number;
  /** Aborting kills the child and rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** How `spawnDetached` starts a process. */
export interface DetachedOptions extends ChildOptions {
  /**
   * The program is asked to wait for this long before it loads, so that whoever waits for us to
   * end does not wait for it too. Where the system has no way to do that it starts at once.
   */
  readonly afterMs?: number;
}

/** How a child process ended. */
export interface RunResult {
  /** Exit code, or null when a signal ended it. */
  readonly code: number | null;
  /** E.g. `SIGTERM`, or null. */
  readonly signal: string | null;
  readonly stdout: Bytes;
  readonly stderr: Bytes;
}

/**
 * Other programs, started directly and never through a shell. `argv[0]` is an absolute path or a
 * name looked up in PATH. Errors: `not-found` when there is no such program, `local-io` when it
 * cannot be started or runs past its time, `too-large` when it prints more than it may.
 */
export interface Processes {
  /** Runs to the end and collects what it prints. An exit code other than 0 is a result. */
  run(argv: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** Runs with our terminal and gives its exit code (128 + number when a signal ended it). */
  exec(argv: readonly string[], options?: ChildOptions): Promise<number>;
  /**
   * Starts it in a session of its own without input or output; it survives us. Resolves once
   * started.
   */
  spawnDetached(argv: readonly string[], options?: DetachedOptions): Promise<void>;
}

/** One exchange with an HTTP server. */
export interface HttpRequest {
  readonly method: string;
  /** Absolute, `https:` or `http:`; already percent-encoded as it shall be sent. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Bytes;
  /** For everything from the connection to the last byte of the answer. */
  readonly timeoutMs: number;
  /**
   * For each wait: until the answer begins, and between its pieces. Not for requests with a large
   * body, as sending it is such a wait. Default: `timeoutMs` alone.
   */
  readonly silenceMsMax?: number;
  /** The most that is taken of the answer's body. */
  readonly bodyBytesMax: number;
  /** Aborting rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** An answer of any status. */
export interface HttpResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Bytes;
}

/**
 * HTTP and HTTPS, through the proxy and with the certificates that the user's environment names.
 * Redirects are answers like any other: nothing is followed, so nothing is sent to a server that
 * the caller did not name. A body brings no header of its own but its length. Errors:
 * `store-unreachable` when no whole answer came in time, `too-large` past `bodyBytesMax`.
 */
export interface Http {
  request(request: HttpRequest): Promise<HttpResponse>;
}

/** The memory that this process takes. */
export interface Memory {
  /**
   * Says that so many bytes went through buffers that nobody holds any more. Where the runtime can
   * be told, their memory is used again before much more is taken; once in a while that takes
   * milliseconds.
   */
  passed(sizeBytes: number): void;
}

/** Everything together, as `main.ts` builds it. */
export interface Platform {
  readonly clock: Clock;
  readonly random: Random;
  readonly fs: FileSystem;
  readonly host: Host;
  readonly processes: Processes;
  readonly http: Http;
  readonly memory: Memory;
}
