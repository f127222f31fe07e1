/**
 * Standard input and the terminal. `process.stdin`, `process.stdout` and `process.stderr` are slow
 * to touch for the first time, so nothing here does before it has to.
 */
import * as fs from "node:fs";
import process from "node:process";
import type { Writable } from "node:stream";
import { type Bytes, concat, utf8 } from "../base/bytes.ts";
import { errnoOf } from "../base/errno.ts";
import { localError } from "./local_error.ts";

const READ_BYTES = 64 * 1024;

/** A pipe whose writer is slow answers EAGAIN when it was made non-blocking. */
const AGAIN_PAUSE_MS = 5;
const AGAIN_ATTEMPTS = 400;

/** A standard stream. */
export type StandardStream = "stdin" | "stdout" | "stderr";

const DESCRIPTORS: Readonly<Record<StandardStream, number>> = { stdin: 0, stdout: 1, stderr: 2 };

/** What there is besides printing lines. */
export interface NodeStdio {
  /** Whether the stream is a terminal. */
  isTerminal(stream: StandardStream): Promise<boolean>;
  /** Width of the terminal at stderr, or null when it is none. */
  columns(): number | null;
  /**
   * Writes a line to stdout. A reader who has gone (`| head`) is no failure. Throws `no-space` or
   * `local-io` when the line cannot be kept, as on a full disk. Not for a console of Windows, which
   * has its own way for letters beyond ASCII.
   */
  out(line: string): void;
  /** The same without a newline. */
  outPart(text: string): void;
  /** Standard error, for questions on a terminal. */
  promptOutput(): Writable;
  /** Writes to stderr without a newline; loses the text when it cannot be written. */
  write(text: string): void;
  /**
   * Writes a line to stderr. Not `console.error`: on a terminal one runtime colours what it prints.
   */
  err(line: string): void;
  /** All of standard input, or null when it is longer than `maxBytes`. Rejects when aborted. */
  readInput(maxBytes: number, signal: AbortSignal): Promise<Bytes | null>;
}

/** The real streams. */
export function nodeStdio(): NodeStdio {
  return {
    isTerminal,
    out: (line) => outPart(`${line}\n`),
    promptOutput: () => process.stderr,
    columns: () => process.stderr.columns ?? null,
    outPart,
    write,
    err: (line) => write(`${line}\n`),
    readInput,
  };
}

async function isTerminal(stream: StandardStream): Promise<boolean> {
  const descriptor = DESCRIPTORS[stream];
  // `node:tty` takes as long to load as all of the command line; a pipe or file needs no asking.
  if (!mayBeTerminal(descriptor)) return false;
  return (await import("node:tty")).isatty(descriptor);
}

function mayBeTerminal(descriptor: number): boolean {
  if (process.platform === "win32") return true;
  try {
    return fs.fstatSync(descriptor).isCharacterDevice();
  } catch (error) {
    // Closed.
    if (errnoOf(error) === null) throw error;
    return false;
  }
}

function outPart(text: string): void {
  let rest: Uint8Array = utf8(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(fs.writeSync(1, rest));
    } catch (error) {
      const errno = errnoOf(error);
      // Nobody reads it any more, or nobody ever did.
      if (errno === "EPIPE" || errno === "EBADF") return;
      if (errno !== "EAGAIN") throw localError("write to", "standard output", error);
      pauseForPipe();
    }
  }
}

function write(text: string): void {
  let rest: Uint8Array = utf8(text);
  for (let attempt = 0; attempt < AGAIN_ATTEMPTS && rest.length > 0; attempt++) {
    try {
      rest = rest.subarray(fs.writeSync(2, rest));
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === null) throw error;
      // A closed terminal is no reason to fail.
      if (errno !== "EAGAIN") return;
      pauseForPipe();
    }
  }
}

function pauseForPipe(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, AGAIN_PAUSE_MS);
}

async function readInput(maxBytes: number, signal: AbortSignal): Promise<Bytes | null> {
  signal.throwIfAborted();
  const onAbort = () => void process.stdin.destroy();
  signal.addEventListener("abort", onAbort, { once: true });
  const parts: Uint8Array[] = [];
  let sizeBytes = 0;
  try {
    for await (const part of process.stdin) {
      if (!(part instanceof Uint8Array)) continue;
      sizeBytes += part.length;
      if (sizeBytes > maxBytes) return null;
      parts.push(part);
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    signal.throwIfAborted();
  }
  return concat(...parts);
}

/**
 * All of standard input at once, for the hooks, where start-up time counts: empty when it is a
 * terminal or `/dev/null`, null when it is longer than `maxBytes` or cannot be read. Blocks.
 */
export function readInputSync(maxBytes: number): Bytes | null {
  try {
    if (fs.fstatSync(0).isCharacterDevice()) return new Uint8Array(0);
  } catch (error) {
    // Closed: nothing to read.
    if (errnoOf(error) === null) throw error;
    return null;
  }
  const parts: Uint8Array[] = [];
  let sizeBytes = 0;
  for (;;) {
    const part = new Uint8Array(READ_BYTES);
    const got = readPart(part);
    if (got === null) return null;
    if (got === 0) return concat(...parts);
    sizeBytes += got;
    if (sizeBytes > maxBytes) return null;
    parts.push(part.subarray(0, got));
  }
}

function readPart(into: Uint8Array): number | null {
  for (let attempt = 0; attempt < AGAIN_ATTEMPTS; attempt++) {
    try {
      return fs.readSync(0, into);
    } catch (error) {
      const errno = errnoOf(error);
      // Windows reports the end of a pipe as an error.
      if (errno === "EOF") return 0;
      if (errno !== "EAGAIN") return null;
      pauseForPipe();
    }
  }
  return null;
}
