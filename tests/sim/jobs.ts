/**
 * Seeds in processes side by side. Reports come in the order of the seeds, whichever process is
 * done first, so that adding them up gives the same as in one process.
 */
import { type ChildProcess, fork } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Report, type ReportCopy } from "./report.ts";
import { Simulator } from "./simulate.ts";

/** Seeds that a process is given at a time: none waits for another one that takes long. */
const SEEDS_AHEAD = 16;
/** What a process is told that works for another. */
const WORKER = "--worker";
/** What it says when it can hear. */
const READY = "ready";
/** What it is told when no more is wanted of it. */
const END = "end";

/** Whether this process is one that works for another. */
export function isWorker(): boolean {
  return process.argv.includes(WORKER);
}

/** Works for the process that has started this one, until told to end or left alone. */
export function work(): void {
  const simulator = new Simulator();
  let [last, isEnding] = [Promise.resolve(), false];
  const end = () => {
    simulator.close();
    process.exit();
  };
  process.on("message", (message: number | typeof END) => {
    if (message === END) {
      isEnding = true;
      return void last.then(end);
    }
    last = last.then(async () => {
      if (!isEnding) process.send!((await simulator.run(message)).copy());
    });
    last.catch((error: unknown) => {
      console.error(error);
      end();
    });
  });
  process.on("disconnect", () => void last.then(end));
  // Ctrl-C reaches every process; the first one decides what it means.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => {});
  process.send!(READY);
}

/**
 * Runs the seeds in `jobs` processes of the program `main`, which must call `work` there. Gives the
 * reports in the order of the seeds; whoever wants no more of them may leave. Throws when one of
 * the processes ends by itself.
 */
export async function* reportsOf(
  seeds: Iterable<number>,
  jobs: number,
  main: string,
): AsyncGenerator<Report> {
  const source = seeds[Symbol.iterator]();
  const workers = Array.from({ length: jobs }, () => new Worker(main));
  const waiting: Promise<Report>[] = [];
  let given = 0;
  try {
    for (;;) {
      while (waiting.length < jobs * SEEDS_AHEAD) {
        const next = source.next();
        if (next.done === true) break;
        waiting.push(workers[given++ % jobs]!.run(next.value));
      }
      const oldest = waiting.shift();
      if (oldest === undefined) return;
      yield await oldest;
    }
  } finally {
    await Promise.all(workers.map((worker) => worker.end()));
  }
}

interface Asked {
  readonly seed: number;
  readonly resolve: (report: Report) => void;
  readonly reject: (error: Error) => void;
}

/** One of the processes. */
class Worker {
  readonly #process: ChildProcess;
  readonly #asked: Asked[] = [];
  readonly #ended: Promise<void>;
  #isReady = false;
  #hasEnded = false;

  constructor(main: string) {
    this.#process = fork(fileURLToPath(main), [WORKER]);
    this.#process.on("message", (message) => {
      if (message !== READY) {
        return this.#asked.shift()?.resolve(Report.from(message as ReportCopy));
      }
      this.#isReady = true;
      for (const { seed } of this.#asked) this.#process.send(seed);
    });
    this.#ended = new Promise((resolve) => {
      this.#process.on("exit", () => {
        this.#hasEnded = true;
        for (const { seed, reject } of this.#asked.splice(0)) reject(hasEnded(seed));
        resolve();
      });
    });
  }

  /** Seeds are run in the order in which they come. */
  run(seed: number): Promise<Report> {
    const report = new Promise<Report>((resolve, reject) => {
      if (this.#hasEnded) return reject(hasEnded(seed));
      this.#asked.push({ seed, resolve, reject });
      if (this.#isReady) this.#process.send(seed);
    });
    // It is waited for in its turn, and a failure is none before.
    report.catch(() => {});
    return report;
  }

  /** Ends it after the seed at hand; resolves when it is gone. */
  async end(): Promise<void> {
    if (!this.#hasEnded) this.#process.send(END);
    await this.#ended;
  }
}

function hasEnded(seed: number): Error {
  return new Error(`The process that was to run seed ${seed} has ended`);
}
