/**
 * Which test files run in which process, and when.
 *
 * @module
 */
import fs from "node:fs";
import { join, relative, sep } from "node:path";

/** What is known of a test file beforehand. */
export interface KnownFile {
  /** About how long it takes. Only the order depends on it: the longest begin first. */
  readonly seconds?: number;
  /** Why nothing else may run beside it: it measures time that load would stretch. */
  readonly alone?: string;
}

/** One process of `deno test`. */
export interface Job {
  readonly files: readonly string[];
  /** About how long it takes. */
  readonly seconds: number;
  /** Whether nothing else may run beside it. */
  readonly isAlone: boolean;
}

/** What a file takes that is not in the table. */
const USUAL_SECONDS = 1;

/** A process of its own costs a file about 0.3 s, so short ones share one. */
const FILES_PER_JOB_MAX = 8;

// What `deno test` takes for a test file.
const TEST_FILE = /(?:^|[._/])test\.(?:[jt]sx?|m[jt]s)$/;

/**
 * The test files below some folders of the project, sorted; a path that is a file is taken as it
 * is. Paths have slashes and begin at `root`.
 */
export function testFiles(
  root: string,
  paths: readonly string[],
  exclude: readonly string[] = [],
): string[] {
  const found = new Set<string>();
  const visit = (path: string, isAsked: boolean) => {
    const shown = relative(root, path).split(sep).join("/");
    if (exclude.includes(shown)) return;
    if (!fs.statSync(path).isDirectory()) {
      if (isAsked || TEST_FILE.test(shown)) found.add(shown);
      return;
    }
    for (const name of fs.readdirSync(path)) visit(join(path, name), false);
  };
  for (const path of paths) visit(path, true);
  return [...found].sort();
}

/**
 * Shares files out to jobs: the longest first, each by itself; short ones together; last, and one
 * after the other, those that need the machine for themselves.
 */
export function planJobs(
  files: readonly string[],
  known: Readonly<Record<string, KnownFile>>,
  workers: number,
): Job[] {
  const secondsOf = (file: string) => known[file]?.seconds ?? USUAL_SECONDS;
  const jobOf = (group: readonly string[], isAlone: boolean): Job => ({
    files: group,
    seconds: group.reduce((sum, file) => sum + secondsOf(file), 0),
    isAlone,
  });
  const alone = files.filter((file) => known[file]?.alone !== undefined);
  const beside = files.filter((file) => known[file]?.alone === undefined);
  const long = beside.filter((file) => known[file] !== undefined);
  const short = beside.filter((file) => known[file] === undefined);
  // Enough jobs for all workers, also when few files are asked for.
  const perJob = Math.min(FILES_PER_JOB_MAX, Math.ceil(short.length / workers));
  const jobs = long.map((file) => jobOf([file], false));
  for (let at = 0; at < short.length; at += perJob) {
    jobs.push(jobOf(short.slice(at, at + perJob), false));
  }
  jobs.sort((a, b) => b.seconds - a.seconds);
  return alone.length === 0 ? jobs : [...jobs, jobOf(alone, true)];
}

/** Runs jobs in their order, so many at once; one that needs the machine for itself, alone. */
export async function runJobs(
  jobs: readonly Job[],
  workers: number,
  run: (job: Job) => Promise<void>,
): Promise<void> {
  const beside = jobs.filter((job) => !job.isAlone);
  const next = beside.values();
  await Promise.all(Array.from({ length: workers }, async () => {
    // One iterator for all: each takes what the others have left.
    for (const job of next) await run(job);
  }));
  for (const job of jobs) if (job.isAlone) await run(job);
}
