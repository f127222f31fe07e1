/**
 * Runs the tests and ends with one plain line `N passed, N failed`.
 *
 *     deno task test                 builds dist/claude-sync, then all tests but tests/client
 *     deno task test tests/vault/    only these files or folders (flags of `deno test` work too)
 *     deno task test:client          the tests with the real client
 *
 * Several processes of `deno test` share the files, as many at once as there are cores, or
 * CLAUDE_SYNC_TEST_WORKERS. What one says is printed whole when it ends; which tests failed and
 * which files took longest is said at the end. A single process is shown as it goes.
 *
 * Real servers that tests ask for are started once and end with the run; what was tested on which
 * is said before the final line. With CLAUDE_SYNC_TEST_SERVERS=required nothing may be left out.
 */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { KNOWN_FILES } from "./runner/known_files.ts";
import { type Job, planJobs, runJobs, testFiles } from "./runner/schedule.ts";
import { failedTests, finalTotals, type Outcome } from "./runner/test_output.ts";
import { TestProcess } from "./runner/test_process.ts";
import { type ServerHost, startServerHost } from "./servers/host.ts";
import { areServersRequired, HOST_VARIABLE } from "./servers/servers.ts";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** Files that took less are not worth a line at the end. */
const SLOW_SECONDS = 10;

/** Flags with which a run is shown as it goes, in one process and without a limit of time. */
const WATCHED = /^--(?:watch|inspect|trace-leaks$)/;

/** What the arguments ask for. */
interface Selection {
  readonly files: readonly string[];
  /** For `deno test`. */
  readonly flags: readonly string[];
  readonly isWhole: boolean;
}

function select(args: readonly string[]): Selection {
  // Not every argument without a dash is a path: `--filter pack` has a word after it.
  const isPath = (arg: string, index: number) =>
    !arg.startsWith("-") && args[index - 1] !== "--filter" && fs.existsSync(resolve(ROOT, arg));
  const paths = args.filter(isPath).map((path) => resolve(ROOT, path));
  const files = paths.length > 0
    ? testFiles(ROOT, paths)
    : testFiles(ROOT, [resolve(ROOT, "tests")], ["tests/client"]);
  const flags = args.filter((arg, index) => !isPath(arg, index));
  return { files, flags, isWhole: args.length === 0 };
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

/** What has become of the jobs so far. */
class Run {
  readonly #jobs: readonly Job[];
  readonly #selection: Selection;
  readonly #serversAt: string;
  readonly #running = new Set<TestProcess>();
  readonly #outcomes: Outcome[] = [];
  readonly #failures: string[] = [];
  readonly #times: { file: string; seconds: number }[] = [];

  constructor(selection: Selection, workers: number, serversAt: string) {
    this.#selection = selection;
    this.#serversAt = serversAt;
    const isWatched = selection.flags.some((flag) => WATCHED.test(flag));
    const all: Job = { files: selection.files, seconds: 0, isAlone: false };
    this.#jobs = isWatched ? [all] : planJobs(selection.files, KNOWN_FILES, workers);
  }

  /** Runs them all. */
  async toEnd(workers: number): Promise<void> {
    await runJobs(this.#jobs, workers, (job) => this.#runJob(job));
  }

  async #runJob(job: Job): Promise<void> {
    const isWatched = this.#jobs.length === 1;
    const tests = new TestProcess({
      root: ROOT,
      files: job.files,
      flags: this.#selection.flags,
      env: { [HOST_VARIABLE]: this.#serversAt },
      isWatched,
    });
    this.#running.add(tests);
    const outcome = await tests.ended;
    this.#running.delete(tests);
    this.#outcomes.push(outcome);
    if (!isWatched) process.stdout.write(tests.output);
    this.#times.push(...tests.fileSeconds());
    const named = failedTests(tests.output);
    this.#failures.push(...named);
    if (outcome.exitCode !== 0 && named.length === 0) {
      this.#failures.push(`exit code ${outcome.exitCode} of ${job.files.join(" ")}`);
    }
  }

  /** For a run that is cut short: what it has not come to counts as failed. */
  giveUp(): void {
    for (const tests of this.#running) {
      process.stdout.write(`${tests.output}\n`);
      this.#failures.push(`not over: ${tests.files.join(" ")}`);
    }
    const missing = this.#jobs.length - this.#outcomes.length;
    for (let count = 0; count < missing; count++) {
      this.#outcomes.push({ exitCode: 1, summary: null });
    }
  }

  /** Says what took long and what failed; gives how all of it ended. */
  report(): readonly Outcome[] {
    const slow = this.#times.filter(({ seconds }) => seconds >= SLOW_SECONDS);
    slow.sort((a, b) => b.seconds - a.seconds);
    for (const { file, seconds } of slow) console.log(`${seconds.toFixed(0)} s in ${file}`);
    for (const failure of this.#failures) console.log(`failed: ${failure}`);
    return this.#outcomes;
  }
}

/**
 * Says what was tested on which server and store; gives the number of stores that a whole run owes.
 */
function reportStores(host: ServerHost, isWhole: boolean): number {
  for (const line of host.report()) console.log(line);
  const untested = areServersRequired() && isWhole ? host.untested() : [];
  if (untested.length > 0) console.error(`Required and not tested: ${untested.join(", ")}`);
  return untested.length;
}

async function main(args: readonly string[]): Promise<number> {
  const workers = Number(process.env["CLAUDE_SYNC_TEST_WORKERS"]) || availableParallelism();
  const selection = select(args);
  const isBuilt = buildProgram();
  const running = process.env[HOST_VARIABLE];
  const host = running === undefined ? await startServerHost() : null;
  const run = new Run(selection, workers, host?.origin ?? running ?? "");
  const sayTotals = (): number => {
    const outcomes = run.report();
    const untested = host === null ? 0 : reportStores(host, selection.isWhole);
    const { passed, failed } = finalTotals(isBuilt, outcomes);
    console.log(`${passed} passed, ${failed + untested} failed`);
    return failed + untested === 0 ? 0 : 1;
  };
  // Whoever ends a run that takes too long is to see how far it came. The servers end with us.
  process.once("SIGTERM", () => {
    run.giveUp();
    process.exit(sayTotals());
  });
  await run.toEnd(workers);
  const exitCode = sayTotals();
  await host?.close();
  return exitCode;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
