/**
 * The real servers that tests share. Each is started at most once in a run, by whoever asks first,
 * and ends with the run, however that ends.
 *
 * `deno task test` starts them and tells its children where to ask, in CLAUDE_SYNC_TEST_SERVERS_AT.
 * A test file that runs by itself starts a host of its own, which ends with it. To keep the servers
 * from one run to the next: `deno run -A tests/servers/host_main.ts`, and do as it says.
 *
 * A server that cannot run on this machine is absent: its tests are skipped, visibly. With
 * CLAUDE_SYNC_TEST_SERVERS=required, as in `.ci/run`, they fail.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { until } from "../client/until.ts";
import { type GitHttpAddress, startGitHttp, whyNoGitHttp } from "./git_http.ts";
import { startRgw, whyNoRgw } from "./rgw.ts";
import type { S3Address } from "./s3_address.ts";
import { type SshAddress, startSshd, whyNoSshd } from "./sshd.ts";
import { startSwift, whyNoSwift } from "./swift.ts";

/** Where the host of the servers is asked: an origin. */
export const HOST_VARIABLE = "CLAUDE_SYNC_TEST_SERVERS_AT";

/** Starting the slowest server on a busy computer, and whoever waits before us. */
const START_TIMEOUT_MS = 240_000;

/** The servers' names and what a test gets of each. */
export interface SharedServers {
  readonly rgw: S3Address;
  readonly swift: S3Address;
  readonly "git-http": GitHttpAddress;
  readonly sshd: SshAddress;
}

/** One server that can be shared. */
export interface SharedServer<Address> {
  /** What cannot be met on this machine, such as a program that is not installed; or null. */
  whyAbsent(): string | null;
  start(): Promise<Address & { stop(): Promise<void> }>;
}

/** All of them. */
export const SHARED_SERVERS: {
  readonly [Name in keyof SharedServers]: SharedServer<SharedServers[Name]>;
} = {
  rgw: { whyAbsent: whyNoRgw, start: startRgw },
  swift: { whyAbsent: whyNoSwift, start: startSwift },
  "git-http": { whyAbsent: whyNoGitHttp, start: startGitHttp },
  sshd: { whyAbsent: whyNoSshd, start: startSshd },
};

/** Whether an absent server is a failure. */
export function areServersRequired(): boolean {
  return process.env["CLAUDE_SYNC_TEST_SERVERS"] === "required";
}

/**
 * The address of a running server.
 *
 * @throws Error when it is absent or does not start, with the end of its log.
 */
export async function sharedServer<Name extends keyof SharedServers>(
  name: Name,
): Promise<SharedServers[Name]> {
  const reason = SHARED_SERVERS[name].whyAbsent();
  if (reason !== null) throw new Error(`Cannot start ${name}: ${reason}`);
  return await askHost(`start/${name}`) as SharedServers[Name];
}

/** What a test may do beside its main body. */
export interface StepContext {
  step(name: string, run: () => Promise<void> | void): Promise<boolean>;
}

/**
 * Declares a test that needs a server. Where it is absent, the reason is printed and the test is
 * ignored; where servers are required, it fails.
 *
 * The server is shared: a test works in a bucket or repository of its own.
 */
export function serverTest<Name extends keyof SharedServers>(
  server: Name,
  name: string,
  body: (address: SharedServers[Name], t: StepContext) => Promise<void>,
): void {
  const reason = whySkipped(server);
  if (reason !== null) console.log(`skipped: ${server}: ${reason} (${name})`);
  Deno.test({
    name,
    ignore: reason !== null,
    fn: async (t) => await body(await sharedServer(server), t),
  });
}

/** Why tests that need a server are skipped; null when they run. */
export function whySkipped(server: keyof SharedServers): string | null {
  return areServersRequired() ? null : SHARED_SERVERS[server].whyAbsent();
}

/** Asks the host of this run for something, and starts one when there is none. */
export async function askHost(path: string): Promise<unknown> {
  const origin = process.env[HOST_VARIABLE] ?? await startOwnHost();
  const response = await fetch(`${origin}/${path}`, {
    method: "POST",
    signal: AbortSignal.timeout(START_TIMEOUT_MS),
  });
  const text = await response.text();
  if (response.status !== 200) throw new Error(text);
  return JSON.parse(text);
}

// A process of its own, because Deno runs every test file in an isolate: a server that one started
// would end with it. The environment is what the isolates share. A shell lets go of the process at
// once, so that the test which happens to be the first has nothing to clean up.
async function startOwnHost(): Promise<string> {
  const host = fileURLToPath(new URL("./host_main.ts", import.meta.url));
  const runtime = process.versions["deno"] === undefined ? [] : ["run", "-A"];
  const command = [process.execPath, ...runtime, host, "--while", String(process.pid)];
  const folder = await mkdtemp(join(tmpdir(), "css-host-"));
  const output = join(folder, "output");
  const detach = 'output=$1; shift; setsid "$@" </dev/null >"$output" 2>&1 &';
  try {
    spawnSync("/bin/sh", ["-c", detach, "sh", output, ...command]);
    const origin = await until("the host of the servers has started", async () => {
      return /^http:\S+(?=\n)/m.exec(await readFile(output, "utf8"))?.[0];
    }, { seen: () => readFile(output, "utf8") });
    process.env[HOST_VARIABLE] = origin;
    return origin;
  } finally {
    await rm(folder, { recursive: true });
  }
}
