/**
 * Makes deliberate bugs, one at a time, and looks whether the tests notice.
 *
 *     deno task mutate               all of `bugs.ts`; ends with 1 when one stays unseen
 *     deno task mutate --only TEXT   those with that text in their name
 *
 * Works in a copy of what Git knows of the project, in a temporary folder.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { failedTests } from "../runner/test_output.ts";
import { DELIBERATE_BUGS, type DeliberateBug } from "./bugs.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const OUTPUT_BYTES_MAX = 256 * 1024 * 1024;
/** Failed tests that are named. */
const NAMED_MAX = 3;

/** Copies the project, with what is not committed yet. */
function copyProject(to: string): void {
  const listed = spawnSync(
    "git",
    ["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    {
      cwd: ROOT,
      encoding: "utf8",
      maxBuffer: OUTPUT_BYTES_MAX,
    },
  );
  if (listed.status !== 0) throw new Error(`git ls-files: ${listed.stderr}`);
  for (const name of new Set(listed.stdout.split("\0").filter((each) => each !== ""))) {
    mkdirSync(dirname(join(to, name)), { recursive: true });
    copyFileSync(join(ROOT, name), join(to, name));
  }
  symlinkSync(join(ROOT, "node_modules"), join(to, "node_modules"), "dir");
}

function failuresOf(dir: string, tests: readonly string[]): readonly string[] {
  const args = ["test", "--allow-all", "--no-check", "--parallel", ...tests];
  const options = { cwd: dir, encoding: "utf8", maxBuffer: OUTPUT_BYTES_MAX } as const;
  const run = spawnSync(process.execPath, args, options);
  return run.status === 0 ? [] : failedTests(run.stdout + run.stderr);
}

/** The tests that notice the bug in the copy at `dir`. */
function noticedBy(dir: string, { file, right, wrong, tests }: DeliberateBug): readonly string[] {
  const path = join(dir, file);
  const source = readFileSync(path, "utf8");
  writeFileSync(path, source.replace(right, () => wrong));
  try {
    return failuresOf(dir, tests);
  } finally {
    writeFileSync(path, source);
  }
}

function main(args: readonly string[]): number {
  const { values } = parseArgs({ args: [...args], options: { only: { type: "string" } } });
  const bugs = DELIBERATE_BUGS.filter(({ name }) => name.includes(values.only ?? ""));
  const dir = mkdtempSync(join(tmpdir(), "claude-sync-mutations-"));
  let unseen = 0;
  try {
    copyProject(dir);
    // What fails by itself would notice everything.
    const failing = failuresOf(dir, [...new Set(bugs.flatMap(({ tests }) => tests))]);
    if (failing.length > 0) {
      console.error(`These fail without a bug:\n${failing.join("\n")}`);
      return 1;
    }
    for (const bug of bugs) {
      const noticed = noticedBy(dir, bug);
      if (noticed.length === 0) unseen++;
      console.log(`${noticed.length === 0 ? "UNSEEN" : "caught"}  ${bug.name}: ${noticed.length}`);
      for (const test of noticed.slice(0, NAMED_MAX)) console.log(`          ${test.trim()}`);
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  console.log(`${bugs.length - unseen} of ${bugs.length} deliberate bugs caught`);
  return unseen === 0 && bugs.length > 0 ? 0 : 1;
}

process.exitCode = main(process.argv.slice(2));
