/**
 * Kills the real program before each single call to the system that changes the disk, in init, push
 * and pull, with the vault in a folder and in a Git repository.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { join } from "node:path";
import {
  BINARY,
  type Killable,
  killAtSteps,
  machineHere,
  runProgram as run,
  stepsOf,
  stepTest,
  succeeds,
  surroundings,
  TEMPORARY,
} from "../support/kill_steps.ts";
import { SessionCorpus } from "../support/session_corpus.ts";
import { inTempDir, type SyncMachine } from "../support/sync_machine.ts";

/** For each command and place, so that all together stay under a minute. */
const BUDGET_MS = 8_000;
const IDS = [1, 2].map((n) => `${String(n).repeat(8)}-1111-4111-8111-111111111111`);
const BASE_BYTES = 5_000;
/** Enough for a pack beside the entry. */
const GROWN_BYTES = 1_200_000;

type Place = "--dir" | "--git";
type Command = "init" | "push" | "pull";

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
    return machineHere({ name, dir: this.#world });
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
  get killable(): Killable {
    return {
      dir: this.#dir,
      below: this.#world,
      run: (before) => {
        const { target } = this;
        const args = this.#command === "init" ? this.#init(target) : [this.#command];
        return run(target, args, before);
      },
    };
  }
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

for (const place of ["--dir", "--git"] as const) {
  for (const command of ["init", "push", "pull"] as const) {
    const name = `${command} with ${place} may be killed before every call to the system`;
    stepTest(name, inTempDir, async (dir) => {
      const stage = new Stage(dir, place, command);
      stage.prepare();
      const steps = stepsOf(stage.killable);
      let old = new Map<string, string>();
      const said = await killAtSteps(stage.killable, steps, BUDGET_MS, {
        prepare: () => {
          stage.restore();
          old = sessionsOf(stage.target);
        },
        check: (what) => checkAfter(stage, old, what),
      });
      console.log(`${command} ${place}: ${said}`);
    });
  }
}
