/**
 * Ends the real program before single calls to the system that change the disk. A stand-in for a
 * plan of faults: `strace` counts the calls of a run that nothing disturbs, and then ends a run at
 * each of them. `CLAUDE_SYNC_KILL_STEPS=all` takes all of them; otherwise as many as there is time
 * for, spread over the whole run.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { once } from "../../src/base/once.ts";
import { type MachineOptions, SyncMachine } from "./sync_machine.ts";

/** The program under test. */
export const BINARY = process.env["CLAUDE_SYNC_BINARY"] ??
  join(import.meta.dirname!, "..", "..", "dist", "claude-sync");

/** Our own temporary files, which a kill may leave. */
export const TEMPORARY = /(^|\/)\.claude-sync-[0-9a-f]{16}\.tmp$/;

/** Whether the program is ended at all of its steps. */
export const TAKES_ALL = process.env["CLAUDE_SYNC_KILL_STEPS"] === "all";
/** How many of the steps are taken. */
export interface Budget {
  /** For so long. */
  readonly ms: number;
  /** At least so many, however slow the machine. Default 4. */
  readonly stepsMin?: number;
}

/** System calls: everything that a file goes through until it is safe, or gone. */
export const CALLS = [
  ...["openat", "write", "pwrite64", "fsync", "fdatasync", "rename", "renameat2", "link"],
  ...["linkat", "unlink", "unlinkat", "mkdir", "rmdir", "utimensat", "ftruncate", "fchmod"],
];
/** Of a line of a trace: a file is opened, and nothing can be changed by it. */
export const READ_ONLY = /O_RDONLY(?!.*O_CREAT)/;

/** The `nth` call of one kind by the program's first thread. */
export interface Step {
  readonly call: string;
  readonly nth: number;
}

/** How a run ended and what it printed. */
export interface Ended {
  readonly status: number | null;
  readonly text: string;
}

/** Where a run happens. */
export interface Surroundings {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** The same computer for the program and for this process. */
export function machineHere(options: MachineOptions): SyncMachine {
  const machine = new SyncMachine(options);
  const host = { ...machine.platform.host, hostname: hostname() };
  return Object.assign(machine, { platform: { ...machine.platform, host } });
}

/** The surroundings of a run as `machine`'s user. */
export function surroundings({ home }: SyncMachine): Surroundings {
  const PATH = process.env["PATH"] ?? "";
  return { cwd: home, env: { HOME: home, PATH, GIT_CONFIG_NOSYSTEM: "1" } };
}

/** Runs the program as `machine`'s user; `before`: a program that watches it. */
export function runProgram(
  machine: SyncMachine,
  args: readonly string[],
  before: readonly string[] = [],
): Ended {
  const [program, ...rest] = [...before, BINARY, ...args, "--no-input"];
  const done = spawnSync(program!, rest, surroundings(machine));
  return { status: done.status, text: `${done.stdout}${done.stderr}` };
}

/** Fails with what was printed unless the run went well. */
export function succeeds({ status, text }: Ended): void {
  assert.equal(status, 0, text);
}

/** A run that is ended at its steps. */
export interface Killable {
  /** For the traces. */
  readonly dir: string;
  /** The steps that touch something below this folder count. */
  readonly below: string;
  /** One run of the program behind the one that watches it. */
  readonly run: (before: readonly string[]) => Ended;
}

/** All steps of an undisturbed run. */
export function stepsOf({ dir, below, run }: Killable): readonly Step[] {
  const trace = join(dir, "trace");
  const watching = ["strace", "-ff", "-y", "-qq", "-s", "0", "-o", trace];
  succeeds(run([...watching, "-e", `trace=${CALLS.join(",")}`]));
  const traces = fs.readdirSync(dir).filter((name) => name.startsWith("trace."));
  // The first process has the lowest number; its first thread does all the work on files.
  const [first] = traces.sort((a, b) => Number(a.slice(6)) - Number(b.slice(6)));
  const lines = fs.readFileSync(join(dir, first!), "utf8").split("\n");
  for (const name of traces) fs.rmSync(join(dir, name));
  const counts = new Map<string, number>();
  const steps: Step[] = [];
  for (const line of lines) {
    const call = /^(\w+)\(/.exec(line)?.[1];
    if (call === undefined) continue;
    const nth = (counts.get(call) ?? 0) + 1;
    counts.set(call, nth);
    if (line.includes(below) && !READ_ONLY.test(line)) steps.push({ call, nth });
  }
  assert.ok(steps.length > 10, `${steps.length} steps are too few to be all`);
  return steps;
}

/** Around each run that is ended. */
export interface Around {
  readonly prepare: () => void;
  readonly check: (what: string) => Promise<void> | void;
}

/**
 * Ends a run at as many of `steps` as `budget` allows, calling `prepare` before each and `check`
 * after it. Gives a line that says how many there were.
 */
export async function killAtSteps(
  { run }: Killable,
  steps: readonly Step[],
  budget: Budget,
  { prepare, check }: Around,
): Promise<string> {
  return await atSteps(steps, budget, async ({ call, nth }) => {
    prepare();
    const inject = `inject=${call}:signal=KILL:when=${nth}`;
    const watching = ["strace", "-qq", "-o", "/dev/null", "-e", `trace=${call}`, "-e", inject];
    const { status, text } = run(watching);
    if (status === 0) assert.equal(text.includes("error"), false, text);
    await check(`killed at ${call} ${nth}`);
    return status !== 0;
  });
}

/**
 * Does `work`, which tells whether something was killed, for as many of `steps` as `budget` allows.
 * Gives a line that says how many there were.
 */
export async function atSteps<AnyStep>(
  steps: readonly AnyStep[],
  budget: Budget,
  work: (step: AnyStep) => Promise<boolean>,
): Promise<string> {
  const { ms, stepsMin = 4 } = budget;
  const startMs = performance.now();
  let [tried, killed] = [0, 0];
  for (const step of spread(steps)) {
    const isOver = performance.now() - startMs > ms && tried >= stepsMin;
    if (isOver && !TAKES_ALL) break;
    tried++;
    if (await work(step)) killed++;
  }
  assert.ok(killed >= tried / 2, `only ${killed} of ${tried} runs were killed at work`);
  return `killed at ${killed} of ${tried}; ${steps.length} steps`;
}

/** All of them, in an order in which every beginning is spread over the whole. */
function spread<Item>(items: readonly Item[]): Item[] {
  const order: Item[] = [];
  for (let stride = 2 ** Math.ceil(Math.log2(items.length + 1)); stride >= 1; stride /= 2) {
    for (let at = stride; at <= items.length; at += 2 * stride) order.push(items[at - 1]!);
  }
  return order;
}

/**
 * Declares a test that ends the program at its steps, in a folder that `inDir` makes. Where that
 * cannot be done, the reason is printed and the test is ignored; `kill_test.ts` kills at random
 * times there.
 */
export function stepTest(
  name: string,
  inDir: (work: (dir: string) => Promise<void>) => Promise<void>,
  body: (dir: string) => Promise<void>,
): void {
  const reason = whyNoSteps();
  if (reason !== null) console.log(`skipped: strace: ${reason} (${name})`);
  Deno.test({
    name,
    ignore: reason !== null,
    fn: async () => {
      assert.ok(fs.existsSync(BINARY), `${BINARY} is missing: run deno task build first`);
      await inDir(body);
    },
  });
}

/** Why no run can be ended at a step here; null when it can. */
const whyNoSteps = once((): string | null => {
  if (process.platform !== "linux") return `there is none on ${process.platform}`;
  const tried = spawnSync("strace", ["-qq", "-o", "/dev/null", "-e", "trace=none", "true"]);
  if (tried.status === 0) return null;
  return tried.error?.message ?? tried.stderr.toString().trim();
});
