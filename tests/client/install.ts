/**
 * Fetches released Claude Code clients from npm for the end-to-end tests.
 *
 * Nothing of the client is kept in this tree: each version is installed once into a cache folder
 * and reused from there.
 *
 * @module
 */
import { execFile } from "node:child_process";
import { access, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";

const run = promisify(execFile);

const PACKAGE = "@anthropic-ai/claude-code";
const INSTALL_TIMEOUT_MS = 300_000;
const VERSION_TIMEOUT_MS = 60_000;

/** The client that most people run today; most tests use it. */
export const CURRENT = "2.1.330";
/** An earlier client of the same line, kept by people who do not update every week. */
export const EARLIER = "2.1.197";
/** The oldest line supported: plain JavaScript, no registry of live sessions, strict settings. */
export const OLDEST = "2.0.77";

/** One installed client. */
export interface Client {
  readonly version: string;
  /** Program and leading arguments; the user's arguments follow. */
  readonly command: readonly [string, ...string[]];
}

/**
 * The folder that keeps downloaded clients between runs: `CLAUDE_SYNC_TEST_CLIENTS`, else a folder
 * in the user's cache.
 */
function clientCache(): string {
  const chosen = process.env["CLAUDE_SYNC_TEST_CLIENTS"];
  if (chosen) return chosen;
  const cache = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  return join(cache, "claude-sync-test-clients");
}

/**
 * Returns the client of that version, installing it first if this computer has not got it.
 *
 * @throws Error when npm cannot provide it or it does not start here; never skips silently.
 */
export async function installClient(version: string): Promise<Client> {
  const home = join(clientCache(), `${version}-${process.platform}-${process.arch}`);
  if (!await exists(home)) await download(version, home);
  const client = { version, command: await findCommand(join(home, "node_modules")) };
  const answer = await versionOf(client);
  if (!answer.startsWith(version)) {
    throw new Error(`Claude Code ${version} in "${home}" calls itself "${answer}"`);
  }
  return client;
}

async function download(version: string, home: string): Promise<void> {
  await mkdir(clientCache(), { recursive: true });
  const staging = await mkdtemp(join(clientCache(), "staging-"));
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const what = `${PACKAGE}@${version}`;
  try {
    // The native clients' install script only copies the program; none is needed.
    const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--no-progress"];
    await run(npm, ["install", ...flags, "--prefix", staging, what], {
      timeout: INSTALL_TIMEOUT_MS,
      cwd: staging,
    });
    await rename(staging, home);
  } catch (cause) {
    await rm(staging, { recursive: true, force: true });
    // Another test process may have finished the same download first.
    if (await exists(home)) return;
    throw new Error(`Cannot install ${what} with npm, which these tests need: ${cause}`, { cause });
  }
}

async function findCommand(modules: string): Promise<[string, ...string[]]> {
  const scope = join(modules, "@anthropic-ai");
  const script = join(scope, "claude-code", "cli.js");
  if (await exists(script)) return ["node", script];
  const program = process.platform === "win32" ? "claude.exe" : "claude";
  for (const name of (await readdir(scope)).sort()) {
    const path = join(scope, name, program);
    if (name.startsWith("claude-code-") && await exists(path)) return [path];
  }
  throw new Error(`No Claude Code program for this computer in "${scope}"`);
}

async function versionOf(client: Client): Promise<string> {
  const [program, ...args] = client.command;
  const home = await mkdtemp(join(clientCache(), "version-"));
  try {
    const env = { PATH: process.env["PATH"] ?? "/usr/bin:/bin", HOME: home };
    const options = { timeout: VERSION_TIMEOUT_MS, env };
    return (await run(program, [...args, "--version"], options)).stdout.trim();
  } catch (cause) {
    throw new Error(`Claude Code ${client.version} does not start here: ${cause}`, { cause });
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false; // Absent and unreadable are the same to an installer: it tries to install.
  }
}
