/**
 * Two machines for tests that end the real program, or a program that it runs, in init, push and
 * pull, and what must hold afterwards.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { join } from "node:path";
import {
  BINARY,
  type Killable,
  machineHere,
  runProgram as run,
  succeeds,
  surroundings,
  TEMPORARY,
} from "./kill_steps.ts";
import { SessionCorpus } from "./session_corpus.ts";
import type { SyncMachine } from "./sync_machine.ts";

const IDS = [1, 2].map((n) => `${String(n).repeat(8)}-1111-4111-8111-111111111111`);
const BASE_BYTES = 5_000;
/** Enough for a pack beside the entry. */
const GROWN_BYTES = 1_200_000;

/** The option that says where the vault is. */
export type Place = "--dir" | "--git";
/** What is ended: bert's pull, anna's init or push. */
export type Command = "init" | "push" | "pull";

/** A prepared world, had again and again at the same place. */
export class Stage {
  readonly #dir: string;
  readonly #place: Place;
  readonly #command: Command;

  constructor(dir: string, place: Place, command: Command) {
    [this.#dir, this.#place, this.#command] = [dir, place, command];
  }

  get #world(): string {
    return join(this.#dir, "world");
  }

  /** One of the two, on this computer. */
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

  /** Makes the world, and keeps it for `restore`. */
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

  /** The world as it was made. */
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
export function sessionsOf(machine: SyncMachine): Map<string, string> {
  const files = Object.entries(machine.files()).filter(([path]) => !TEMPORARY.test(path));
  return new Map(files.map(([path, bytes]) => [path.replace(/^projects\/[^/]+\//, ""), bytes]));
}

/** Files are old or new, the vault is good, and the next sync completes. */
export function checkAfter(stage: Stage, old: ReadonlyMap<string, string>, what: string): void {
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
