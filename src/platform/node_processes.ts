/**
 * Child processes through `node:child_process`, which is slow to load and therefore only loaded by
 * the first call.
 */
import type { ChildProcess, SpawnOptions } from "node:child_process";
import { existsSync } from "node:fs";
import * as os from "node:os";
import { win32 } from "node:path";
import process from "node:process";
import type { Readable, Writable } from "node:stream";
import { assert } from "../base/assert.ts";
import { type Bytes, concat } from "../base/bytes.ts";
import { errnoOf } from "../base/errno.ts";
import { ClaudeSyncError } from "../errors.ts";
import { type QuickSpawn, quickSpawn } from "./bun_spawn.ts";
import { localError } from "./local_error.ts";
import type { ChildOptions, DetachedOptions, Processes, RunOptions, RunResult } from "./types.ts";

const RUN_TIMEOUT_MS = 60_000;
const RUN_OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

/** How long a child may clean up after being asked to end (git removes its lock files). */
const END_GRACE_MS = 2_000;

/** The real child processes. */
export function nodeProcesses(): Processes {
  return { run, exec, spawnDetached };
}

async function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  options.signal?.throwIfAborted();
  const { stdin = "ignore" } = options;
  const child = await start(argv, options, {
    stdio: [typeof stdin === "string" ? stdin : "pipe", "pipe", "pipe"],
    windowsHide: true,
  });
  return new Promise((resolve, reject) => {
    const watch = new ChildWatch(child, argv, options, reject);
    const stdout = watch.collect(child.stdout);
    const stderr = watch.collect(child.stderr);
    if (typeof stdin !== "string") {
      // A child may end without reading all of its input; its exit code says whether that is bad.
      child.stdin?.on("error", () => {});
      if (stdin instanceof Uint8Array) child.stdin?.end(stdin);
      else void feed(child.stdin!, stdin, watch);
    }
    child.on("close", (code, signal) => {
      if (!watch.settle()) return;
      resolve({ code, signal, stdout: concat(...stdout), stderr: concat(...stderr) });
    });
  });
}

/** Writes piece by piece, holding one at a time; ends early when the child does. */
async function feed(into: Writable, pieces: AsyncIterable<Bytes>, watch: ChildWatch) {
  try {
    for await (const piece of pieces) {
      if (into.destroyed || watch.isSettled) return;
      if (!into.write(piece)) await untilWritable(into);
    }
    into.end();
  } catch (error) {
    watch.fail(error);
  }
}

function untilWritable(into: Writable): Promise<void> {
  return new Promise((resolve) => {
    if (into.destroyed) return resolve();
    const done = () => {
      into.off("drain", done);
      into.off("close", done);
      resolve();
    };
    into.on("drain", done);
    into.on("close", done);
  });
}

/** The limits on one running child: time, output, abort. The first to be broken rejects. */
class ChildWatch {
  readonly #child: ChildProcess;
  readonly #options: RunOptions;
  readonly #program: string;
  readonly #reject: (reason: unknown) => void;
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #onAbort: () => void;
  #settled = false;

  constructor(
    child: ChildProcess,
    argv: readonly string[],
    options: RunOptions,
    reject: (reason: unknown) => void,
  ) {
    this.#child = child;
    this.#options = options;
    this.#program = argv[0] ?? "";
    this.#reject = reject;
    const timeoutMs = options.timeoutMs ?? RUN_TIMEOUT_MS;
    this.#timer = setTimeout(() => {
      this.fail(
        new ClaudeSyncError("local-io", `"${this.#program}" did not end within ${timeoutMs} ms`),
      );
    }, timeoutMs);
    this.#onAbort = () => this.fail(options.signal?.reason);
    options.signal?.addEventListener("abort", this.#onAbort, { once: true });
    // Aborted while the child was being started.
    if (options.signal?.aborted) this.#onAbort();
    child.on("error", (error) => this.fail(localError("run", this.#program, error)));
  }

  /** Gathers what comes out of `stream`, up to the limit. */
  collect(stream: Readable | null): Bytes[] {
    const parts: Bytes[] = [];
    const maxBytes = this.#options.outputBytesMax ?? RUN_OUTPUT_BYTES_MAX;
    let sizeBytes = 0;
    stream?.on("data", (part: Bytes) => {
      sizeBytes += part.length;
      if (sizeBytes <= maxBytes) return void parts.push(part);
      this.fail(
        new ClaudeSyncError("too-large", `"${this.#program}" printed more than ${maxBytes} bytes`),
      );
    });
    return parts;
  }

  /** Whether the run has its result, good or bad. */
  get isSettled(): boolean {
    return this.#settled;
  }

  /** Ends the watch; true for the first call only. */
  settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    clearTimeout(this.#timer);
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    return true;
  }

  /** Kills the child and rejects when it has ended, so that it changes nothing behind our back. */
  fail(reason: unknown): void {
    if (!this.settle()) return;
    const child = this.#child;
    const hasEnded = child.exitCode !== null || child.signalCode !== null;
    if (child.pid === undefined || hasEnded) return this.#reject(reason);
    child.kill("SIGTERM");
    const force = setTimeout(() => child.kill("SIGKILL"), END_GRACE_MS);
    child.once("exit", () => {
      clearTimeout(force);
      // A grandchild may hold the pipes open; nobody reads them any more.
      child.stdout?.destroy();
      child.stderr?.destroy();
      this.#reject(reason);
    });
  }
}

async function exec(argv: readonly string[], options: ChildOptions = {}): Promise<number> {
  const child = await start(argv, options, { stdio: "inherit" });
  // Ctrl-C reaches the child as well: it decides what that means, and we end when it does.
  const stay = () => {};
  const forward = (signal: NodeJS.Signals) => void child.kill(signal);
  process.on("SIGINT", stay);
  const forwarded: NodeJS.Signals[] = process.platform === "win32" ? [] : ["SIGTERM", "SIGHUP"];
  for (const signal of forwarded) process.on(signal, forward);
  try {
    return await new Promise((resolve, reject) => {
      child.on("error", (error) => reject(localError("run", argv[0] ?? "", error)));
      child.on("exit", (code, signal) => resolve(code ?? 128 + signalNumber(signal)));
    });
  } finally {
    process.off("SIGINT", stay);
    for (const signal of forwarded) process.off(signal, forward);
  }
}

function signalNumber(signal: NodeJS.Signals | null): number {
  return signal === null ? 0 : os.constants.signals[signal] ?? 0;
}

async function spawnDetached(
  argv: readonly string[],
  options: DetachedOptions = {},
): Promise<void> {
  const { afterMs } = options;
  const command = afterMs === undefined ? argv : delayed(argv, afterMs);
  const quick = process.platform === "win32" ? null : quickSpawn();
  if (quick !== null) return startQuickly(quick, command, options);
  const child = await start(command, options, {
    stdio: "ignore",
    detached: true,
    windowsHide: true,
  });
  child.unref();
}

function startQuickly(
  spawn: QuickSpawn,
  argv: readonly string[],
  { cwd, env = {} }: ChildOptions,
): void {
  assertProgram(argv[0]);
  try {
    spawn(argv, { env: childEnvironment(env), ...(cwd === undefined ? {} : { cwd }) });
  } catch (error) {
    throw startError(argv[0], cwd, error);
  }
}

const SHELL = "/bin/sh";

/**
 * The same program behind a shell that sleeps first, where there is one and the program is a path
 * that exists. A runtime of a hundred megabytes that starts while another one is on its way out
 * holds that up by several milliseconds; a shell does not. Where `sleep` knows no fractions, the
 * program starts at once.
 */
function delayed(argv: readonly string[], afterMs: number): readonly string[] {
  const [program = ""] = argv;
  const isPosix = process.platform !== "win32" && program.startsWith("/");
  if (!isPosix || !existsSync(program) || !existsSync(SHELL)) return argv;
  return [SHELL, "-c", `/bin/sleep ${afterMs / 1000}; exec "$0" "$@"`, ...argv];
}

/** Starts the program; resolves when it runs, rejects when it cannot. */
async function start(
  argv: readonly string[],
  options: ChildOptions,
  spawnOptions: SpawnOptions,
): Promise<ChildProcess> {
  const [name, ...args] = argv;
  assertProgram(name);
  const env = childEnvironment(options.env ?? {});
  const program = resolveProgram(name, env);
  if (program === null) throw noProgram(name);
  if (process.platform === "win32" && /\.(cmd|bat)$/i.test(program)) throw batchFile(program);
  const { spawn } = await import("node:child_process");
  const cwd = options.cwd === undefined ? {} : { cwd: options.cwd };
  try {
    const child = spawn(program, args, { ...spawnOptions, ...cwd, env, shell: false });
    if (child.pid === undefined) {
      await new Promise((resolve, reject) => {
        child.once("spawn", resolve);
        child.once("error", reject);
      });
    }
    return child;
  } catch (error) {
    throw startError(name, options.cwd, error);
  }
}

function assertProgram(name: string | undefined): asserts name is string {
  assert(name !== undefined && name !== "", "a child process needs a program");
}

function startError(name: string, cwd: string | undefined, error: unknown): ClaudeSyncError {
  if (cwd !== undefined && !existsSync(cwd)) {
    return localError("start a program in", cwd, error);
  }
  if (errnoOf(error) === "ENOENT") return noProgram(name, error);
  return localError("start", name, error);
}

function noProgram(name: string, cause?: unknown): ClaudeSyncError {
  return new ClaudeSyncError("not-found", `There is no program "${name}"`, {
    cause,
    hint: `Install "${name}", or add the folder it is in to PATH`,
  });
}

function batchFile(program: string): ClaudeSyncError {
  return new ClaudeSyncError("local-io", `"${program}" is a batch file, which needs a shell`, {
    path: program,
    hint: "Install the version of the program that is an .exe file",
  });
}

/** Names of variables are compared without case on Windows, as Windows does. */
function childEnvironment(
  changes: Readonly<Record<string, string | null>>,
): Record<string, string> {
  const fold = process.platform === "win32"
    ? (name: string) => name.toUpperCase()
    : (name: string) => name;
  const changed = new Set(Object.keys(changes).map(fold));
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && !changed.has(fold(name))) env[name] = value;
  }
  for (const [name, value] of Object.entries(changes)) {
    if (value !== null) env[name] = value;
  }
  return env;
}

function resolveProgram(name: string, env: Readonly<Record<string, string>>): string | null {
  if (process.platform !== "win32") return name;
  const path = Object.entries(env).find(([key]) => key.toUpperCase() === "PATH")?.[1] ?? "";
  return resolveWindowsProgram(name, path, existsSync);
}

/**
 * Finds `name` as Windows should: only in the absolute folders of `path`. Windows itself looks into
 * the current folder first, where a cloned project may have planted a `git.exe`. A name with a
 * folder in it is taken as it is. An `.exe` in any folder wins over a batch file. Null when absent.
 */
export function resolveWindowsProgram(
  name: string,
  path: string,
  exists: (path: string) => boolean,
): string | null {
  if (/[\\/:]/.test(name)) return name;
  const folders = path.split(";")
    .map((folder) => folder.trim().replace(/^"(.*)"$/, "$1"))
    .filter((folder) => win32.isAbsolute(folder) && /^([A-Za-z]:[\\/]|\\\\)/.test(folder));
  const hasExtension = /\.(exe|com|cmd|bat)$/i.test(name);
  for (const extension of hasExtension ? [""] : [".exe", ".com", ".cmd", ".bat"]) {
    for (const folder of folders) {
      const candidate = win32.join(folder, name + extension);
      if (exists(candidate)) return candidate;
    }
  }
  return null;
}
