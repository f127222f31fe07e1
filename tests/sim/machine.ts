/** A simulated computer: home, disk, clock, client, and the real sync code running on it. */
import { mkdirSync } from "node:fs";
import type { Bytes } from "../../src/base/bytes.ts";
import { utf8 } from "../../src/base/bytes.ts";
import { isClaudeSyncError } from "../../src/errors.ts";
import type { Clock, Platform } from "../../src/platform/types.ts";
import type { SyncContext } from "../../src/sync/api.ts";
import type { Ask } from "./asks.ts";
import type { Book } from "./book.ts";
import { Client } from "./client.ts";
import { COMMANDS } from "./commands.ts";
import type { Dice } from "./dice.ts";
import { type DiskCopy, SimDisk } from "./disk.ts";
import type { Report } from "./report.ts";
import { type Command, type Outcome, RunOfProgram } from "./run_of_program.ts";
import type { Scheduler } from "./scheduler.ts";
import { CANARY, type SimStore } from "./store.ts";
import type { SimOptions } from "./options.ts";

/** What all machines of a world share. */
export interface Surroundings {
  readonly options: SimOptions;
  readonly scheduler: Scheduler;
  readonly store: SimStore;
  readonly book: Book;
  readonly report: Report;
  /** Real folder for SQLite files. */
  readonly databaseDir: string;
  readonly machines: readonly SimMachine[];
  /** What machines were asked to forget. */
  readonly asks: Ask[];
  /** Files of a client as they were on some machine once; null: nobody has kept any. */
  readonly oldLaptop: ReadonlyMap<string, Bytes> | null;
  /** Called when a run has ended by itself. */
  onEnd(run: RunOfProgram, outcome: Outcome): void;
}

/** A machine's disk at some time, and what the machine knew then. */
export interface Backup {
  readonly disk: DiskCopy;
  readonly accepted: ReadonlySet<string>;
  readonly removed: ReadonlySet<string>;
}

/** A session's own file, and one outside `projects/`. */
const PROJECT_FILE = new RegExp("/projects/[^/]+/([0-9a-f-]{36})(?:[.]jsonl$|/)");
const SHARED_FILE = new RegExp("/(?:todos|tasks|file-history)/([0-9a-f-]{36})");

/** One computer. */
export class SimMachine {
  readonly name: string;
  readonly home: string;
  readonly configDir: string;
  readonly programDir: string;
  readonly projects: readonly string[];
  readonly disk: SimDisk;
  readonly client: Client;
  readonly dice: Dice;
  /** Names of log entries that it has accepted; they are in its marks. */
  accepted = new Set<string>();
  /** Called with each call of its runs to the store, as it begins. */
  atCall: ((what: string) => void) | null = null;
  /** How often its client has changed a file. */
  touches = 0;
  /** Names of objects that it has put or seen. */
  known = new Set<string>();
  /** Sessions that a person or the clean-up has removed here. */
  removed = new Set<string>();
  readonly runs = new Set<RunOfProgram>();
  /** Databases as they were when a run began. */
  databasesBefore: ReadonlyMap<string, Uint8Array> | null = null;
  sleepsUntilMs = 0;
  sleptMs = 0;
  skewMs = 0;
  isSetUp = false;
  /** The vault's key as a person types it; null for whoever makes the vault. */
  keyToImport: () => string | null = () => null;
  backup: Backup | null = null;
  readonly world: Surroundings;
  /** Earlier versions that `restore` has put here as sessions of their own. */
  readonly copies = new Set<string>();
  #runCount = 0;

  /** `original`: this is a copy of it; a `isTwin` takes itself for the same computer. */
  constructor(
    world: Surroundings,
    name: string,
    dice: Dice,
    original: SimMachine | null = null,
    isTwin = false,
  ) {
    this.world = world;
    this.name = name;
    this.dice = dice;
    this.home = original?.home ?? `/home/${name}-${CANARY}`;
    this.configDir = `${this.home}/.claude`;
    this.projects = [`${this.home}/code/app-${CANARY}`, `${this.home}/code/git-${CANARY}`];
    this.programDir = `${world.databaseDir}/${name}`;
    mkdirSync(this.programDir, { recursive: true });
    const { scheduler, book, options } = world;
    this.disk = new SimDisk({
      databaseDir: this.programDir,
      nowMs: () => this.nowMs(),
      trueMs: () => scheduler.nowMs,
    });
    this.disk.onFailure = (what) => {
      world.report.fault(`disk ${what}`);
      for (const run of this.runs) run.wasDiskBroken = true;
    };
    this.client = new Client({
      disk: this.disk,
      book,
      dice: dice.stream("client"),
      configDir: this.configDir,
      projects: this.projects,
      version: options.clientVersion,
      cleanupDays: options.cleanupDays,
      nowMs: () => this.nowMs(),
      onTouch: (path) => {
        this.touches++;
        for (const run of this.runs) run.touched.add(path);
      },
      onRemove: (session) => this.removed.add(session),
    });
    if (original === null) this.#furnish();
    else this.#becomeCopyOf(original, isTwin);
    this.disk.flush();
  }

  #becomeCopyOf(original: SimMachine, isTwin: boolean): void {
    const { disk, accepted, removed } = original.makeBackup();
    this.disk.restore(disk);
    this.disk.rename(original.programDir, this.programDir);
    if (!isTwin) this.disk.overwrite("/etc/machine-id", utf8(this.dice.hex(32) + "\n"));
    this.accepted = new Set(accepted);
    this.removed = new Set(removed);
    this.known = new Set(original.known);
    this.skewMs = original.skewMs;
    this.isSetUp = true;
  }

  nowMs(): number {
    return Math.floor(this.world.scheduler.nowMs + this.skewMs);
  }

  /** Files of the client by path. */
  clientFiles(): Map<string, Bytes> {
    return this.disk.files(this.configDir);
  }

  /** Begins a run at once; it goes on with the events. */
  begin(command: Command): RunOfProgram {
    const { scheduler, report } = this.world;
    if (this.runs.size === 0) this.databasesBefore = this.disk.databases();
    const run = new RunOfProgram(this, command, ++this.#runCount);
    this.runs.add(run);
    report.operation(command);
    report.trace(`${this.name} begins ${command} ${run.number}`);
    scheduler.after(0, run, () => {
      COMMANDS[command](this.context(run), run).then(
        (outcome) => this.#end(run, { code: null, error: null, ...outcome }),
        (error: unknown) => {
          const isStopped = error === run.controller.signal.reason;
          const code = isClaudeSyncError(error)
            ? error.code
            : isStopped
            ? "interrupted"
            : "unexpected";
          this.#end(run, { code, error, failures: [], hasPushed: false, moved: 0 });
        },
      );
    });
    return run;
  }

  /** A run that does nothing, for reading what is here. */
  idleRun(): RunOfProgram {
    return new RunOfProgram(this, "verify", ++this.#runCount);
  }

  /** All runs die; bytes that were written stay. */
  kill(): void {
    for (const run of this.runs) {
      run.kill();
      this.world.report.trace(`${this.name} ${run.command} ${run.number} is killed`);
    }
    this.runs.clear();
  }

  /** The power goes: what was not flushed may be lost. */
  cutPower(dice: Dice): void {
    this.kill();
    const before = this.clientFiles();
    this.disk.cutPower(dice);
    this.client.die();
    const luck = dice.below(4);
    if (luck === 0) this.disk.setDatabases(new Map());
    if (luck === 1 && this.databasesBefore !== null) this.disk.setDatabases(this.databasesBefore);
    this.#noteLost(before);
  }

  /** What only this disk had and has no more was lost by the disk, not by the program. */
  #noteLost(before: ReadonlyMap<string, Bytes>): void {
    const after = this.clientFiles();
    for (const [path, bytes] of before) {
      const now = after.get(path);
      if (now === bytes) continue;
      const kept = now === undefined ? "" : text(now);
      const lost = text(bytes).split(/(?<=\n)/).filter((line) => !kept.includes(line));
      this.world.book.drop(lost.join(""));
    }
    // Files outside `projects/` go with a session that has something there, or nowhere.
    const ids = new Set([...after.keys()].map((path) => PROJECT_FILE.exec(path)?.[1]));
    for (const [path, bytes] of after) {
      const id = SHARED_FILE.exec(path)?.[1];
      if (id !== undefined && !ids.has(id)) this.world.book.drop(text(bytes));
    }
  }

  /** Everything as it is now; only while no run is at work. */
  makeBackup(): Backup {
    return {
      disk: this.disk.copy(),
      accepted: new Set(this.accepted),
      removed: new Set(this.removed),
    };
  }

  /** The home becomes what it was, wholly or in part. */
  restore(backup: Backup, part: "all" | "client" | "program"): void {
    this.kill();
    const before = this.clientFiles();
    const there = new Set(this.client.transcripts().map(({ session }) => session));
    const paths = { all: ["/"], client: [this.configDir], program: [this.programDir] };
    this.disk.restore(backup.disk, paths[part]);
    if (part !== "client") this.accepted = new Set(backup.accepted);
    if (part !== "program") {
      this.client.die();
      this.#noteLost(before);
      const still = new Set(this.client.transcripts().map(({ session }) => session));
      for (const session of there) if (!still.has(session)) this.removed.add(session);
      for (const session of backup.removed) this.removed.add(session);
    }
  }

  context(run: RunOfProgram): SyncContext {
    return {
      platform: this.#platform(run),
      home: this.programDir,
      keyFile: `${this.programDir}/key`,
      thresholds: this.world.options.thresholds,
      openStore: () => Promise.resolve(this.world.store.open(run)),
      signal: run.controller.signal,
      onProgress: (event) => {
        if (event.kind === "note") run.notes.push(event.message);
      },
    };
  }

  #end(run: RunOfProgram, outcome: Outcome): void {
    this.runs.delete(run);
    run.isAlive = false;
    const failures = outcome.failures.map(({ code }) => code).join(",");
    this.world.report.trace(
      `${this.name} ends ${run.command} ${run.number}: ${outcome.code ?? "done"} [${failures}] ` +
        `${outcome.moved}`,
    );
    this.world.onEnd(run, outcome);
  }

  #furnish(): void {
    for (const dir of [...this.projects, this.configDir, this.programDir, "/etc"]) {
      this.disk.makeDir(dir);
    }
    this.disk.overwrite("/etc/machine-id", utf8(this.dice.hex(32) + "\n"));
    const projects = Object.fromEntries(this.projects.map((dir) => [dir, {}]));
    this.disk.overwrite(`${this.home}/.claude.json`, utf8(JSON.stringify({ projects })));
    const [, git] = this.projects;
    this.disk.makeDir(`${git}/.git`);
    this.disk.overwrite(`${git}/.git/HEAD`, utf8("ref: refs/heads/main\n"));
    const url = `https://example.org/${CANARY}/tool.git`;
    this.disk.overwrite(`${git}/.git/config`, utf8(`[remote "origin"]\n\turl = ${url}\n`));
  }

  #platform(run: RunOfProgram): Platform {
    const { scheduler } = this.world;
    const random = this.dice.stream(`run ${run.number}`);
    const clock: Clock = {
      nowMs: () => this.nowMs(),
      monotonicMs: () => scheduler.nowMs - this.sleptMs,
      sleep: async (ms, signal) => {
        signal?.throwIfAborted();
        await scheduler.wait(ms, run);
        signal?.throwIfAborted();
      },
    };
    const no = () => Promise.reject(new Error("There is no such thing in the simulation"));
    return {
      clock,
      random: { bytes: (length) => random.bytes(length) },
      fs: this.disk,
      host: {
        os: "linux",
        arch: "x64",
        pid: 7,
        home: this.home,
        cwd: () => this.projects[0]!,
        env: () => undefined,
        hostname: this.name,
        uid: 1000,
        executable: "/usr/bin/claude-sync",
        process: (pid) => {
          const alive = this.client.isRunning(pid);
          return { alive, startTicks: alive ? String(pid) : null };
        },
      },
      processes: { run: no, exec: no, spawnDetached: no },
      http: { request: no },
      memory: { passed: () => {} },
    };
  }
}

/** A file's bytes as text, all of them told apart. */
export function text(bytes: Bytes): string {
  return new TextDecoder("latin1").decode(bytes);
}
