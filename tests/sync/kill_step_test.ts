/**
 * Kills the real program before each single call to the system that changes the disk, in init, push
 * and pull, with the vault in a folder and in a Git repository. A stand-in for a plan of faults:
 * `strace` counts the calls of a run that nothing disturbs, and then ends a run at each of them.
 * `CLAUDE_SYNC_KILL_STEPS=all` takes all of them; otherwise as many as there is time for, spread
 * over the whole run.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { SessionCorpus } from "../support/session_corpus.ts";
import { inTempDir, SyncMachine } from "../support/sync_machine.ts";

const BINARY = process.env["CLAUDE_SYNC_BINARY"] ??
  join(import.meta.dirname!, "..", "..", "dist", "claude-sync");
const TAKES_ALL = process.env["CLAUDE_SYNC_KILL_STEPS"] === "all";
/** For each command and place, so that all together stay under a minute. */
const BUDGET_MS = 8_000;
/** At least so many, however slow the machine. */
const STEPS_MIN = 4;
/** With everything that a file goes through until it is safe. */
const CALLS = [
  ...["openat", "write", "pwrite64", "fsync", "fdatasync", "rename", "renameat2", "link"],
  ...["linkat", "unlink", "mkdir", "utimensat", "ftruncate", "fchmod"],
];
const READ_ONLY = /O_RDONLY(?!.*O_CREAT)/;
const TEMPORARY = /(^|\/)\.claude-sync-[0-9a-f]{16}\.tmp$/;
const IDS = [1, 2].map((n) => `${String(n).repeat(8)}-1111-4111-8111-111111111111`);
const BASE_BYTES = 5_000;
/** Enough for a pack beside the entry. */
const GROWN_BYTES = 1_200_000;

type Place = "--dir" | "--git";
type Command = "init" | "push" | "pull";

/** The `nth` call of one kind by the program's first thread. */
interface Step {
  readonly call: string;
  readonly nth: number;
}

interface Ended {
  readonly status: number | null;
  readonly text: string;
}

/** A prepared world, had again and again at the same place. */
class Stage {
  readonly #dir: string;
  readonly #place: Place;
  readonly #command: Command;

  constructor(dir: string, place: Place, command: Command) {
    [this.#dir, this.#place, this.#command] = [dir, place, command];
  }

  get #world(): string {
    return join(this.#dir, "world");
  }

  machine(name: "anna" | "bert"): SyncMachine {
    const machine = new SyncMachine({ name, dir: this.#world });
    const host = { ...machine.platform.host, hostname: hostname() };
    return Object.assign(machine, { platform: { ...machine.platform, host } });
  }

  /** Whose run is ended. */
  get target(): SyncMachine {
    return this.machine(this.#command === "pull" ? "bert" : "anna");
  }

  #init(machine: SyncMachine): readonly string[] {
    return ["init", this.#place, join(machine.home, "..", "vault"), "--yes"];
  }

  prepare(): void {
    const [anna, bert] = [this.machine("anna"), this.machine("bert")];
    speak(anna, IDS[0]!, BASE_BYTES, 1);
    if (this.#place === "--git") {
      spawnSync("git", ["init", "--quiet", "--bare", join(this.#world, "vault")]);
    }
    if (this.#command !== "init") {
      this.setUpBoth();
      speak(anna, IDS[0]!, BASE_BYTES, 2);
      speak(anna, IDS[1]!, GROWN_BYTES, 3);
      if (this.#command === "pull") succeeds(run(anna, ["push"]));
    }
    fs.mkdirSync(bert.configDir, { recursive: true });
    fs.renameSync(this.#world, join(this.#dir, "kept"));
    this.restore();
  }

  /** Both are of the vault and have what was said first; what is done already is left. */
  setUpBoth(): void {
    const [anna, bert] = [this.machine("anna"), this.machine("bert")];
    succeeds(run(anna, this.#init(anna)));
    succeeds(run(anna, ["push"]));
    succeeds(run(bert, this.#init(bert)));
    const key = spawnSync(BINARY, ["key", "export", "--quiet"], surroundings(anna));
    const imported = spawnSync(BINARY, ["key", "import"], {
      ...surroundings(bert),
      input: key.stdout,
    });
    assert.equal(imported.status, 0, imported.stderr.toString());
    succeeds(run(bert, ["pull", "--all"]));
  }

  restore(): void {
    fs.rmSync(this.#world, { recursive: true, force: true });
    fs.cpSync(join(this.#dir, "kept"), this.#world, { recursive: true, preserveTimestamps: true });
  }

  /** The run itself, behind a program that watches it. */
  watched(before: readonly string[]): Ended {
    const { target } = this;
    const args = this.#command === "init" ? this.#init(target) : [this.#command];
    const [program, ...rest] = [...before, BINARY, ...args, "--no-input"];
    const done = spawnSync(program!, rest, surroundings(target));
    return { status: done.status, text: `${done.stdout}${done.stderr}` };
  }

  /** All steps of an undisturbed run that touch this world. */
  steps(): readonly Step[] {
    const trace = join(this.#dir, "trace");
    const watching = ["strace", "-ff", "-y", "-qq", "-s", "0", "-o", trace];
    const done = this.watched([...watching, "-e", `trace=${CALLS.join(",")}`]);
    assert.equal(done.status, 0, done.text);
    const traces = fs.readdirSync(this.#dir).filter((name) => name.startsWith("trace."));
    // The first process has the lowest number; its first thread does all the work on files.
    const [first] = traces.sort((a, b) => Number(a.slice(6)) - Number(b.slice(6)));
    const lines = fs.readFileSync(join(this.#dir, first!), "utf8").split("\n");
    for (const name of traces) fs.rmSync(join(this.#dir, name));
    const counts = new Map<string, number>();
    const steps: Step[] = [];
    for (const line of lines) {
      const call = /^(\w+)\(/.exec(line)?.[1];
      if (call === undefined) continue;
      const nth = (counts.get(call) ?? 0) + 1;
      counts.set(call, nth);
      if (line.includes(this.#world) && !READ_ONLY.test(line)) steps.push({ call, nth });
    }
    this.restore();
    return steps;
  }
}

function surroundings(machine: SyncMachine) {
  return {
    cwd: machine.home,
    env: {
      HOME: machine.home,
      PATH: process.env["PATH"] ?? "",
      GIT_CONFIG_NOSYSTEM: "1",
    },
  };
}

function run(machine: SyncMachine, args: readonly string[]): Ended {
  const done = spawnSync(BINARY, [...args, "--no-input"], surroundings(machine));
  return { status: done.status, text: `${done.stdout}${done.stderr}` };
}

function succeeds({ status, text }: Ended): void {
  assert.equal(status, 0, text);
}

function speak(machine: SyncMachine, session: string, bytes: number, seed: number): void {
  const path = machine.transcriptPath(session);
  const old = fs.existsSync(path) ? fs.readFileSync(path, "utf8") : "";
  const startMs = Date.now() - 86_400_000;
  const corpus = new SessionCorpus({ session, cwd: machine.project, seed, startMs });
  machine.writeTranscript(session, old + new TextDecoder().decode(bytesOf(corpus.next(bytes))));
}

function bytesOf(text: string | Uint8Array): Uint8Array {
  return typeof text === "string" ? new TextEncoder().encode(text) : text;
}

/** Files of sessions by name, whatever the project's folder is called here. */
function sessionsOf(machine: SyncMachine): Map<string, string> {
  const files = Object.entries(machine.files()).filter(([path]) => !TEMPORARY.test(path));
  return new Map(files.map(([path, bytes]) => [path.replace(/^projects\/[^/]+\//, ""), bytes]));
}

function checkAfter(stage: Stage, old: ReadonlyMap<string, string>, what: string): void {
  const [anna, bert] = [stage.machine("anna"), stage.machine("bert")];
  const wanted = sessionsOf(anna);
  const files = sessionsOf(stage.target);
  for (const name of old.keys()) assert.ok(files.has(name), `${what}: ${name} is gone`);
  for (const [name, bytes] of files) {
    const isKnown = bytes === old.get(name) || bytes === wanted.get(name);
    assert.ok(isKnown, `${what}: ${name} is neither old nor new`);
  }
  // Whoever was not set up yet begins again, as a person would.
  const home = join(stage.target.home, ".claude-sync");
  const isSetUp = ["config.json", "key"].every((name) => fs.existsSync(join(home, name)));
  if (isSetUp) succeeds(run(stage.target, ["verify", "--read-data"]));
  if (!fs.existsSync(join(bert.home, ".claude-sync", "config.json"))) stage.setUpBoth();
  for (const machine of [stage.target, anna, bert]) succeeds(run(machine, ["sync"]));
  assert.deepEqual(sessionsOf(bert), sessionsOf(anna), `${what}: the next sync completes`);
  const verified = run(bert, ["verify", "--read-data"]);
  assert.equal(verified.status, 0, `${what}: ${verified.text}`);
}

/** All of them, in an order in which every beginning is spread over the whole. */
function spread<Item>(items: readonly Item[]): Item[] {
  const order: Item[] = [];
  for (let stride = 2 ** Math.ceil(Math.log2(items.length + 1)); stride >= 1; stride /= 2) {
    for (let at = stride; at <= items.length; at += 2 * stride) order.push(items[at - 1]!);
  }
  return order;
}

/** Why no run can be ended at a step here; null when it can. */
function whyNot(): string | null {
  if (process.platform !== "linux") return `no strace on ${process.platform}`;
  const tried = spawnSync("strace", ["-qq", "-o", "/dev/null", "-e", "trace=none", "true"]);
  if (tried.status === 0) return null;
  return tried.error?.message ?? tried.stderr.toString().trim();
}

for (const place of ["--dir", "--git"] as const) {
  for (const command of ["init", "push", "pull"] as const) {
    Deno.test(`${command} with ${place} may be killed before every call to the system`, () =>
      inTempDir((dir) => {
        assert.ok(fs.existsSync(BINARY), `${BINARY} is missing: run deno task build first`);
        const reason = whyNot();
        if (reason !== null) {
          console.log(`no steps here (${reason}): kill_test.ts kills at random times instead`);
          return Promise.resolve();
        }
        const stage = new Stage(dir, place, command);
        stage.prepare();
        const steps = stage.steps();
        assert.ok(steps.length > 10, `${steps.length} steps are too few to be all`);
        const startMs = performance.now();
        let [tried, killed] = [0, 0];
        for (const { call, nth } of spread(steps)) {
          const isOver = performance.now() - startMs > BUDGET_MS && tried >= STEPS_MIN;
          if (isOver && !TAKES_ALL) break;
          stage.restore();
          const old = sessionsOf(stage.target);
          const inject = `inject=${call}:signal=KILL:when=${nth}`;
          const watching = ["strace", "-qq", "-o", "/dev/null", "-e", `trace=${call}`];
          const { status, text } = stage.watched([...watching, "-e", inject]);
          tried++;
          if (status !== 0) killed++;
          else assert.equal(text.includes("error"), false, text);
          checkAfter(stage, old, `killed at ${call} ${nth}`);
        }
        console.log(`${command} ${place}: killed at ${killed} of ${tried}; ${steps.length} steps`);
        assert.ok(killed >= tried / 2, `only ${killed} of ${tried} runs were killed at work`);
        return Promise.resolve();
      }));
  }
}
