/**
 * A throw-away computer with its own home and Claude Code folder, running the real use cases on the
 * real disk.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync } from "node:fs";
import { statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { nodePlatform } from "../../src/platform/node.ts";
import type { Clock, FileSystem, Platform } from "../../src/platform/types.ts";
import { slugOf } from "../../src/sessions/slug.ts";
import { folderLocationOf, type StoreLocation } from "../../src/storage/location.ts";
import type { ObjectStore } from "../../src/storage/object_store.ts";
import { openStore } from "../../src/storage/open.ts";
import type { ProgressEvent, PullResult, PushResult } from "../../src/sync/api.ts";
import type { SyncContext, SyncRequest } from "../../src/sync/api.ts";
import { syncService } from "../../src/sync/service.ts";

/** Runs `work` in a fresh folder that is removed afterwards. */
export async function inTempDir<Result>(work: (dir: string) => Promise<Result>): Promise<Result> {
  const dir = mkdtempSync(join(tmpdir(), "claude-sync-test-"));
  try {
    return await work(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const MEMORY_DISK = "/dev/shm";

/**
 * Like `inTempDir`, on a disk in memory where there is one: for tests that make and drop very many
 * files, and end no power supply.
 */
export async function inMemoryDir<Result>(
  work: (dir: string) => Promise<Result>,
): Promise<Result> {
  let dir: string;
  try {
    dir = mkdtempSync(join(MEMORY_DISK, "claude-sync-test-"));
  } catch {
    // Not on this system, or not for this user.
    return await inTempDir(work);
  }
  try {
    return await work(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Time that stands still until it is told to go on; sleeping moves it. */
export class TestClock implements Clock {
  #nowMs: number;

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  advance(ms: number): void {
    this.#nowMs += ms;
  }

  sleep(ms: number): Promise<void> {
    this.#nowMs += ms;
    return Promise.resolve();
  }
}

/** How a machine differs from the default one. */
export interface MachineOptions {
  /** Machine name; its home is `<dir>/<name>`. */
  readonly name: string;
  readonly dir: string;
  /** Folder of the vault; `<dir>/vault` unless given. */
  readonly vaultDir?: string;
  /** Where the vault is when not in a folder. */
  readonly location?: StoreLocation;
  readonly clock?: Clock;
  /** Wraps the real disk, e.g. to inject faults. */
  readonly fs?: (fs: FileSystem) => FileSystem;
  /** Wraps or replaces the store. */
  readonly store?: (
    location: StoreLocation,
    create: boolean,
  ) => Promise<ObjectStore>;
  readonly env?: Readonly<Record<string, string>>;
  /** Changes to the environment of programs that it starts, such as Git. */
  readonly childEnv?: Readonly<Record<string, string | null>>;
}

const ALL = { sessions: [], all: false, dryRun: false };

/** One computer. */
export class SyncMachine {
  readonly name: string;
  readonly home: string;
  readonly configDir: string;
  readonly vaultDir: string;
  /** Working folder of its only project unless a test uses others. */
  readonly project: string;
  readonly platform: Platform;
  readonly events: ProgressEvent[] = [];
  /** Where its vault is. */
  readonly location: StoreLocation;
  readonly #store: MachineOptions["store"];

  constructor(options: MachineOptions) {
    this.name = options.name;
    this.home = join(options.dir, options.name);
    this.configDir = join(this.home, ".claude");
    this.vaultDir = options.vaultDir ?? join(options.dir, "vault");
    this.location = options.location ?? folderLocationOf(this.vaultDir);
    this.project = join(this.home, "code", "app");
    mkdirSync(this.project, { recursive: true });
    mkdirSync(this.configDir, { recursive: true });
    const real = nodePlatform();
    const { env = {}, childEnv = {} } = options;
    this.platform = {
      ...real,
      processes: {
        ...real.processes,
        run: (argv, changes = {}) =>
          real.processes.run(argv, { ...changes, env: { ...childEnv, ...changes.env } }),
      },
      clock: options.clock ?? real.clock,
      fs: options.fs?.(real.fs) ?? real.fs,
      host: {
        ...real.host,
        home: this.home,
        hostname: this.name,
        cwd: () => this.project,
        env: (name) => env[name],
        process: real.host.process.bind(real.host),
      },
    };
    this.#store = options.store;
  }

  /** The context of one call. */
  context(signal: AbortSignal = new AbortController().signal): SyncContext {
    const home = join(this.home, ".claude-sync");
    const { platform } = this;
    return {
      platform,
      home,
      keyFile: join(home, "key"),
      openStore: (location, { create }) =>
        this.#store?.(location, create) ?? this.openStore(location, create),
      signal,
      onProgress: (event) => this.events.push(event),
    };
  }

  /** The store at a place, as the program opens it. */
  openStore(location: StoreLocation, create: boolean): Promise<ObjectStore> {
    const cacheDir = join(this.home, ".claude-sync", "cache");
    const note = (message: string) => this.events.push({ kind: "note", message });
    return openStore(location, { platform: this.platform, cacheDir, note, create });
  }

  init() {
    const request = {
      location: this.location,
      machineName: this.name,
      dryRun: false,
    };
    return syncService.init(this.context(), request);
  }

  /** Joins the vault of `other` with its key. */
  async join(other: SyncMachine): Promise<void> {
    await this.init();
    const { keyText } = await syncService.keyExport(other.context());
    await syncService.keyImport(this.context(), keyText);
  }

  push(request: Partial<SyncRequest> = {}): Promise<PushResult> {
    return syncService.push(this.context(), { ...ALL, ...request });
  }

  pull(request: Partial<SyncRequest> = {}): Promise<PullResult> {
    return syncService.pull(this.context(), { ...ALL, ...request });
  }

  sync() {
    return syncService.sync(this.context(), ALL);
  }

  verify(readData = true) {
    return syncService.verify(this.context(), { readData });
  }

  /** Absolute path of a session's transcript in the project's folder. */
  transcriptPath(session: string, project = this.project): string {
    return join(this.configDir, "projects", slugOf(project), `${session}.jsonl`);
  }

  /**
   * Writes a file below the Claude Code folder; `mtimeMs` defaults to an hour ago, so that it looks
   * quiet.
   */
  write(path: string, content: string | Uint8Array, mtimeMs?: number): void {
    const absolute = join(this.configDir, path);
    mkdirSync(dirname(absolute), { recursive: true });
    writeFileSync(absolute, content);
    const at = (mtimeMs ?? this.platform.clock.nowMs() - 3_600_000) / 1000;
    utimesSync(absolute, at, at);
  }

  /** Writes the transcript of `session` in the project's folder. */
  writeTranscript(session: string, content: string | Uint8Array, mtimeMs?: number): void {
    this.write(join("projects", slugOf(this.project), `${session}.jsonl`), content, mtimeMs);
  }

  readTranscript(session: string): string {
    return readFileSync(this.transcriptPath(session), "utf8");
  }

  /**
   * Every file below the Claude Code folder, by relative path, with its bytes in latin1 so that
   * nothing is lost.
   */
  files(): Record<string, string> {
    return filesBelow(this.configDir);
  }
}

/** Every regular file below `dir`, by relative path with `/`, as latin1 text. */
export function filesBelow(dir: string): Record<string, string> {
  const files: Record<string, string> = {};
  for (const name of readdirSync(dir, { recursive: true, encoding: "utf8" }).sort()) {
    const path = join(dir, name);
    if (statSync(path).isFile()) {
      files[name.replaceAll("\\", "/")] = readFileSync(path, "latin1");
    }
  }
  return files;
}

let uuidCount = 0;

/** A fresh uuid-shaped id, the same in every run of a test file. */
function testUuid(): string {
  uuidCount++;
  return `00000000-0000-4000-9000-${String(uuidCount).padStart(12, "0")}`;
}

/** A record as the client writes it: something that was said in a session. */
export function said(
  who: "user" | "assistant",
  text: string,
  facts: { session: string; cwd: string; atMs: number; parent?: string | null; uuid?: string },
): string {
  const record = {
    parentUuid: facts.parent ?? null,
    isSidechain: false,
    type: who,
    message: { role: who, content: who === "user" ? text : [{ type: "text", text }] },
    uuid: facts.uuid ?? testUuid(),
    timestamp: new Date(facts.atMs).toISOString(),
    userType: "external",
    entrypoint: "cli",
    cwd: facts.cwd,
    sessionId: facts.session,
    version: "2.1.330",
    gitBranch: "",
  };
  return JSON.stringify(record) + "\n";
}
