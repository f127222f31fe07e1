/**
 * Server processes that never outlive the process which started them, however that one ends.
 *
 * Each is watched by a shell that reads from a pipe. The pipe ends when it is closed, and when this
 * process dies, killed or not; then the shell ends the server and removes its folder.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import fs from "node:fs";
import { mkdtemp, readFile, realpath } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import process from "node:process";
import { until } from "../client/until.ts";

/** After this long a server that was asked to end is killed: tenths of a second. */
const GRACE_TENTHS = 50;

/** As much of a log as a failure shows. */
const LOG_TAIL_CHARACTERS = 4000;

// $1: folder, $2: log file, $3: grace, then the command. It runs in a process group of its own, so
// that `kill 0` reaches what the server has started and nothing else.
const WATCH = `
folder=$1; log=$2; grace=$3; shift 3
exec 3<&0
"$@" </dev/null >>"$log" 2>&1 3<&- &
server=$!
{
  read -r _ <&3
  kill -TERM $server 2>/dev/null
  while kill -0 $server 2>/dev/null && [ "$grace" -gt 0 ]; do sleep 0.1; grace=$((grace - 1)); done
  rm -rf -- "$folder"
  kill -KILL 0
} >/dev/null 2>&1 &
wait $server
echo "ended with exit code $?" >>"$log"
echo ended
wait
`;

/** A running server process. */
export interface Daemon {
  /** Whether the process has ended, asked or not. */
  readonly hasEnded: boolean;
  /** The end of what it has written, for the text of a failure. */
  log(): Promise<string>;
  /** Ends it with all that it has started and removes its folder. May be called again. */
  stop(): Promise<void>;
}

/** How a server process is started. */
export interface DaemonOptions {
  /** Removed when the process is stopped; its log is written here. */
  readonly folder: string;
  /** The whole environment; PATH and little else by default. */
  readonly env?: Readonly<Record<string, string>>;
  /** Tells logs of one folder apart. Default: the program's name. */
  readonly name?: string;
}

/** PATH with the folders of servers, which a plain user's lacks. */
export function serverPath(): string {
  return `${process.env["PATH"] ?? ""}:/usr/local/sbin:/usr/sbin:/sbin`;
}

/** Where a program is, or null. */
export function findProgram(name: string): string | null {
  for (const folder of serverPath().split(":")) {
    const path = join(folder, name);
    try {
      fs.accessSync(path, fs.constants.X_OK);
      return path;
    } catch {
      // Looked for in the next folder.
    }
  }
  return null;
}

/**
 * Why a server that needs these programs cannot run here: one is not installed, or this is not
 * Linux, for whose builds of the servers they are written. Null when it can.
 */
export function missingProgram(names: readonly string[]): string | null {
  if (process.platform !== "linux") return "it is started on Linux only";
  const missing = names.find((name) => findProgram(name) === null);
  return missing === undefined ? null : `${missing} is not installed`;
}

/** A new folder for one server. Its path is short: sockets inside must fit into 107 bytes. */
export async function serverFolder(): Promise<string> {
  return await realpath(await mkdtemp(join(tmpdir(), "css-")));
}

/** Starts a program that stays in the foreground. Readiness is the caller's to await. */
export function startDaemon(command: readonly string[], options: DaemonOptions): Daemon {
  const { folder, env = {} } = options;
  const log = join(folder, `${options.name ?? basename(command[0]!)}.log`);
  const shell = spawn("/bin/sh", ["-c", WATCH, "sh", folder, log, `${GRACE_TENTHS}`, ...command], {
    cwd: folder,
    detached: true,
    stdio: ["pipe", "pipe", "ignore"],
    env: { PATH: serverPath(), ...env },
  });
  return new WatchedDaemon(shell, log);
}

class WatchedDaemon implements Daemon {
  readonly #shell: ChildProcess;
  readonly #logFile: string;
  readonly #closed: Promise<void>;
  #hasEnded = false;

  constructor(shell: ChildProcess, logFile: string) {
    this.#shell = shell;
    this.#logFile = logFile;
    // The only thing that the shell says is that the server has ended.
    shell.stdout?.on("data", () => this.#hasEnded = true);
    this.#closed = new Promise((done) => {
      shell.on("close", () => {
        this.#hasEnded = true;
        done();
      });
      shell.on("error", () => done());
    });
    // Writing into a dead shell's pipe must not end this process.
    shell.stdin?.on("error", () => {});
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  async log(): Promise<string> {
    try {
      return (await readFile(this.#logFile, "utf8")).slice(-LOG_TAIL_CHARACTERS);
    } catch (error) {
      return `no log: ${error}`;
    }
  }

  async stop(): Promise<void> {
    this.#shell.stdin?.end();
    await this.#closed;
  }
}

/**
 * Waits until `probe` finds a server ready. Fails at once when one of its processes ends.
 *
 * @throws Error with the end of the logs.
 */
export async function untilReady(
  what: string,
  daemons: readonly Daemon[],
  probe: () => Promise<boolean>,
  deadlineMs = 60_000,
): Promise<void> {
  const logs = async () =>
    (await Promise.all(daemons.map((daemon) => daemon.log()))).join("\n--\n");
  await until(`${what} is ready`, async () => {
    if (daemons.some((daemon) => daemon.hasEnded)) {
      throw new Error(`A process of ${what} has ended:\n${await logs()}`);
    }
    return await probe();
  }, { deadlineMs, seen: logs });
}

/** Whether something answers HTTP at this address, with any status. */
export async function answersHttp(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(2000) });
    await response.body?.cancel();
    return true;
  } catch {
    // Not yet.
    return false;
  }
}
