/** What `main.ts` gives to the command line; tests give stand-ins. */
import type { ConfirmOptions } from "@clack/prompts";
import type { Bytes } from "../base/bytes.ts";
import type { Platform } from "../platform/types.ts";
import type { SyncService } from "../sync/api.ts";

/** The standard streams. */
export interface Streams {
  /** Prints one or more lines to standard output; a newline is added. */
  out(text: string): void;
  /** Writes to standard output as it stands: the beginning of a line too long to be held. */
  outPart(text: string): void;
  /** Prints one or more lines to standard error; a newline is added. */
  err(text: string): void;
  /** Writes to standard error as it stands, for the progress line. */
  write(text: string): void;
  isTerminal(stream: "stdin" | "stdout" | "stderr"): Promise<boolean>;
  /** Where questions are asked: standard error. Only for when it is a terminal. */
  promptOutput(): NonNullable<ConfirmOptions["output"]>;
  /** Width of the terminal, or null when it cannot be told. */
  columns(): number | null;
  /** All of standard input, or null when it is longer than `maxBytes`. Rejects when aborted. */
  readInput(maxBytes: number, signal: AbortSignal): Promise<Bytes | null>;
}

/** Everything outside of the command line itself. */
export interface World {
  readonly platform: Platform;
  readonly streams: Streams;
  /** The use cases, loaded when they are first needed. */
  readonly service: () => Promise<SyncService>;
  /** Aborted by Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal;
  /** Ends our own handling of signals, when another program takes over the terminal. */
  readonly releaseSignals: () => void;
  /** What starts this program: its absolute path, or a runtime with its arguments. */
  readonly self: readonly [string, ...string[]];
  /** Names of all environment variables. */
  readonly envNames: readonly string[];
  readonly version: string;
}
