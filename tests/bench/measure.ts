/** Runs programs and measures them from outside: wall time and the largest resident memory. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

/** A program, its arguments and its surroundings. */
export interface Run {
  readonly command: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: string;
  /** Gives a run that fails like one that does not, instead of throwing. */
  readonly mayFail?: true;
}

/** What one run took and said. */
export interface Measured {
  readonly ms: number;
  /** Largest resident set in bytes; null where this system does not tell. */
  readonly peakBytes: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** The variables that every measured program gets besides its own. */
function baseEnvironment(): Record<string, string> {
  const passed = ["PATH", "TMPDIR", "TEMP", "TMP", "SystemRoot", "LD_LIBRARY_PATH"];
  const env: Record<string, string> = {};
  for (const name of passed) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}

/** Runs to the end; throws with the program's own words when it fails. */
export async function measure(run: Run): Promise<Measured> {
  const [program, ...args] = run.command;
  const command = new Deno.Command(program, {
    args,
    env: { ...baseEnvironment(), ...run.env },
    clearEnv: true,
    ...(run.cwd === undefined ? {} : { cwd: run.cwd }),
    stdin: run.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  });
  const startMs = performance.now();
  const child = command.spawn();
  if (run.stdin !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(run.stdin));
    await writer.close();
  }
  const output = await child.output();
  const ms = performance.now() - startMs;
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (!output.success && run.mayFail === undefined) {
    throw new Error(`${run.command.join(" ")} ended with ${output.code}: ${text(output.stderr)}`);
  }
  const said = { stdout: text(output.stdout), stderr: text(output.stderr) };
  return { ms, peakBytes: null, ...said, exitCode: output.code };
}

const TIME = "/usr/bin/time";

/** Like `measure`, with the peak of memory, which costs a process more. */
export async function measureMemory(run: Run, scratch: string): Promise<Measured> {
  if (!existsSync(TIME)) return await measure(run);
  if (process.platform === "darwin") return await measureOnMac(run);
  const report = join(scratch, "time.txt");
  const measured = await measure({
    ...run,
    command: [TIME, "-f", "%M", "-o", report, ...run.command],
  });
  const kibibytes = Number(readFileSync(report, "utf8").trim().split("\n").at(-1));
  rmSync(report);
  return { ...measured, peakBytes: Number.isFinite(kibibytes) ? kibibytes * 1024 : null };
}

async function measureOnMac(run: Run): Promise<Measured> {
  // Its `time` prints to standard error, which is the program's too; the shell keeps them together.
  const script = '/usr/bin/time -l "$@" 2>&1 >/dev/null';
  const measured = await measure({
    ...run,
    command: ["/bin/sh", "-c", script, "sh", ...run.command],
  });
  const bytes = /(\d+)\s+maximum resident set size/.exec(measured.stdout)?.[1];
  return { ...measured, stdout: "", peakBytes: bytes === undefined ? null : Number(bytes) };
}

/** The middle value; of an even number of values the mean of the two middle ones. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2;
}

/** Two programs, run in turn so that a drift of the machine's speed meets both. */
export interface Paired {
  readonly medianMs: number;
  readonly baselineMs: number;
  /** Median of the pairs' own ratios. */
  readonly ratio: number;
}

/**
 * Runs `subject` and `baseline` in turn, `rounds` times after one uncounted round. `settle` waits
 * for what a run leaves at work behind it.
 */
export async function measurePaired(
  subject: Run,
  baseline: Run,
  rounds: number,
  settle: () => Promise<void>,
): Promise<Paired> {
  const pairs: { subjectMs: number; baselineMs: number }[] = [];
  for (let round = 0; round <= rounds; round++) {
    const subjectMs = (await measure(subject)).ms;
    await settle();
    const baselineMs = (await measure(baseline)).ms;
    if (round > 0) pairs.push({ subjectMs, baselineMs });
  }
  return {
    medianMs: median(pairs.map((pair) => pair.subjectMs)),
    baselineMs: median(pairs.map((pair) => pair.baselineMs)),
    ratio: median(pairs.map((pair) => pair.subjectMs / pair.baselineMs)),
  };
}
