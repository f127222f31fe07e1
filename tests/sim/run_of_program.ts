/** One run of the program on a machine: a process that the store sees and fate may end. */
import type { DatabaseSync } from "node:sqlite";
import type { Bytes } from "../../src/base/bytes.ts";
import type { Failure } from "../../src/sync/api.ts";
import type { Dice } from "./dice.ts";
import type { Exposure } from "./exposure.ts";
import type { SimMachine } from "./machine.ts";
import type { Visitor } from "./store.ts";

/** What a run can be asked to do. A further command is one more line in `COMMANDS`. */
export type Command =
  | "join"
  | "push"
  | "pull"
  | "sync"
  | "pull-all"
  | "verify"
  | "hook-push"
  | "hook-sync"
  | "gc"
  | "gc-machine"
  | "forget"
  | "forget-before"
  | "recall"
  | "restore"
  | "restore-at"
  | "restore-to"
  | "import";

/** How a run ended. */
export interface Outcome {
  /** Null: it did what it was asked. */
  readonly code: string | null;
  readonly error: unknown;
  readonly failures: readonly Failure[];
  /** Whether it says that all that was here is in the vault. */
  readonly hasPushed: boolean;
  /** Sessions, files and entries that moved. */
  readonly moved: number;
}

/** A run. */
export class RunOfProgram implements Visitor {
  readonly machine: SimMachine;
  readonly command: Command;
  readonly number: number;
  readonly beganMs: number;
  /** Chooses what it is asked for. */
  readonly dice: Dice;
  isAlive = true;
  readonly exposure: Exposure = {
    lies: new Set(),
    mustNotice: new Map(),
    isVaultHidden: false,
    hasFailed: false,
    logNames: new Set(),
    hasLooked: false,
  };
  readonly controller = new AbortController();
  readonly databases = new Set<DatabaseSync>();
  /** Files of the client when it began, by path. */
  readonly filesBefore: ReadonlyMap<string, Bytes>;
  /** Sessions that were forgotten then; it may not hear of it when one is recalled meanwhile. */
  readonly forgottenBefore: ReadonlySet<string>;
  /** Paths that the client has changed since. */
  readonly touched = new Set<string>();
  /** The disk was full or read-only at some time. */
  wasDiskBroken: boolean;
  /** The next session's start tells the user of something that failed in the background. */
  hasTold = false;
  /** Notes for the user. */
  readonly notes: string[] = [];

  constructor(machine: SimMachine, command: Command, number: number) {
    this.machine = machine;
    this.command = command;
    this.number = number;
    this.beganMs = machine.world.scheduler.nowMs;
    this.dice = machine.dice.stream(`ask ${number}`);
    this.filesBefore = machine.clientFiles();
    const { past } = machine.world.store;
    const named = past?.forgottenNames() ?? [];
    this.forgottenBefore = new Set(named.filter((session) => past!.isForgotten(session)));
    this.wasDiskBroken = machine.disk.state !== "sound";
  }

  get name(): string {
    return this.machine.name;
  }

  get accepted(): ReadonlySet<string> {
    return this.machine.accepted;
  }

  get known(): Set<string> {
    return this.machine.known;
  }

  sleepsUntilMs(): number {
    return this.machine.sleepsUntilMs;
  }

  onCall(what: string): void {
    this.machine.atCall?.(what);
  }

  /** `kill -9`. */
  kill(): void {
    this.isAlive = false;
    for (const database of [...this.databases]) database.close();
    this.databases.clear();
  }
}
