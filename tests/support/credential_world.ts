/** A machine with the files, variables, programs and servers that credentials come from. */
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { inspect } from "node:util";
import { type Bytes, utf8 } from "../../src/base/bytes.ts";
import { ClaudeSyncError } from "../../src/errors.ts";
import type {
  Clock,
  Host,
  Http,
  HttpRequest,
  HttpResponse,
  Processes,
  RunOptions,
  RunResult,
} from "../../src/platform/types.ts";
import { MemoryFs } from "./memory_fs.ts";

/** What is on the machine. */
export interface CredentialWorldOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly os?: Host["os"];
  /** By absolute path. */
  readonly files?: Readonly<Record<string, string | Bytes>>;
  /** Answers in place of programs; null: there is no such program. */
  readonly run?: (argv: readonly string[], options: RunOptions) => ProgramEnd | null;
  /** Answers in place of the network. */
  readonly http?: (request: HttpRequest) => Promise<HttpResponse> | HttpResponse;
}

/** How a program ends. */
export interface ProgramEnd {
  readonly code?: number;
  readonly stdout?: string | Bytes;
  readonly stderr?: string;
}

/** The machine, and what happened on it. */
export interface CredentialWorld {
  readonly fs: MemoryFs;
  readonly host: Host;
  readonly http: Http;
  readonly processes: Processes;
  readonly clock: Clock & { nowMsValue: number };
  /** Programs that were started. */
  readonly ran: (readonly string[])[];
  readonly requests: HttpRequest[];
  readonly notes: string[];
  note(message: string): void;
  readonly env: Record<string, string>;
  write(path: string, content: string | Bytes): void;
}

/** Home folder of the machine. */
export const HOME = "/home/ada";

/** Builds it. The clock stands still until it is moved. */
export function credentialWorld(options: CredentialWorldOptions = {}): CredentialWorld {
  const fs = new MemoryFs();
  const env: Record<string, string> = { ...options.env };
  const ran: (readonly string[])[] = [];
  const requests: HttpRequest[] = [];
  const notes: string[] = [];
  const clock = standingClock();
  const world: CredentialWorld = {
    fs,
    env,
    host: fakeHost(env, options.os ?? "linux"),
    clock,
    ran,
    requests,
    notes,
    note: (message) => void notes.push(message),
    http: {
      async request(request) {
        request.signal?.throwIfAborted();
        requests.push(request);
        if (options.http === undefined) throw new Error(`nobody was to ask ${request.url}`);
        return await options.http(request);
      },
    },
    processes: fakeProcesses(options.run ?? (() => null), ran),
    write(path, content) {
      fs.makeDir(dirname(path));
      fs.removeFile(path);
      const file = fs.createFile(path);
      file.write(typeof content === "string" ? utf8(content) : content);
      file.close();
    },
  };
  for (const [path, content] of Object.entries(options.files ?? {})) world.write(path, content);
  return world;
}

function standingClock(): CredentialWorld["clock"] {
  return {
    nowMsValue: Date.UTC(2026, 10, 24, 12),
    nowMs() {
      return this.nowMsValue;
    },
    monotonicMs() {
      return this.nowMsValue;
    },
    sleep: () => Promise.reject(new Error("nobody was to wait")),
  };
}

function fakeHost(env: Readonly<Record<string, string>>, os: Host["os"]): Host {
  return {
    os,
    arch: "x64",
    pid: 1,
    home: HOME,
    hostname: "machine",
    uid: 1000,
    executable: "/usr/bin/claude-sync",
    cwd: () => "/work",
    env: (name) => env[name] || undefined,
    process: () => ({ alive: false, startTicks: null }),
  };
}

function fakeProcesses(
  answer: NonNullable<CredentialWorldOptions["run"]>,
  ran: (readonly string[])[],
): Processes {
  const unwanted = () => Promise.reject(new Error("nobody was to do that"));
  return {
    async run(argv, options = {}): Promise<RunResult> {
      options.signal?.throwIfAborted();
      ran.push(argv);
      const end = await Promise.resolve(answer(argv, options));
      if (end === null) throw new ClaudeSyncError("not-found", `There is no program "${argv[0]}"`);
      const { code = 0, stdout = "", stderr = "" } = end;
      const bytes = typeof stdout === "string" ? utf8(stdout) : stdout;
      return { code, signal: null, stdout: bytes, stderr: utf8(stderr) };
    },
    exec: unwanted,
    spawnDetached: unwanted,
  };
}

/** An answer of a server. */
export function answer(
  status: number,
  body: string | object,
  headers: Readonly<Record<string, string>> = {},
): HttpResponse {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return { status, headers: new Map(Object.entries(headers)), body: utf8(text) };
}

/** The `ClaudeSyncError` that `run` ends with, after a look that it shows none of `secrets`. */
export async function failureOf(
  run: () => Promise<unknown>,
  secrets: readonly string[] = [],
): Promise<ClaudeSyncError> {
  let error: unknown;
  try {
    await run();
  } catch (thrown) {
    error = thrown;
  }
  assert(error instanceof ClaudeSyncError, `a failure of ours, not ${inspect(error)}`);
  assertShowsNone(error, secrets);
  return error;
}

/** Looks for secrets in everything that a value shows of itself, its causes included. */
export function assertShowsNone(value: unknown, secrets: readonly string[]): void {
  const shown = [
    inspect(value, { depth: 20, showHidden: false }),
    JSON.stringify(value) ?? "",
    String(value),
    value instanceof Error ? `${value.message} ${value.stack} ${inspect(value.cause)}` : "",
    value instanceof ClaudeSyncError ? `${value.hint}` : "",
  ].join("\n");
  for (const secret of secrets) {
    assert(!shown.includes(secret), `"${secret}" is shown in: ${shown}`);
  }
}
