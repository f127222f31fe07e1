/**
 * Kills the real program in the middle of push and pull, again and again, on one vault that grows.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { sha256Hex } from "../../src/crypto/hash.ts";
import { slugOf } from "../../src/sessions/slug.ts";
import { seededNumbers, SessionCorpus } from "../support/session_corpus.ts";
import { inMemoryDir, SyncMachine } from "../support/sync_machine.ts";
import { historyOf } from "../support/sync_world.ts";

const VAULTS = 20;
const ROUNDS_PER_VAULT = 10;
const SEED = 9;
/** Of each of the sessions: together enough for packs. */
const FIRST_BYTES = 700_000;
/** What each session grows by: little, which travels inside an entry, or enough for a pack. */
const GROWTH_BYTES = [20_000, 20_000, 20_000, 300_000];

const PROGRAM = process.platform === "win32" ? "claude-sync.exe" : "claude-sync";
const BINARY = process.env["CLAUDE_SYNC_BINARY"] ??
  join(import.meta.dirname!, "..", "..", "dist", PROGRAM);

const TEMPORARY = /(^|\/)\.claude-sync-[0-9a-f]{16}\.tmp$/;
const PLAN = "quiet-walking-hare";
const HISTORY = "history.jsonl";
const IDS = [1, 2, 3].map((n) => `0000000${n}-0000-4000-8000-00000000000${n}`);

type Command = "push" | "pull";

/** How a run ended and how long it took. */
interface Ended {
  readonly code: number | null;
  readonly stderr: string;
  readonly ms: number;
}

/** Runs the program as `machine`'s user; kills it after `killAfterMs`. */
function runProgram(machine: SyncMachine, command: Command, killAfterMs?: number): Promise<Ended> {
  const startMs = performance.now();
  const child = spawn(BINARY, [command, "--no-input"], {
    cwd: machine.home,
    env: { HOME: machine.home, USERPROFILE: machine.home, PATH: process.env["PATH"] },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (text) => stderr += text);
  const timer = killAfterMs === undefined
    ? undefined
    : setTimeout(() => child.kill("SIGKILL"), killAfterMs);
  return new Promise((done, failed) => {
    child.on("error", failed);
    child.on("close", (code) => {
      clearTimeout(timer);
      done({ code, stderr, ms: performance.now() - startMs });
    });
  });
}

/** The same computer for the program and for this process. */
function machineOf(dir: string, name: string): SyncMachine {
  const machine = new SyncMachine({ name, dir });
  return Object.assign(machine, {
    platform: { ...machine.platform, host: { ...machine.platform.host, hostname: hostname() } },
  });
}

/** Two machines whose sessions grow with every round. */
class Playground {
  readonly anna: SyncMachine;
  readonly bert: SyncMachine;
  readonly #corpora: readonly SessionCorpus[];
  #rounds = 0;
  /** Every text that a plan or memory had when the program was started. */
  readonly #wasThere = new Set<string>();

  constructor(dir: string) {
    this.anna = machineOf(dir, "anna");
    this.bert = machineOf(dir, "bert");
    const startMs = Date.now() - 86_400_000;
    const cwd = this.anna.project;
    this.#corpora = IDS.map((session, seed) => new SessionCorpus({ session, cwd, seed, startMs }));
  }

  async setUp(): Promise<void> {
    await this.anna.init();
    await this.bert.join(this.anna);
  }

  /**
   * One round: something is new, and the program works on it until it is killed. Odd rounds pull
   * what the round before has pushed, and more.
   */
  async round(killAfterMs: number | undefined): Promise<Ended> {
    const round = this.#rounds++;
    const command = round % 2 === 0 ? "push" : "pull";
    this.#grow(round);
    if (command === "pull") assert.equal((await this.anna.push()).failed, 0);
    const target = command === "push" ? this.anna : this.bert;
    const [old, wanted] = [digestsOf(target), digestsOf(this.anna)];
    const prompts = target.files()[HISTORY] ?? "";
    const texts = Object.values(shelvesOf(target));
    for (const text of texts) this.#wasThere.add(text);
    const ended = await runProgram(target, command, killAfterMs);
    checkOldOrNew(target, old, wanted);
    assert.ok((target.files()[HISTORY] ?? "").startsWith(prompts), "prompts are only added");
    await checkShelves(target, texts);
    assert.deepEqual((await target.verify()).problems, [], "the vault verifies");
    // The next pull but one is to bring everything that two pushes have sent.
    if (command === "push") await completes(this.anna);
    else await completes(this.bert);
    if (command === "pull") assert.deepEqual(digestsOf(this.bert), digestsOf(this.anna));
    return ended;
  }

  #grow(round: number): void {
    const growth = GROWTH_BYTES[(round >> 1) % GROWTH_BYTES.length]!;
    for (const [i, id] of IDS.entries()) {
      const path = this.anna.transcriptPath(id);
      if (round === 0) this.anna.writeTranscript(id, this.#corpora[i]!.next(FIRST_BYTES));
      else fs.appendFileSync(path, this.#corpora[i]!.next(growth));
    }
    this.anna.write(`todos/${IDS[0]}-agent-${IDS[0]}.json`, `[${round}]`);
    const session = `00000010-0000-4000-8000-${String(round).padStart(12, "0")}`;
    const options = { session, cwd: this.anna.project, seed: round, startMs: Date.now() };
    this.anna.writeTranscript(session, new SessionCorpus(options).next(growth));
    const plan = JSON.stringify({ type: "user", sessionId: session, slug: PLAN }) + "\n";
    if (round === 0) fs.appendFileSync(this.anna.transcriptPath(session), plan);
    // Both write on the same shelves, and what one of them has read is soon outdated.
    for (const machine of [this.anna, this.bert]) {
      const text = `${machine.name}'s, round ${round}`;
      const memory = join("projects", slugOf(machine.project), "memory");
      machine.write(`plans/${PLAN}.md`, `plan: ${text}`, Date.now() - 1000 * (round % 3));
      machine.write(join(memory, "MEMORY.md"), `memory: ${text}`, Date.now() - 1000 * (round % 5));
      machine.write(join(memory, `${machine.name}.md`), text);
      const line = { display: text, timestamp: Date.now(), sessionId: IDS[0] };
      fs.appendFileSync(join(machine.configDir, HISTORY), JSON.stringify(line) + "\n");
    }
  }

  /** Brings everything everywhere: nothing that was ever written may be missing then. */
  async finish(): Promise<void> {
    for (const machine of [this.anna, this.bert, this.anna]) await completes(machine);
    const shelves = [this.anna, this.bert].map((machine) =>
      Object.entries(shelvesOf(machine)).map(([path, text]) => [nameOf(path), text])
    );
    assert.deepEqual(shelves[1], shelves[0], "both have the same plans and memories");
    const vault = new Set((await historyOf(this.anna, isOnShelf)).map(({ bytes }) => bytes));
    for (let round = 0; round < this.#rounds; round++) {
      for (const machine of [this.anna, this.bert]) {
        const text = `${machine.name}'s, round ${round}`;
        const prompts = [this.anna, this.bert].map(promptsOf);
        for (const some of prompts) {
          assert.equal(some.filter((one) => one === text).length, 1, `prompt: ${text}`);
        }
      }
    }
    for (const text of this.#wasThere) assert.ok(vault.has(text), `${text} is lost`);
  }
}

function promptsOf(machine: SyncMachine): string[] {
  const lines = (machine.files()[HISTORY] ?? "").split("\n");
  // A kill may leave a part of a line, which the next pull ends.
  return lines.filter((line) => line.endsWith("}")).map((line) => JSON.parse(line).display);
}

/** Plans and memories by path. */
function shelvesOf(machine: SyncMachine): Record<string, string> {
  const files = Object.entries(machine.files());
  return Object.fromEntries(files.filter(([path]) => isOnShelf(path) && !TEMPORARY.test(path)));
}

function isOnShelf(path: string): boolean {
  return /(^|\/)(plans|memory)\//.test(path);
}

function nameOf(path: string): string {
  return path.replace(/^projects\/[^/]+\//, "");
}

async function completes(machine: SyncMachine): Promise<void> {
  const { pull, push } = await machine.sync();
  assert.deepEqual([...pull.failures, ...push.failures], [], "the next sync completes");
  const again = await machine.push();
  assert.deepEqual([again.pushed, again.requests, again.bytes.sent], [0, 1, 0], "and was all");
}

/** What is not here any more is in the vault: else it was lost. */
async function checkShelves(machine: SyncMachine, texts: readonly string[]): Promise<void> {
  const here = new Set(Object.values(shelvesOf(machine)));
  const gone = texts.filter((text) => !here.has(text));
  if (gone.length === 0) return;
  const vault = new Set((await historyOf(machine, isOnShelf)).map(({ bytes }) => bytes));
  for (const text of gone) assert.ok(vault.has(text), `"${text}" is nowhere any more`);
}

/**
 * Digests of sessions' files by path without the project's folder, which differs between machines.
 * A kill leaves temporary files, which are swept when they are an hour old.
 */
function digestsOf(machine: SyncMachine): Map<string, string> {
  const digests = new Map<string, string>();
  const { configDir } = machine;
  for (const path of fs.readdirSync(configDir, { recursive: true, encoding: "utf8" })) {
    if (TEMPORARY.test(path) || isOnShelf(path) || path === HISTORY) continue;
    const absolute = join(configDir, path);
    if (!fs.statSync(absolute).isFile()) continue;
    digests.set(nameOf(path), sha256Hex(new Uint8Array(fs.readFileSync(absolute))));
  }
  return digests;
}

function checkOldOrNew(
  target: SyncMachine,
  old: ReadonlyMap<string, string>,
  wanted: ReadonlyMap<string, string>,
): void {
  const files = digestsOf(target);
  for (const path of old.keys()) assert.ok(files.has(path), `${path} is gone`);
  for (const [path, digest] of files) {
    const isOldOrNew = digest === old.get(path) || digest === wanted.get(path);
    assert.ok(isOldOrNew, `${path} is neither old nor new`);
  }
}

Deno.test("killing push and pull at any moment loses nothing", () =>
  inMemoryDir(async (dir) => {
    assert.ok(fs.existsSync(BINARY), `${BINARY} is missing: run deno task build first`);
    const inVault = async (work: (playground: Playground) => Promise<void>) => {
      const playground = new Playground(join(dir, "world"));
      await playground.setUp();
      await work(playground);
      await playground.finish();
      fs.rmSync(join(dir, "world"), { recursive: true });
    };
    const undisturbedMs: number[] = [];
    await inVault(async (playground) => {
      for (let round = 0; round < ROUNDS_PER_VAULT; round++) {
        const { code, stderr, ms } = await playground.round(undefined);
        assert.equal(code, 0, stderr);
        undisturbedMs.push(ms);
      }
    });
    const next = seededNumbers(SEED);
    let killed = 0;
    for (let vault = 0; vault < VAULTS; vault++) {
      await inVault(async (playground) => {
        for (let round = 0; round < ROUNDS_PER_VAULT; round++) {
          const { code, stderr } = await playground.round(next() * undisturbedMs[round]!);
          if (code === null) killed++;
          else assert.equal(code, 0, stderr);
        }
      });
    }
    const rounds = VAULTS * ROUNDS_PER_VAULT;
    console.log(`${rounds} rounds: ${killed} killed at work, ${rounds - killed} done before`);
    // Half of them and more, on a computer that is as busy all the time as it was at first.
    assert.ok(killed >= rounds / 4, `only ${killed} of ${rounds} runs were killed at work`);
  }));
