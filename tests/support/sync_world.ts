/**
 * Several computers that share one vault in memory and one clock, and what a test wants to know of
 * them: their sessions, and everything that the vault still has.
 */
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { sha256Hex } from "../../src/crypto/hash.ts";
import { Sha256 } from "../../src/crypto/hash.ts";
import type { FileSystem } from "../../src/platform/types.ts";
import { MemoryStore } from "../../src/storage/memory/store.ts";
import type { ObjectStore } from "../../src/storage/object_store.ts";
import { refresh } from "../../src/sync/refresh.ts";
import { withVault } from "../../src/sync/vault_access.ts";
import { chainBytes } from "../../src/sync/vault_content.ts";
import { filesBelow, type MachineOptions, SyncMachine, TestClock } from "./sync_machine.ts";
import { withoutFlush } from "./unflushed_fs.ts";

/** When every world begins. */
export const WORLD_START_MS = Date.UTC(2026, 0, 15, 12);

/** A world of machines over one store. */
export interface SyncWorld {
  readonly machines: readonly SyncMachine[];
  readonly clock: TestClock;
  readonly store: MemoryStore;
}

/** How a world differs from the default one. */
export interface WorldOptions {
  readonly names?: readonly string[];
  /** When it begins; `WORLD_START_MS` unless given. Files get their time from the real clock. */
  readonly startMs?: number;
  /** A store that holds something already. */
  readonly store?: MemoryStore;
  /** Wraps the store of one machine. */
  readonly storeOf?: (name: string, store: ObjectStore) => ObjectStore;
  /** Wraps the disk of one machine. */
  readonly fsOf?: (name: string, fs: FileSystem) => FileSystem;
}

/** Makes machines in `dir`; the first has made the vault, the others have joined it. */
export async function newWorld(dir: string, options: WorldOptions = {}): Promise<SyncWorld> {
  const world = emptyWorld(dir, options);
  const [first, ...others] = world.machines;
  await first!.init();
  for (const other of others) await other.join(first!);
  return world;
}

/** Makes machines in `dir` of which none is set up. */
export function emptyWorld(dir: string, options: WorldOptions = {}): SyncWorld {
  const clock = new TestClock(options.startMs ?? WORLD_START_MS);
  const store = options.store ?? new MemoryStore();
  const machines = (options.names ?? ["anna", "bert"]).map((name) => {
    const machine: MachineOptions = {
      name,
      dir,
      clock,
      store: () => Promise.resolve(options.storeOf?.(name, store) ?? store),
      fs: (fs) => {
        const quick = withoutFlush(fs);
        return options.fsOf?.(name, quick) ?? quick;
      },
    };
    return new SyncMachine(machine);
  });
  return { machines, clock, store };
}

/** A disk that notes of which paths the content is read. */
export function notingReads(fs: FileSystem, reads: string[]): FileSystem {
  return Object.assign(Object.create(fs) as FileSystem, {
    openRead: (path: string) => (reads.push(path), fs.openRead(path)),
    readFile: (path: string, bytesMax: number) => (reads.push(path), fs.readFile(path, bytesMax)),
  });
}

/** One more machine in `dir`, which joins the first one's vault. */
export async function newcomer(
  { machines, clock, store }: SyncWorld,
  dir: string,
  name: string,
): Promise<SyncMachine> {
  const machine = new SyncMachine({
    name,
    dir,
    clock,
    store: () => Promise.resolve(store),
    fs: withoutFlush,
  });
  await machine.join(machines[0]!);
  return machine;
}

/** Absolute paths of a session's transcripts on this machine; more than one is a fault. */
export function transcriptsOf(machine: SyncMachine, id: string): string[] {
  const projects = join(machine.configDir, "projects");
  mkdirSync(projects, { recursive: true });
  return readdirSync(projects).map((slug) => join(projects, slug, `${id}.jsonl`))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
}

/**
 * What the machine has of every session, by `<id>/<name>` without the project's folder, as latin1.
 * Of what stands in two folders, because the client moved the transcript alone, the copy beside the
 * transcript; a second transcript is under `<id>.jsonl (again)`.
 */
export function contentsOf(machine: SyncMachine): Map<string, string> {
  const files = filesBelow(machine.configDir);
  const isBeside = (path: string) => `${/^projects\/[^/]+\/[^/.]+/.exec(path)?.[0]}.jsonl` in files;
  const contents = new Map<string, string>();
  for (const path of Object.keys(files).sort((a, b) => Number(isBeside(b)) - Number(isBeside(a)))) {
    const name = path.replace(/^projects\/[^/]+\//, "");
    if (!contents.has(name)) contents.set(name, files[path]!);
    else if (!name.includes("/")) contents.set(`${name} (again)`, files[path]!);
  }
  return contents;
}

/** One state that the vault can still give back. */
export interface HistoryState {
  readonly session: string;
  readonly file: string;
  readonly gen: string;
  /** As latin1. */
  readonly bytes: string;
}

/**
 * Every state of every file that was ever pushed, read from the vault alone. Throws when one of
 * them cannot be put together any more or is not what its hash says. `isWanted` restricts it to
 * some files.
 */
export async function historyOf(
  machine: SyncMachine,
  isWanted: (file: string) => boolean = () => true,
): Promise<HistoryState[]> {
  return await withVault(machine.context(), async (vault) => {
    await refresh(vault);
    const files = vault.database.prepare("SELECT DISTINCT session, file FROM segment").all() as {
      session: string;
      file: string;
    }[];
    const history: HistoryState[] = [];
    for (const { session, file } of files.filter((each) => isWanted(each.file))) {
      for (const state of vault.index.states(session, file)) {
        const chain = vault.index.chain(session, file, state);
        if (chain === null) throw new Error(`No chain to ${session}/${file} ${state.hash}`);
        const parts: Uint8Array[] = [];
        for await (const bytes of chainBytes(vault, chain, 0, new Sha256())) parts.push(bytes);
        const bytes = Buffer.concat(parts);
        if (sha256Hex(new Uint8Array(bytes)) !== state.hash) throw new Error("Not the hash");
        history.push({ session, file, gen: state.gen, bytes: bytes.toString("latin1") });
      }
    }
    return history;
  });
}

/** Everything in a store, by name, as latin1. */
export async function objectsOf(store: ObjectStore): Promise<Map<string, string>> {
  const objects = new Map<string, string>();
  for await (const { name } of store.list("")) {
    objects.set(name, Buffer.from((await store.get(name))!).toString("latin1"));
  }
  return objects;
}

/** A file's bytes as latin1. */
export function readLatin1(path: string): string {
  return readFileSync(path, "latin1");
}
