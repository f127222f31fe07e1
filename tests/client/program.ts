/**
 * Runs a program to its end, with nothing of the tester's own environment but what is given.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";

/** How a program ended. */
export interface Outcome {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  /** From the start until both outputs were closed, by the program and all that inherited them. */
  readonly elapsedMs: number;
}

/** Where and how a program runs. */
export interface Circumstances {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** What it reads; an empty, closed input when absent. */
  readonly input?: string;
  readonly timeoutMs: number;
}

/** A program that still runs. */
export interface Running {
  readonly pid: number;
  kill(signal: "SIGTERM" | "SIGKILL" | "SIGINT" | "SIGHUP"): void;
  readonly outcome: Promise<Outcome>;
}

/** Starts a program; its outcome rejects when it runs longer than `timeoutMs`. */
export function start(argv: readonly [string, ...string[]], where: Circumstances): Running {
  const startedAt = performance.now();
  const [program, ...args] = argv;
  const child = spawn(program, args, { cwd: where.cwd, env: { ...where.env }, stdio: "pipe" });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8");
    child[name].on("data", (text: string) => output[name] += text);
  }
  // A program may end without reading its input.
  child.stdin.on("error", () => {});
  child.stdin.end(where.input ?? "");
  const outcome = new Promise<Outcome>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      const said = `${output.stdout}${output.stderr}`.slice(-2000);
      reject(new Error(`"${argv.join(" ")}" still ran after ${where.timeoutMs} ms: ${said}`));
    }, where.timeoutMs);
    child.on("error", (cause) => {
      clearTimeout(timer);
      reject(new Error(`Cannot run "${program}": ${cause.message}`, { cause }));
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, ...output, elapsedMs: performance.now() - startedAt });
    });
  });
  return { pid: child.pid ?? 0, kill: (signal) => void child.kill(signal), outcome };
}

/** Runs a program to its end and returns the outcome, whatever it is. */
export function run(
  argv: readonly [string, ...string[]],
  where: Circumstances,
): Promise<Outcome> {
  return start(argv, where).outcome;
}

/** The folders in which this process finds programs, for machines that have the same tools. */
export function toolPath(): string {
  return process.env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin";
}

/** Whether a process of that id runs; one that has ended but was not yet collected does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false; // All are this user's, so the only failure is that there is none.
  }
  if (process.platform !== "linux") return true;
  try {
    // The state follows the program's name, which stands in brackets.
    return !/\) Z [^)]*$/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false; // It has gone between the two questions.
  }
}

/** Explains an outcome in an assertion. */
export function describe(outcome: Outcome): string {
  const { code, signal, stdout, stderr } = outcome;
  return `exit ${code ?? signal}\nstdout: ${stdout}\nstderr: ${stderr}`;
}
