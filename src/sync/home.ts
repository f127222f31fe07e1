/**
 * The program's own folder: where each file is and how the small ones are read and written. Nothing
 * here is rebuilt from the vault, so these files live apart from `state*`, which may be deleted at
 * any time.
 */
import { join } from "node:path";
import * as z from "zod/mini";
import { type Bytes, fromUtf8, utf8 } from "../base/bytes.ts";
import { listOf, recordOf } from "../base/checked_lists.ts";
import { ClaudeSyncError, isClaudeSyncError } from "../errors.ts";
import { writeFileAtomic, writeFileUnflushed } from "../platform/atomic_file.ts";
import type { Platform } from "../platform/types.ts";
import { isTempName, sweepTemps } from "../sessions/write_back.ts";
import { storeLocationSchema } from "../storage/location.ts";

/** Largest of our own JSON files. */
const OWN_FILE_BYTES_MAX = 16 * 1024 * 1024;

const HEX_32 = z.string().check(z.regex(/^[0-9a-f]{32}$/));
const HEX_64 = z.string().check(z.regex(/^[0-9a-f]{64}$/));

const RATE = z.nullable(z.number().check(z.minimum(1)));

const Limits = z.object({
  uploadBytesPerSecond: RATE,
  downloadBytesPerSecond: RATE,
  concurrency: z.nullable(z.int().check(z.minimum(1), z.maximum(64))),
});

const Config = z.object({
  version: z.literal(1),
  vaultId: HEX_32,
  /** Epoch of the vault's header when this machine joined. */
  kid: HEX_32,
  store: storeLocationSchema,
  machineName: z.string(),
  /** Project key -> absolute folder here. */
  maps: z._default(recordOf(z.string()), {}),
  /** Keys of projects that this machine neither pushes nor pulls. */
  excluded: z._default(listOf(z.string()), []),
  limits: z.optional(Limits),
});

/** `config.json`: holds no secret. */
export type Config = z.infer<typeof Config>;

const Machine = z.object({
  version: z.literal(1),
  tag: z.string().check(z.regex(/^[0-9a-hjkmnp-tv-z]{16}$/)),
  /**
   * Hash of facts about this computer: another value means that the home was copied to another one.
   */
  hostHash: z.string(),
  /** Of the seed in `machine.key`, so that the two are known to belong together. */
  machineId: z.optional(HEX_32),
});

/** `machine.json`: which log is this machine's. */
export type MachineFile = z.infer<typeof Machine>;

const MARK = { seq: z.int().check(z.minimum(1)), hash: HEX_64 };

const Trust = z.object({
  version: z.literal(1),
  vaultId: HEX_32,
  logs: recordOf(z.object({
    machine: HEX_32,
    ...MARK,
    /** Accepted entries that share their number with another: clones wrote them. */
    twins: z.optional(listOf(z.object(MARK))),
  })),
});

/** `trust.json`: the high-water marks (FORMAT.md section 11), by log tag. */
export type Trust = z.infer<typeof Trust>;

const Run = z.object({
  kind: z.enum(["push", "pull", "sync"]),
  by: z.enum(["user", "hook"]),
  atMs: z.number(),
  ok: z.boolean(),
  code: z.nullable(z.string()),
  message: z.nullable(z.string()),
});
const Runs = z.object({
  version: z.literal(1),
  lastPush: z.nullable(Run),
  lastPull: z.nullable(Run),
  /** What the user was told last about a failure that has not passed yet. */
  told: z.optional(z.object({ message: z.string(), atMs: z.number() })),
});

/** `runs.json`: how the last push and pull ended. */
export type Runs = z.infer<typeof Runs>;

/** Paths inside the folder. */
export interface HomePaths {
  readonly dir: string;
  readonly config: string;
  readonly credentials: string;
  readonly machineSeed: string;
  readonly machine: string;
  readonly trust: string;
  readonly runs: string;
  readonly journal: string;
  readonly olderJournal: string;
  readonly state: string;
  readonly lock: string;
  readonly outbox: string;
  readonly queue: string;
  readonly notice: string;
}

/** Paths for the folder `dir`. */
export function homePaths(dir: string): HomePaths {
  return {
    dir,
    config: join(dir, "config.json"),
    credentials: join(dir, "credentials.json"),
    machineSeed: join(dir, "machine.key"),
    machine: join(dir, "machine.json"),
    trust: join(dir, "trust.json"),
    runs: join(dir, "runs.json"),
    journal: join(dir, "journal.jsonl"),
    olderJournal: join(dir, "journal.old.jsonl"),
    state: join(dir, "state.db"),
    lock: join(dir, "lock.db"),
    outbox: join(dir, "outbox"),
    queue: join(dir, "queue"),
    notice: join(dir, "notice.json"),
  };
}

/** Where the marks of a vault wait while this machine uses another one. */
export function trustOf(paths: HomePaths, vaultId: string): string {
  return join(paths.dir, `trust-${vaultId}.json`);
}

/**
 * Makes the folder (0700). Errors: `unsafe-file` when something else has its name or others may
 * read it, `local-io`.
 */
export function ensureHome(platform: Platform, dir: string): void {
  platform.fs.makeDir(dir);
  const stat = platform.fs.lstat(platform.fs.realpath(dir) ?? dir);
  if (stat === null || stat.kind !== "directory") {
    throw new ClaudeSyncError("unsafe-file", `"${dir}" is not a folder`, { path: dir });
  }
  if (stat.uid !== null && platform.host.uid !== null && stat.uid !== platform.host.uid) {
    throw new ClaudeSyncError("unsafe-file", `"${dir}" belongs to another user`, { path: dir });
  }
  if (platform.host.os !== "windows" && (stat.mode & 0o077) !== 0) platform.fs.setMode(dir, 0o700);
}

/**
 * Removes temporary files that a crash left here; one of them may hold the key. Errors: `local-io`.
 */
export function sweepHome({ fs, clock }: Platform, paths: HomePaths): void {
  const names = (fs.readDir(paths.dir) ?? []).map(({ name }) => name).filter(isTempName);
  sweepTemps(fs, clock, names.map((name) => ({ path: join(paths.dir, name) })));
}

/** Null when this machine is not set up. */
export function readConfig(platform: Platform, paths: HomePaths): Config | null {
  return readJson(platform, paths.config, Config);
}

/** Replaces the config. */
export function writeConfig(platform: Platform, paths: HomePaths, config: Config): void {
  writeJson(platform, paths.config, config);
}

/** Null before the machine has an identity. */
export function readMachineFile(platform: Platform, paths: HomePaths): MachineFile | null {
  return readJson(platform, paths.machine, Machine);
}

/** Replaces the machine file. */
export function writeMachineFile(platform: Platform, paths: HomePaths, file: MachineFile): void {
  writeJson(platform, paths.machine, file);
}

/** Null when nothing was ever read from the vault. */
export function readTrust(platform: Platform, paths: HomePaths): Trust | null {
  return readJson(platform, paths.trust, Trust);
}

/** Replaces the marks. */
export function writeTrust(platform: Platform, paths: HomePaths, trust: Trust): void {
  writeJson(platform, paths.trust, trust);
}

/** How the last runs ended; empty when there were none. */
export function readRuns(platform: Platform, paths: HomePaths): Runs {
  const none: Runs = { version: 1, lastPush: null, lastPull: null };
  try {
    return readJson(platform, paths.runs, Runs) ?? none;
  } catch (error) {
    // It is written without waiting for the disk, so a power cut may leave it empty.
    if (isClaudeSyncError(error, "malformed-file")) return none;
    throw error;
  }
}

/** Replaces the record of the last runs. */
export function writeRuns(platform: Platform, paths: HomePaths, runs: Runs): void {
  writeFileUnflushed(platform.fs, platform.random, paths.runs, jsonBytes(runs));
}

function readJson<Value>(
  platform: Platform,
  path: string,
  schema: z.ZodMiniType<Value>,
): Value | null {
  const bytes = platform.fs.readFile(path, OWN_FILE_BYTES_MAX);
  if (bytes === null) return null;
  const malformed = (cause: unknown) =>
    new ClaudeSyncError("malformed-file", `"${path}" cannot be understood`, { path, cause });
  let value: unknown;
  try {
    value = JSON.parse(fromUtf8(bytes));
  } catch (cause) {
    throw malformed(cause);
  }
  const parsed = z.safeParse(schema, value);
  if (parsed.success) return parsed.data;
  const version = z.safeParse(z.object({ version: z.number() }), value);
  if (version.success && version.data.version > 1) {
    throw new ClaudeSyncError("newer-format", `"${path}" was written by a newer claude-sync`, {
      path,
    });
  }
  throw malformed(parsed.error);
}

function writeJson(platform: Platform, path: string, value: unknown): void {
  writeFileAtomic(platform.fs, platform.random, path, jsonBytes(value));
}

function jsonBytes(value: unknown): Bytes {
  return utf8(JSON.stringify(value, null, 2) + "\n");
}
