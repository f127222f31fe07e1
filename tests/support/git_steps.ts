/**
 * Ends the programs of Git that a run starts, each by itself, before single calls to the system
 * that change the disk. A stand-in named `git` comes first in the path, for our program and for Git
 * itself: it counts the commands by name, so that each process of a run has a name of its own, and
 * starts the real one, behind `strace` when it is its turn.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { CALLS, type Ended, READ_ONLY, type Step, succeeds } from "./kill_steps.ts";

/** Calls that our program does not make. */
const MORE_CALLS = ["mkdirat", "renameat", "symlink", "symlinkat", "chmod", "fchmodat", "truncate"];
const ALL_CALLS = [...CALLS, ...MORE_CALLS];
/** Whose paths `strace` gives as they were said: relative ones below the repository. */
const BY_PATH = /^(rename|link|unlink|mkdir|rmdir|symlink|chmod|truncate)\(/;
/** A call that changed nothing, on our disk at least. */
const CHANGES_NOTHING = / = -1 E[A-Z]+|"\/dev\/null"/;

/** A call to the system by one process of Git. */
export interface GitStep extends Step {
  /** Its command and which of those in the run it is, e.g. `fast-import.1`. */
  readonly command: string;
}

/** A Git whose processes can be ended. */
export class WatchedGit {
  readonly #dir: string;

  /** Makes the stand-in in `dir`, which must not be there yet. */
  constructor(dir: string) {
    this.#dir = dir;
    const [exec] = ["--exec-path"].map((option) =>
      spawnSync("git", [option]).stdout.toString().trim()
    );
    fs.mkdirSync(this.#core, { recursive: true });
    for (const name of fs.readdirSync(exec!)) {
      if (name !== "git") fs.symlinkSync(join(exec!, name), join(this.#core, name));
    }
    fs.writeFileSync(join(this.#core, "git"), this.#standIn(realGit()), { mode: 0o755 });
    this.#begin("mode=quiet");
  }

  /** What runs another program with this Git. */
  get before(): readonly string[] {
    return ["env", `PATH=${this.#core}:${process.env["PATH"] ?? ""}`];
  }

  /** All steps of an undisturbed run that touch something below the folder `below`. */
  stepsOf(run: (before: readonly string[]) => Ended, below: string): readonly GitStep[] {
    this.#begin("mode=trace");
    succeeds(run(this.before));
    const steps = fs.readdirSync(this.#traces).flatMap((command) =>
      stepsIn(fs.readFileSync(join(this.#traces, command), "utf8"), below)
        .map((step) => ({ ...step, command }))
    );
    this.#begin("mode=quiet");
    assert.ok(steps.length > 10, `${steps.length} steps are too few to be all`);
    return steps;
  }

  /** Ends the next run's Git at `step`. Also says whether Git came so far. */
  kill(
    { command, call, nth }: GitStep,
    run: (before: readonly string[]) => Ended,
  ): Ended & { readonly killed: boolean } {
    this.#begin(`mode=kill aim=${command} call=${call} nth=${nth}`);
    const ended = run(this.before);
    const trace = join(this.#traces, command);
    const killed = fs.existsSync(trace) &&
      fs.readFileSync(trace, "utf8").includes("killed by SIGKILL");
    this.#begin("mode=quiet");
    return { ...ended, killed };
  }

  get #core(): string {
    return join(this.#dir, "core");
  }

  get #traces(): string {
    return join(this.#dir, "traces");
  }

  #begin(aim: string): void {
    for (const name of ["traces", "ran"]) {
      fs.rmSync(join(this.#dir, name), { recursive: true, force: true });
      fs.mkdirSync(join(this.#dir, name));
    }
    fs.writeFileSync(join(this.#dir, "aim"), `${aim.replaceAll(" ", "\n")}\n`);
  }

  #standIn(git: string): string {
    const dir = this.#dir;
    return `#!/bin/sh
name=
skips=
for word in "$@"; do
  if [ -n "$skips" ]; then skips=; continue; fi
  case $word in
    -c | -C | --git-dir | --work-tree | --namespace) skips=1 ;;
    -*) ;;
    *) name=$word; break ;;
  esac
done
case $name in "" | *[!a-z-]*) name=other ;; esac
export GIT_EXEC_PATH='${this.#core}'
. '${dir}/aim'
if [ "$mode" != quiet ]; then
  n=1
  while ! mkdir "${dir}/ran/$name.$n" 2>/dev/null; do n=$((n + 1)); done
fi
out="${dir}/traces/$name.$n"
if [ "$mode" = trace ]; then
  exec strace -qq -y -s 0 -o "$out" -e trace=${ALL_CALLS.join(",")} '${git}' "$@"
fi
if [ "$mode" = kill ] && [ "$name.$n" = "$aim" ]; then
  exec strace -o "$out" -e "trace=$call" -e "inject=$call:signal=KILL:when=$nth" '${git}' "$@"
fi
exec '${git}' "$@"
`;
  }
}

/**
 * Takes away the locks that a killed Git has left in the bare repository at `path`, as whoever is
 * kept out by one is told: the same run again says so, or gets by.
 */
export function removeLocks(path: string, run: (before: readonly string[]) => Ended): void {
  const below = fs.readdirSync(path, { recursive: true, encoding: "utf8" });
  const locks = below.filter((name) => name.endsWith(".lock"));
  if (locks.length === 0) return;
  const { status, text } = run([]);
  const isNamed = locks.some((name) => text.includes(name) && /remove that file/.test(text));
  assert.ok(status === 0 || isNamed, `${locks} is in the way: ${text}`);
  for (const name of locks) fs.rmSync(join(path, name));
}

function realGit(): string {
  const found = spawnSync("sh", ["-c", "command -v git"]).stdout.toString().trim();
  return fs.realpathSync(found);
}

function stepsIn(trace: string, below: string): Step[] {
  const counts = new Map<string, number>();
  const steps: Step[] = [];
  for (const line of trace.split("\n")) {
    const call = /^(\w+)\(/.exec(line)?.[1];
    if (call === undefined) continue;
    const nth = (counts.get(call) ?? 0) + 1;
    counts.set(call, nth);
    const isOurs = line.includes(below) || BY_PATH.test(line);
    if (isOurs && !READ_ONLY.test(line) && !CHANGES_NOTHING.test(line)) steps.push({ call, nth });
  }
  return steps;
}
