/**
 * Simulates whole worlds (see `world.ts`), each of them from one number.
 *
 *     deno task sim --seed 42 --trace               one seed, with everything that happens
 *     deno task sim --seeds 1..1000                 many
 *     deno task sim --seeds 1..1000 --jobs 2        many, in two processes side by side
 *     deno task sim --minutes 30                    one seed after the other, from a random one
 *
 * Ends at the first violation, unless told to `--keep-going`. What it says at the end is the same
 * for the same seeds, in however many processes they were run: the last line but one is a hash of
 * all that happened in all of them.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { isWorker, reportsOf, work } from "./jobs.ts";
import { Report } from "./report.ts";
import { Simulator } from "./simulate.ts";

const PROGRESS_EVERY = 250;
const SEEDS_BY_DEFAULT = 1_000;
const JOBS_MAX = 64;

interface Options {
  readonly seed: string | undefined;
  readonly seeds: string | undefined;
  readonly minutes: string | undefined;
  readonly jobs: number;
  readonly trace: boolean;
  readonly keepGoing: boolean;
}

function optionsFrom(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: args.filter((argument) => argument !== "--"),
    options: {
      seed: { type: "string" },
      seeds: { type: "string" },
      minutes: { type: "string" },
      jobs: { type: "string", default: "1" },
      trace: { type: "boolean", default: false },
      "keep-going": { type: "boolean", default: false },
    },
  });
  const { seed, seeds, minutes, trace } = values;
  const jobs = Number(values.jobs);
  if (!Number.isInteger(jobs) || jobs < 1 || jobs > JOBS_MAX) {
    throw new Error(`--jobs takes a number from 1 to ${JOBS_MAX}`);
  }
  if (trace && jobs > 1) throw new Error("--trace shows one process alone: leave --jobs out");
  return { seed, seeds, minutes, jobs, trace, keepGoing: values["keep-going"] };
}

function* wanted({ seed, seeds, minutes }: Options): Iterable<number> {
  if (seed !== undefined) return yield Number(seed);
  const [first, last] = seeds === undefined
    ? [minutes === undefined ? 1 : Math.floor(Math.random() * 2 ** 31), Infinity]
    : seeds.split("..").map(Number);
  const end = minutes === undefined ? Infinity : performance.now() + Number(minutes) * 60_000;
  const until = last !== Infinity || minutes !== undefined ? last! : SEEDS_BY_DEFAULT;
  for (let at = first!; at <= until && performance.now() < end; at++) yield at;
}

async function* reportsHere(options: Options): AsyncGenerator<Report> {
  const print = options.trace ? (line: string) => process.stdout.write(line) : null;
  const simulator = new Simulator();
  try {
    for (const seed of wanted(options)) yield await simulator.run(seed, print);
  } finally {
    simulator.close();
  }
}

async function simulate(options: Options): Promise<void> {
  // Ctrl-C ends it after the seed at hand, with the report.
  let isStopped = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => (isStopped = true));
  }
  const total = new Report(0);
  const began = performance.now();
  let count = 0;
  const reports = options.jobs === 1
    ? reportsHere(options)
    : reportsOf(wanted(options), options.jobs, import.meta.url);
  for await (const report of reports) {
    const { seed } = report;
    total.merge(report);
    if (options.seed !== undefined) console.log(`trace ${report.traceHash()}`);
    for (const { promise, what } of report.violations) {
      console.log(`seed ${seed} breaks "${promise}": ${what}`);
      console.log(`replay: deno task sim --seed ${seed} --trace`);
    }
    if (++count % PROGRESS_EVERY === 0) {
      const ms = (performance.now() - began) / count;
      console.log(`${count} seeds, ${ms.toFixed(0)} ms each, at ${seed}`);
    }
    if (isStopped || (total.violations.length > 0 && !options.keepGoing)) break;
  }
  console.log(total.text());
  console.log(`all traces ${total.traceHash()}`);
  console.log(`${((performance.now() - began) / 1000).toFixed(1)} s`);
  process.exitCode = total.violations.length > 0 ? 1 : 0;
}

if (isWorker()) work();
else await simulate(optionsFrom(process.argv.slice(2)));
