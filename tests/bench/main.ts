/**
 * Measures the compiled program. Prints numbers and the targets beside them; no number fails a run.
 *
 *     deno task bench                     everything but what takes minutes, and but the limits
 *     deno task bench start-up            size, start-up time, syncs with nothing to do
 *     deno task bench delta               100 kB more in a session of 50 MB
 *     deno task bench first [--large]     first push and pull, beside other tools
 *     deno task bench requests            how often the store is asked
 *     deno task bench stores              the same on every kind of store
 *     deno task bench crowd               eight machines at one place for a minute
 *     deno task bench compaction          5,000 pushes, then what they cost others
 *     deno task bench git-growth          1,000 small pushes into one Git repository
 *     deno task bench limits [--large]    what is at the edge, and how much memory it takes
 *
 * `--rounds N` repeats small things N times, `--only TEXT` takes the limits that have that text in
 * their name. `--program PATH` measures a program that is there already. `CLAUDE_SYNC_BENCH_DIR`
 * says where the throw-away homes are made.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { benchCompaction } from "./compaction.ts";
import { benchDelta } from "./delta.ts";
import { compileEmptyProgram } from "./empty_program.ts";
import { benchFirst } from "./first.ts";
import { benchGitGrowth } from "./git_growth.ts";
import { benchLimits } from "./limits.ts";
import { benchRequests } from "./requests.ts";
import { benchCrowd, benchStores } from "./stores.ts";
import { benchStartUp } from "./start_up.ts";
import { type BenchWorld, inFreshFolder } from "./world.ts";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const ROUNDS = 15;

const BENCHES: ReadonlyMap<string, (world: BenchWorld) => Promise<void>> = new Map([
  ["start-up", benchStartUp],
  ["delta", benchDelta],
  ["first", benchFirst],
  ["requests", benchRequests],
  ["stores", benchStores],
  ["crowd", benchCrowd],
  ["compaction", benchCompaction],
  ["git-growth", benchGitGrowth],
  ["limits", benchLimits],
]);

function build(outdir: string): string {
  const args = ["run", "-A", join(ROOT, "build.ts"), "--outdir", outdir];
  const run = spawnSync(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
  if (run.status !== 0) throw new Error("the build failed");
  return join(outdir, process.platform === "win32" ? "claude-sync.exe" : "claude-sync");
}

async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      large: { type: "boolean", default: false },
      rounds: { type: "string", default: String(ROUNDS) },
      program: { type: "string" },
      only: { type: "string" },
    },
  });
  const all = [...BENCHES.keys()].filter((name) => name !== "limits");
  const names = positionals.length === 0 ? all : positionals;
  const unknown = names.find((name) => !BENCHES.has(name));
  const rounds = Number(values.rounds);
  if (unknown !== undefined || !(Number.isInteger(rounds) && rounds > 0)) {
    console.error(
      `usage: bench [${[...BENCHES.keys()].join("|")}] [--large] [--only TEXT] [--rounds N]`,
    );
    return 2;
  }
  await inFreshFolder(async (dir) => {
    const program = values.program === undefined ? build(dir) : resolve(values.program);
    const emptyProgram = compileEmptyProgram(ROOT, dir);
    for (const name of names) {
      const own = join(dir, name);
      mkdirSync(own);
      console.log(`\n${name}`);
      const { large, only = "" } = values;
      const world = { program, emptyProgram, dir: own, rounds, large, only, print: console.log };
      await BENCHES.get(name)!(world);
    }
  });
  return 0;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
