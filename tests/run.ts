/**
 * Runs the tests and ends with one plain line `N passed, N failed`.
 *
 *     deno task test                      builds dist/claude-sync, then runs everything but tests/client
 *     deno task test tests/vault/         only these files or folders (and no flags but Deno's `--filter`)
 *     deno task test:client               the tests with the real client
 */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** How many tests a run had. */
export interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Adds up a JUnit report as `deno test` writes it. Steps are not counted, as Deno does not. */
export function totalsOf(junit: string): Totals {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  for (const [suite] of junit.matchAll(/<testsuite [^>]*>/g)) {
    const count = (name: string) => Number(new RegExp(` ${name}="(\\d+)"`).exec(suite)?.[1] ?? "0");
    const bad = count("failures") + count("errors");
    passed += count("tests") - bad - count("disabled");
    failed += bad;
    skipped += count("disabled");
  }
  return { passed, failed, skipped };
}

/** Runs a program in the project's folder, its output shown as it comes; gives the exit code. */
function run(program: string, args: readonly string[]): number {
  const result = spawnSync(program, args, { cwd: ROOT, stdio: ["ignore", "inherit", "inherit"] });
  return result.status ?? 1;
}

function runTests(args: readonly string[]): { exitCode: number; totals: Totals } {
  const folder = fs.mkdtempSync(join(os.tmpdir(), "claude-sync-junit-"));
  const report = join(folder, "report.xml");
  try {
    const exitCode = run(process.execPath, [
      "test",
      "--allow-all",
      "--no-check",
      "--sanitize-ops",
      "--sanitize-resources",
      `--junit-path=${report}`,
      ...args,
    ]);
    const junit = fs.existsSync(report) ? fs.readFileSync(report, "utf8") : "";
    return { exitCode, totals: totalsOf(junit) };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

function main(args: readonly string[]): number {
  const isBuilt = run(process.execPath, ["run", "-A", "build.ts"]) === 0;
  const selection = args.length > 0 ? args : ["--ignore=tests/client", "tests/"];
  const { exitCode, totals } = runTests(selection);
  // A file that does not load, a leak, a failed build: each is a failure that no test stands for.
  const unlisted = (isBuilt ? 0 : 1) + (exitCode !== 0 && totals.failed === 0 ? 1 : 0);
  const failed = totals.failed + unlisted;
  if (!isBuilt) {
    console.error("The build failed: tests of the binary ran against an old one, if any");
  }
  if (totals.skipped > 0) console.log(`${totals.skipped} skipped`);
  console.log(`${totals.passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2));
