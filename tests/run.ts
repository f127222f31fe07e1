/**
 * Runs the tests and ends with one plain line `N passed, N failed`.
 *
 *     deno task test                 builds dist/claude-sync, then all tests but tests/client
 *     deno task test tests/vault/    only these files or folders (flags of `deno test` work too)
 *     deno task test:client          the tests with the real client
 *
 * Real servers that tests ask for are started once and end with the run; what was tested on which
 * is said before the final line. With CLAUDE_SYNC_TEST_SERVERS=required nothing may be left out.
 */
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import { dirname, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { type ServerHost, startServerHost } from "./servers/host.ts";
import { areServersRequired, HOST_VARIABLE } from "./servers/servers.ts";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** The end of the runner's output is kept to read its summary from: more than any summary needs. */
const TAIL_CHARACTERS = 4096;

/** How many tests a run had. */
export interface Totals {
  readonly passed: number;
  readonly failed: number;
}

/**
 * Reads the summary at the end of what `deno test` prints, such as
 * `FAILED | 3 passed (2 steps) | 1 failed | 1 ignored (120ms)`. Null when there is none.
 */
export function parseSummary(output: string): Totals | null {
  // deno-lint-ignore no-control-regex
  const plain = output.replace(/\x1b\[[0-9;]*m/g, "");
  const pattern = /^(?:ok|FAILED) \| (\d+) passed(?: \([^)]*\))? \| (\d+) failed/gm;
  const last = [...plain.matchAll(pattern)].at(-1);
  if (last === undefined) return null;
  return { passed: Number(last[1]), failed: Number(last[2]) };
}

/**
 * What the final line says. A run that ends badly without a failed test (nothing was found, the
 * runner died) and a failed build each count as one failure.
 */
export function finalTotals(isBuilt: boolean, exitCode: number, summary: Totals | null): Totals {
  const { passed, failed } = summary ?? { passed: 0, failed: 0 };
  const hasUnnamedFailure = failed === 0 && (exitCode !== 0 || summary === null);
  return { passed, failed: failed + (hasUnnamedFailure ? 1 : 0) + (isBuilt ? 0 : 1) };
}

function buildProgram(): boolean {
  const build = spawnSync(process.execPath, ["run", "-A", "build.ts"], {
    cwd: ROOT,
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (build.status === 0) return true;
  console.error("The build failed: what tests the program now tests an old one, or none");
  return false;
}

function runTests(
  args: readonly string[],
  serversAt: string,
): Promise<{ exitCode: number; tail: string }> {
  const flags = ["--allow-all", "--no-check", "--sanitize-ops", "--sanitize-resources"];
  const child = spawn(process.execPath, ["test", ...flags, ...args], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, [HOST_VARIABLE]: serversAt },
  });
  let tail = "";
  child.stdout.setEncoding("utf8");
  child.stdout.on("data", (text: string) => {
    process.stdout.write(text);
    tail = (tail + text).slice(-TAIL_CHARACTERS);
  });
  return new Promise((done, reject) => {
    child.on("error", reject);
    child.on("close", (code) => done({ exitCode: code ?? 1, tail }));
  });
}

/**
 * Says what was tested on which server and store; gives the number of stores that a whole run owes.
 */
function reportStores(host: ServerHost, run: "whole" | "part"): number {
  for (const line of host.report()) console.log(line);
  const untested = areServersRequired() && run === "whole" ? host.untested() : [];
  if (untested.length > 0) console.error(`Required and not tested: ${untested.join(", ")}`);
  return untested.length;
}

async function main(args: readonly string[]): Promise<number> {
  const isBuilt = buildProgram();
  // Not every argument without a dash is a path: `--filter pack` has a word after it.
  const hasPath = args.some((arg) => fs.existsSync(resolve(ROOT, arg)));
  const selection = hasPath ? [] : ["--ignore=tests/client", "tests/"];
  const running = process.env[HOST_VARIABLE];
  const host = running === undefined ? await startServerHost() : null;
  const { exitCode, tail } = await runTests([...args, ...selection], host?.origin ?? running ?? "");
  const untested = host === null ? 0 : reportStores(host, args.length > 0 ? "part" : "whole");
  await host?.close();
  const { passed, failed } = finalTotals(isBuilt, exitCode, parseSummary(tail));
  console.log(`${passed} passed, ${failed + untested} failed`);
  return failed + untested === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
