/** Opens everything that a use case works with: config, key, store, database and marks. */
import type { DatabaseSync } from "node:sqlite";
import { type Bytes, fromHex } from "../base/bytes.ts";
import { deriveEpoch, type Epoch } from "../crypto/root_key.ts";
import { ClaudeSyncError, isClaudeSyncError } from "../errors.ts";
import { type ClaudeRoot, claudeRoot } from "../sessions/claude_root.ts";
import { type DescribedStore, factsOf } from "../storage/store_facts.ts";
import { withConcurrency, withLimit } from "../storage/with_limit.ts";
import { type MeteredStore, withMeter } from "../storage/with_meter.ts";
import { withRetry } from "../storage/with_retry.ts";
import { decodeHeader, type Header } from "../vault/header.ts";
import type { EntryOpener } from "../vault/log_reader.ts";
import { HeldBodies } from "../vault/held_body.ts";
import { HEADER_NAME } from "../vault/names.ts";
import { VaultStore } from "../vault/sealed_store.ts";
import { SegmentReader } from "../vault/segment_reader.ts";
import type { SyncContext } from "./api.ts";
import { type Config, type HomePaths, homePaths, readConfig, sweepHome } from "./home.ts";
import { HistoryBook } from "./history_book.ts";
import { readKeyFile } from "./key_file.ts";
import { Forgotten } from "./forgotten.ts";
import { LocalFiles } from "./local_files.ts";
import { acquireLock, type Lock } from "./lock.ts";
import { SegmentIndex } from "./segment_index.ts";
import { explainDatabaseError, openStateDb, removeStateDb } from "./state_db.ts";
import type { OpenStoreRequest, TransferLimits } from "./store_api.ts";
import { TranscriptBook } from "./transcript_book.ts";
import { VaultTitles } from "./vault_titles.ts";
import { requireWritable } from "./writable.ts";

/** How long a call may wait for another claude-sync to finish. */
const LOCK_WAIT_MS = 30_000;
/** How long a store may stay unreachable before a command gives up. */
const RETRY_BUDGET_MS = 10_000;

/** The local side: needs neither key nor store. */
export interface LocalState {
  readonly context: SyncContext;
  readonly paths: HomePaths;
  readonly root: ClaudeRoot;
  readonly database: DatabaseSync;
  readonly index: SegmentIndex;
  readonly locals: LocalFiles;
  readonly history: HistoryBook;
  readonly forgotten: Forgotten;
  readonly titles: VaultTitles;
  readonly transcripts: TranscriptBook;
}

/** Both sides. */
export interface OpenVault extends LocalState {
  readonly config: Config;
  readonly epoch: Epoch;
  readonly vaultId: Bytes;
  readonly store: MeteredStore;
  readonly opener: EntryOpener;
  readonly reader: SegmentReader;
}

/** The config; throws `not-set-up` when there is none. */
export function requireConfig(context: SyncContext): Config {
  const config = readConfig(context.platform, homePaths(context.home));
  if (config !== null) return config;
  throw new ClaudeSyncError("not-set-up", "This machine is not set up yet", {
    path: context.home,
  });
}

/**
 * Runs `work` with the vault open and the profile's lock held, and closes everything afterwards.
 * Errors: `not-set-up`, `key-missing`, `wrong-key`, `busy`, and those of `work`.
 */
export async function withVault<Result>(
  context: SyncContext,
  work: (vault: OpenVault) => Promise<Result>,
): Promise<Result> {
  const config = requireConfig(context);
  const epoch = await requireEpoch(context, config);
  const lock = await lockProfile(context);
  try {
    sweepHome(context.platform, homePaths(context.home));
    return await withLocalState(context, "writer", async (local) => {
      const store = await openMeteredStore(context, config);
      const vaultId = fromHex(config.vaultId)!;
      const opener: EntryOpener = {
        store: new VaultStore(store),
        epoch,
        vaultId,
        signal: context.signal,
        bodies: new HeldBodies(context.platform.memory),
        memory: context.platform.memory,
      };
      const signKeyOf = (tag: string) =>
        local.index.machines().find((machine) => machine.tag === tag)?.sign ?? null;
      const reader = new SegmentReader(opener, signKeyOf);
      try {
        return await work({ ...local, config, epoch, vaultId, store, opener, reader });
      } finally {
        await reader.settled();
      }
    });
  } finally {
    lock.release();
  }
}

/** Takes the profile's lock. Errors: `busy`, `no-space`, `local-io`. */
export async function lockProfile(context: SyncContext): Promise<Lock> {
  const { lock } = homePaths(context.home);
  try {
    return await acquireLock(context.platform.clock, lock, LOCK_WAIT_MS, context.signal);
  } catch (error) {
    if (isClaudeSyncError(error, "local-io")) requireWritable(context.platform.fs, lock);
    throw error;
  }
}

/**
 * Runs `work` with the local database open; a `reader` needs no lock and may see a run in progress.
 * With a database that turns out to be damaged `work` runs a second time, on a new one. Errors:
 * `no-space`, `local-io`, and those of `work`.
 */
export async function withLocalState<Result>(
  context: SyncContext,
  as: "writer" | "reader",
  work: (local: LocalState) => Promise<Result>,
): Promise<Result> {
  const { fs, host } = context.platform;
  const paths = homePaths(context.home);
  const vaultId = readConfig(context.platform, paths)?.vaultId ?? null;
  let path = paths.state;
  for (let isLast = false;; isLast = true) {
    const database = openStateDb(fs, path, as, vaultId);
    try {
      const root = claudeRoot(host);
      const index = new SegmentIndex(database);
      const locals = new LocalFiles(database, context.platform.memory);
      const history = new HistoryBook(fs, root, index, database);
      const forgotten = new Forgotten(database);
      const titles = new VaultTitles(database, forgotten);
      const user = { as, statePath: path, lockPath: paths.lock };
      const transcripts = new TranscriptBook(fs, database, user);
      const tables = { database, index, locals, history, forgotten, titles, transcripts };
      return await work({ context, paths, root, ...tables });
    } catch (error) {
      const meaning = explainDatabaseError(error, database, path);
      if (meaning === null || (meaning === "remake" && isLast)) throw error;
      if (meaning !== "remake") throw meaning;
    } finally {
      database.close();
    }
    if (as === "writer") removeStateDb(fs, path);
    else path = ":memory:";
  }
}

/** The key's epoch, checked against the vault's before anything is transferred. */
async function requireEpoch(context: SyncContext, config: Config): Promise<Epoch> {
  const key = readKeyFile(context.platform, context.keyFile);
  if (key === null) {
    throw new ClaudeSyncError("key-missing", "This machine has no key", { path: context.keyFile });
  }
  const epoch = await deriveEpoch(key);
  if (epoch.kidHex !== config.kid) {
    throw new ClaudeSyncError("wrong-key", "This machine's key is not the vault's", {
      path: context.keyFile,
    });
  }
  return epoch;
}

/** A store as the use cases have it: counted, retried, within the limits. */
export type OpenedStore = MeteredStore & DescribedStore;

const NO_LIMITS: TransferLimits = {
  uploadBytesPerSecond: null,
  downloadBytesPerSecond: null,
  concurrency: null,
};

/** What limits this run: what it was told, else what the configuration has. */
export function limitsOf(context: SyncContext, config: Pick<Config, "limits">): TransferLimits {
  return { ...NO_LIMITS, ...config.limits, ...context.limits };
}

/** The configured store, counted, retried and within the limits. */
export async function openMeteredStore(
  context: SyncContext,
  config: Pick<Config, "store" | "limits">,
  options: OpenStoreRequest = { create: false },
): Promise<OpenedStore> {
  const { clock, random } = context.platform;
  const { concurrency, ...rates } = limitsOf(context, config);
  const driver = await context.openStore(config.store, options);
  const metered = withMeter(driver);
  const limited = withConcurrency(withLimit(metered, { clock, ...rates }), concurrency);
  const retried = withRetry(limited, { clock, random, budgetMs: RETRY_BUDGET_MS });
  return { ...retried, traffic: () => metered.traffic(), facts: () => factsOf(driver) };
}

/**
 * The vault's header, or null when there is none. Errors: `newer-format`, `malformed-file`, the
 * store's own.
 */
export async function readHeader(
  store: { get: MeteredStore["get"] },
  signal: AbortSignal,
): Promise<Header | null> {
  const bytes = await store.get(HEADER_NAME, { signal });
  return bytes === null ? null : decodeHeader(bytes);
}
