/**
 * Simulates whole worlds (see `world.ts`), each of them from one number.
 *
 *     deno task sim --seed 42 --trace       one seed, with everything that happens
 *     deno task sim --seeds 1..1000         many
 *     deno task sim --minutes 30            seeds one after the other, from a random one
 *
 * Ends at the first violation, unless told to `--keep-going`.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { Report } from "./report.ts";
import { Simulator } from "./simulate.ts";

const { values } = parseArgs({
  args: process.argv.slice(2).filter((argument) => argument !== "--"),
  options: {
    seed: { type: "string" },
    seeds: { type: "string" },
    minutes: { type: "string" },
    trace: { type: "boolean", default: false },
    "keep-going": { type: "boolean", default: false },
  },
});

const PROGRESS_EVERY = 250;

function* wanted(): Iterable<number> {
  if (values.seed !== undefined) return yield Number(values.seed);
  const [first, last] = values.seeds === undefined
    ? [values.minutes === undefined ? 1 : Math.floor(Math.random() * 2 ** 31), Infinity]
    : values.seeds.split("..").map(Number);
  const minutes = values.minutes === undefined ? null : Number(values.minutes);
  const end = minutes === null ? Infinity : performance.now() + minutes * 60_000;
  const until = last !== Infinity || minutes !== null ? last! : 1_000;
  for (let seed = first!; seed <= until && performance.now() < end; seed++) yield seed;
}

// Ctrl-C ends it after the seed at hand, with the report.
let isStopped = false;
process.once("SIGINT", () => (isStopped = true));
process.once("SIGTERM", () => (isStopped = true));

const simulator = new Simulator();
const total = new Report(0);
const began = performance.now();
let count = 0;
try {
  const print = values.trace ? (line: string) => process.stdout.write(line) : null;
  for (const seed of wanted()) {
    const report = await simulator.run(seed, print);
    total.merge(report);
    if (values.seed !== undefined) console.log(`trace ${report.traceHash()}`);
    for (const { promise, what } of report.violations) {
      console.log(`seed ${seed} breaks "${promise}": ${what}`);
      console.log(`replay: deno task sim --seed ${seed} --trace`);
    }
    if (++count % PROGRESS_EVERY === 0) {
      const ms = (performance.now() - began) / count;
      console.log(`${count} seeds, ${ms.toFixed(0)} ms each, at ${seed}`);
    }
    if (isStopped || (total.violations.length > 0 && !values["keep-going"])) break;
  }
} finally {
  simulator.close();
}
console.log(total.text());
console.log(`${((performance.now() - began) / 1000).toFixed(1)} s`);
process.exitCode = total.violations.length > 0 ? 1 : 0;
