/**
 * What people, their clients and claude-sync do on several machines, step by step, with a book of
 * all that was ever said, and the checks of the promise that nothing of it is lost.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import { dirname, join, relative } from "node:path";
import { parseObjectText } from "../../src/sessions/json_object.ts";
import { slugOf } from "../../src/sessions/slug.ts";
import { filesBelow, said, type SyncMachine } from "./sync_machine.ts";
import {
  contentsOf,
  historyOf,
  type HistoryState,
  objectsOf,
  readLatin1,
  type SyncWorld,
  transcriptsOf,
} from "./sync_world.ts";

/** Everything that can happen. The first ones happen more often. */
export const STEP_KINDS = [
  ...["speak", "speak", "speak", "push", "push", "pull", "pull", "sync"] as const,
  ...["state-lines", "tear", "complete", "drop-record", "truncate", "delete"] as const,
  ...["forget-state", "sidecar", "subagent", "move", "wait"] as const,
] as const;

/** One step. `choice` picks among what the step could be done to. */
export interface Step {
  readonly kind: typeof STEP_KINDS[number];
  readonly machine: number;
  readonly session: number;
  readonly choice: number;
}

const SESSIONS = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"];
const HOUR_MS = 3_600_000;
const STEP_MS = 30_000;
/** Bytes of a record that a crash leaves: enough for the words in it. */
const TORN_BYTES = 120;
const MARKS = /mark-\d{5}/g;

/** A play on one world. */
export class Play {
  readonly #world: SyncWorld;
  #count = 0;
  /** What somebody said in whole records, by the mark in the text. */
  readonly #said = new Set<string>();
  /** Marks that a user or client has taken out of some file. */
  readonly #dropped = new Set<string>();
  /** Marks that were cut off some file: lost if nobody had pushed them. */
  readonly #truncated = new Set<string>();
  /** Sessions that a user has deleted, by machine and id. */
  readonly #deleted = new Set<string>();
  /** Files that went along with their session and are not back, by machine and name. */
  readonly #removed = new Set<string>();
  /** What a run of claude-sync has found or left in a file, by machine and name. */
  readonly #met = new Map<string, Set<string>>();
  /** The rest of a torn record by file. */
  readonly #torn = new Map<string, { written: string; rest: string; mark: string }>();
  /** What claude-sync last wrote, by path. */
  readonly #writtenByUs = new Map<string, string>();

  constructor(world: SyncWorld) {
    this.#world = world;
  }

  /** Does one step; steps that are not possible now do nothing. */
  async take(step: Step): Promise<void> {
    const machine = this.#world.machines[step.machine]!;
    const id = SESSIONS[step.session]!;
    this.#world.clock.advance(STEP_MS);
    switch (step.kind) {
      case "speak":
        return this.#append(machine, id, this.#turn(machine, id));
      case "state-lines":
        // The client writes these into a session that somebody has spoken in.
        if (transcriptsOf(machine, id).length === 0) return;
        return this.#append(machine, id, this.#stateLines(id));
      case "tear":
        return this.#tear(machine, id);
      case "complete":
        return this.#complete(machine, id);
      case "drop-record":
        return this.#dropRecord(machine, id, step.choice);
      case "truncate":
        return this.#truncate(machine, id, step.choice);
      case "delete":
        return this.#delete(machine, id);
      case "forget-state":
        return forgetState(machine);
      case "sidecar":
        return this.#sidecar(machine, id, step.choice);
      case "subagent":
        return this.#subagent(machine, id);
      case "move":
        return this.#move(machine, id, step.choice);
      case "wait":
        return this.#world.clock.advance(HOUR_MS);
      default:
        await this.#run(machine, step.kind);
    }
  }

  /** Lets all machines sync until nothing happens any more. */
  async settle(): Promise<void> {
    this.#world.clock.advance(HOUR_MS);
    const { machines } = this.#world;
    for (let round = 1;; round++) {
      let moved = 0;
      for (const machine of machines) moved += await this.#run(machine, "sync");
      if (moved === 0) break;
      assert.ok(round < machines.length + 2, "the machines come to rest");
    }
    // While nobody has pushed anything, the header is looked at too.
    const objects = await objectsOf(this.#world.store);
    const requests = objects.size === 1 ? 2 : 1;
    for (const machine of machines) {
      const push = await machine.push();
      assert.deepEqual([push.pushed, push.bytes.sent], [0, 0], "push at rest");
      assert.ok(push.requests <= requests, `${push.requests} requests of a push at rest`);
      const pull = await machine.pull();
      assert.equal(pull.pulled, 0, "pull at rest");
      assert.ok(pull.requests <= requests, `${pull.requests} requests of a pull at rest`);
      assert.deepEqual([pull.waiting, pull.unplaced], [0, 0]);
    }
  }

  /** Checks that all machines are equal and that all that was said can be read. */
  async check(): Promise<void> {
    const { machines } = this.#world;
    const history = await historyOf(machines[0]!);
    for (const machine of machines) {
      assert.deepEqual((await machine.verify()).problems, [], `verify on ${machine.name}`);
    }
    this.#checkEqual();
    // Asked for all, everything comes back, also what was deleted here.
    for (const machine of machines) await machine.pull({ all: true });
    this.#deleted.clear();
    this.#removed.clear();
    this.#checkEqual();
    this.#checkSaid(history);
  }

  /** The files of the first machine by session and name. */
  outcome(): Record<string, string> {
    return Object.fromEntries(contentsOf(this.#world.machines[0]!));
  }

  #checkEqual(): void {
    const { machines } = this.#world;
    const all = new Map<string, string>();
    for (const machine of machines) {
      for (const [name, bytes] of contentsOf(machine)) {
        assert.doesNotMatch(name, /\(again\)|\.tmp$/, `on ${machine.name}`);
        if (!all.has(name)) all.set(name, bytes);
        assert.equal(bytes, all.get(name), `${name} on ${machine.name}`);
      }
    }
    for (const machine of machines) {
      const here = contentsOf(machine);
      const missing = [...all.keys()].filter((name) => !here.has(name))
        .filter((name) => !this.#staysAway(machine, name, all.get(name)!));
      assert.deepEqual(missing, [], `missing on ${machine.name}`);
    }
  }

  /**
   * Whether a pull leaves the file in the vault because a user has deleted its session. Of one that
   * is here again, files stay away which stood here at this very state; a changed one comes.
   */
  #staysAway({ name: machine }: SyncMachine, name: string, bytes: string): boolean {
    if (this.#deleted.has(`${machine}/${idIn(name)}`)) return true;
    const key = `${machine}/${name}`;
    return this.#removed.has(key) && this.#met.get(key)?.has(bytes) === true;
  }

  #checkSaid(history: readonly HistoryState[]): void {
    const stored = history.map(({ bytes }) => bytes).join("\n");
    const whole = stored.split("\n").filter((line) => parseObjectText(line) !== null);
    const shown = [...contentsOf(this.#world.machines[0]!).values()].join("");
    for (const mark of this.#said) {
      if (this.#dropped.has(mark)) continue;
      // Of a record that was cut before it was pushed, the vault may have half, which is not shown.
      if (this.#truncated.has(mark) && !whole.some((line) => line.includes(mark))) continue;
      assert.ok(shown.includes(mark), `${mark} is in a file`);
      assert.ok(stored.includes(mark), `${mark} is in the vault`);
    }
  }

  async #run(machine: SyncMachine, kind: "push" | "pull" | "sync"): Promise<number> {
    const before = filesOf(machine);
    const objects = await objectsOf(this.#world.store);
    let moved = 0;
    if (kind !== "push") {
      const pull = kind === "pull" ? await machine.pull() : null;
      const both = kind === "sync" ? await machine.sync() : null;
      const result = pull ?? both!.pull;
      assert.deepEqual([...result.failures, ...both?.push.failures ?? []], []);
      moved = result.pulled + (both?.push.pushed ?? 0);
    } else {
      const push = await machine.push();
      assert.deepEqual(push.failures, []);
      moved = push.pushed;
    }
    const objectsNow = await objectsOf(this.#world.store);
    for (const [name, bytes] of objects) assert.equal(objectsNow.get(name), bytes, `${name} stays`);
    await this.#checkKept(machine, before);
    // What a pull pushes before it replaces a file is not in its own numbers.
    return moved + objectsNow.size - objects.size;
  }

  /** Whatever stood in a file before we ran still begins it, or is in the vault. */
  async #checkKept(machine: SyncMachine, before: ReadonlyMap<string, string>): Promise<void> {
    const after = filesOf(machine);
    for (const [path, bytes] of [...before, ...after]) {
      const key = keyOf(machine, path);
      this.#met.set(key, (this.#met.get(key) ?? new Set()).add(bytes));
      this.#removed.delete(key);
    }
    let history: HistoryState[] | null = null;
    for (const [path, old] of before) {
      const now = after.get(path);
      assert.notEqual(now, undefined, `${path} was removed`);
      if (now!.startsWith(old) || this.#writtenByUs.get(path) === old) continue;
      history ??= await historyOf(machine);
      assert.ok(history.some(({ bytes }) => bytes.startsWith(old)), `${path} lost its old bytes`);
    }
    for (const [path, now] of after) if (before.get(path) !== now) this.#writtenByUs.set(path, now);
  }

  #mark(): string {
    return `mark-${String(++this.#count).padStart(5, "0")}`;
  }

  #record(machine: SyncMachine, id: string, who: "user" | "assistant", mark: string): string {
    const uuid = `00000000-0000-4000-9000-${mark.slice(5).padStart(12, "0")}`;
    const atMs = this.#world.clock.nowMs() + this.#count;
    return said(who, mark, { session: id, cwd: machine.project, atMs, uuid });
  }

  #turn(machine: SyncMachine, id: string): string {
    const [question, answer] = [this.#mark(), this.#mark()];
    this.#said.add(question).add(answer);
    return this.#record(machine, id, "user", question) +
      this.#record(machine, id, "assistant", answer);
  }

  #stateLines(id: string): string {
    const line = { type: "cost-state", total: ++this.#count, sessionId: id };
    return JSON.stringify({ type: "mode", mode: "normal", sessionId: id }) + "\n" +
      JSON.stringify(line) + "\n";
  }

  /** Like client 2.1.330, which ends a torn line before it appends. */
  #append(machine: SyncMachine, id: string, lines: string): void {
    const [path] = transcriptsOf(machine, id);
    const old = path === undefined ? "" : readLatin1(path);
    const glue = old === "" || old.endsWith("\n") ? "" : "\n";
    this.#write(path ?? machine.transcriptPath(id), old + glue + lines);
    this.#deleted.delete(`${machine.name}/${id}`);
  }

  #tear(machine: SyncMachine, id: string): void {
    const [path] = transcriptsOf(machine, id);
    if (path === undefined) return;
    const mark = this.#mark();
    const record = this.#record(machine, id, "user", mark);
    const written = record.slice(0, TORN_BYTES);
    assert.ok(written.includes(mark), "what was said is in the torn part");
    this.#append(machine, id, written);
    this.#torn.set(path, { written, rest: record.slice(TORN_BYTES), mark });
  }

  #complete(machine: SyncMachine, id: string): void {
    const [path] = transcriptsOf(machine, id);
    const torn = path === undefined ? undefined : this.#torn.get(path);
    if (path === undefined || torn === undefined) return;
    const old = readLatin1(path);
    if (!old.endsWith(torn.written)) return;
    this.#write(path, old + torn.rest);
    this.#said.add(torn.mark);
    this.#torn.delete(path);
  }

  #dropRecord(machine: SyncMachine, id: string, choice: number): void {
    const [path] = transcriptsOf(machine, id);
    if (path === undefined) return;
    const lines = readLatin1(path).split(/(?<=\n)/);
    if (lines.length < 2) return;
    // The first line stays: it says where the project is.
    const [line] = lines.splice(1 + (choice % (lines.length - 1)), 1);
    this.#dropMarks(line!);
    this.#write(path, lines.join(""));
  }

  #truncate(machine: SyncMachine, id: string, choice: number): void {
    const [path] = transcriptsOf(machine, id);
    if (path === undefined) return;
    const old = readLatin1(path);
    const lineStarts = [...old.matchAll(/\n/g)].map(({ index }) => index + 1);
    const cut = choice % 3 === 0 ? choice % old.length : lineStarts[choice % lineStarts.length];
    if (cut === undefined || cut < lineStarts[0]! || cut === old.length) return;
    for (const line of old.slice(old.lastIndexOf("\n", cut - 1) + 1).split("\n")) {
      // The client takes an answer back by cutting it off; a question stays if it was pushed.
      if (line.includes('"type":"assistant"')) this.#dropMarks(line);
      else for (const [mark] of line.matchAll(MARKS)) this.#truncated.add(mark);
    }
    this.#write(path, old.slice(0, cut));
  }

  #delete(machine: SyncMachine, id: string): void {
    for (const path of transcriptsOf(machine, id)) {
      this.#dropMarks(readLatin1(path));
      fs.rmSync(path);
      const side = path.replace(/\.jsonl$/, "");
      const todos = todosOf(machine, id);
      if (fs.existsSync(todos)) this.#removed.add(keyOf(machine, todos));
      for (const [name, text] of fs.existsSync(side) ? Object.entries(filesBelow(side)) : []) {
        this.#dropMarks(text);
        this.#removed.add(keyOf(machine, join(side, name)));
      }
      fs.rmSync(side, { recursive: true, force: true });
      fs.rmSync(todos, { force: true });
    }
    this.#deleted.add(`${machine.name}/${id}`);
  }

  #sidecar(machine: SyncMachine, id: string, choice: number): void {
    const [path] = transcriptsOf(machine, id);
    if (path === undefined) return;
    const side = path.replace(/\.jsonl$/, "");
    const [name, content] = choice % 2 === 0
      ? [join(side, "custom-title.json"), JSON.stringify({ title: this.#mark() })]
      : [todosOf(machine, id), `["${this.#mark()}"]`];
    this.#write(name, content);
  }

  #subagent(machine: SyncMachine, id: string): void {
    const [path] = transcriptsOf(machine, id);
    if (path === undefined) return;
    const dir = join(path.replace(/\.jsonl$/, ""), "subagents");
    const mark = this.#mark();
    this.#said.add(mark);
    this.#write(
      join(dir, `agent-${mark.slice(5)}.jsonl`),
      this.#record(machine, id, "user", mark),
    );
    this.#write(join(dir, `agent-${mark.slice(5)}.meta.json`), "{}");
  }

  /** The client moves the transcript alone, as on entering or leaving a worktree. */
  #move(machine: SyncMachine, id: string, choice: number): void {
    const [path] = transcriptsOf(machine, id);
    if (path === undefined) return;
    const slug = slugOf(machine.project) + ["", "--claude-worktrees-wt"][choice % 2];
    const to = join(machine.configDir, "projects", slug, `${id}.jsonl`);
    fs.mkdirSync(dirname(to), { recursive: true });
    fs.renameSync(path, to);
  }

  #dropMarks(text: string): void {
    for (const [mark] of text.matchAll(MARKS)) this.#dropped.add(mark);
  }

  #write(path: string, latin1: string): void {
    fs.mkdirSync(dirname(path), { recursive: true });
    fs.writeFileSync(path, latin1, "latin1");
    const atSeconds = this.#world.clock.nowMs() / 1000;
    fs.utimesSync(path, atSeconds, atSeconds);
  }
}

/** The session that a file belongs to, by its name. */
function idIn(name: string): string {
  return /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(name)?.[0] ?? "";
}

/** The machine and the name that a file has in `contentsOf`. */
function keyOf(machine: SyncMachine, path: string): string {
  const name = relative(machine.configDir, path).replaceAll("\\", "/");
  return `${machine.name}/${name.replace(/^projects\/[^/]+\//, "")}`;
}

function todosOf(machine: SyncMachine, id: string): string {
  return join(machine.configDir, "todos", `${id}-agent-${id}.json`);
}

function forgetState(machine: SyncMachine): void {
  for (const suffix of ["", "-wal", "-shm"]) {
    fs.rmSync(join(machine.home, ".claude-sync", `state.db${suffix}`), { force: true });
  }
}

/** Transcripts and all else of the sessions, by path. */
function filesOf(machine: SyncMachine): Map<string, string> {
  const files = Object.entries(filesBelow(machine.configDir));
  return new Map(files.map(([name, text]) => [join(machine.configDir, name), text]));
}
