/**
 * Carries out the writes of a pull, batch by batch and in two steps: first every new content is
 * fetched, checked and put beside its file, then all of them are published. So an alarm leaves
 * every file of its batch as it was, and a crash at any instant leaves each file old or new.
 */
import { Sha256 } from "../crypto/hash.ts";
import { ClaudeSyncError, isClaudeSyncError } from "../errors.ts";
import type { FileStat, WriteHandle } from "../platform/types.ts";
import { fileKind, TRANSCRIPT } from "../sessions/file_name.ts";
import { shelfArea } from "../sessions/shelf.ts";
import { liveSessions } from "../sessions/live.ts";
import { CLEANUP_PERIOD_DAYS_DEFAULT, isPastRetention } from "../sessions/retention.ts";
import { cleanupPeriodDays } from "../sessions/retention.ts";
import { transcriptTail } from "../sessions/transcript_facts.ts";
import { type PreparedFile, prepareSessionFile } from "../sessions/write_back.ts";
import type { Failure } from "./api.ts";
import type { BranchTargets } from "./branch_targets.ts";
import { CLOCK_SET_FROM_MS } from "./clock_set.ts";
import { windows } from "./file_scan.ts";
import { LOOK_BYTES } from "./look_bytes.ts";
import { newBytesOf, type WriteFamily, type WriteOperation, writesOf } from "./pull_file.ts";
import { failureOf } from "./push.ts";
import type { StoredSegment } from "./segment_index.ts";
import { transaction } from "./state_db.ts";
import type { OpenVault } from "./vault_access.ts";
import { chainBytes, chainTo } from "./vault_content.ts";

const DAY_MS = 86_400_000;
/** End of a transcript that is looked at for the time of its last activity. */
const TAIL_BYTES = 1024 * 1024;

/**
 * Files are published when this many new bytes are beside them: an interrupted pull keeps what it
 * has done, and needs no more space than that on top of the result.
 */
const BATCH_BYTES_MAX = 64 * 1024 * 1024;

/** The same for their number: each one is held in memory until then. */
export const BATCH_FILES_MAX = 1_000;

/** What one write leaves behind in memory besides the bytes. */
const WRITE_BYTES = 8 * LOOK_BYTES;

/** What was written. */
export interface Written {
  /** Sessions of which at least one file was written. */
  readonly sessions: ReadonlySet<string>;
  readonly files: number;
  readonly writtenBytes: number;
  /** Sessions that were opened or changed while the pull was at work; the next one takes them. */
  readonly busy: ReadonlySet<string>;
  readonly failures: readonly Failure[];
}

interface Prepared {
  readonly operation: WriteOperation;
  readonly file: PreparedFile;
  readonly mtimeMs: number;
  readonly newBytes: number;
}

/**
 * How long the client's clean-up keeps a file that it would delete at once: half of its period, or
 * all of it.
 */
export type KeptFor = "half" | "whole";

/** What is asked of a write besides the files. */
export interface WriteWishes {
  /** Called after each family's bytes were read. */
  readonly beside?: (family: WriteFamily) => Promise<void>;
  /** Default: half, so that a great many old files do not hide the ones at work. */
  readonly keptFor?: KeptFor;
}

/**
 * Writes `families`. Errors: alarms and errors of the store, with nothing published of the batch at
 * hand; failures of single files are reported, and nothing is written of their family.
 */
export async function writeAll(
  vault: OpenVault,
  branches: BranchTargets,
  families: readonly WriteFamily[],
  { beside = async () => {}, keptFor = "half" }: WriteWishes = {},
): Promise<Written> {
  const writer = new FamilyWriter(vault, branches, families, keptFor);
  if (families.length > 0) vault.context.onProgress({ kind: "phase", phase: "receiving" });
  vault.reader.expect(segmentsOf(vault, families));
  let batch: Prepared[][] = [];
  try {
    let [batchBytes, batchFiles] = [0, 0];
    for (const family of families) {
      const prepared = await writer.prepare(family);
      if (prepared === "no-space") break;
      if (prepared === null) continue;
      batch.push(prepared);
      await beside(family);
      batchBytes += prepared.reduce((sum, { newBytes }) => sum + newBytes, 0);
      batchFiles += prepared.length;
      if (batchBytes < BATCH_BYTES_MAX && batchFiles < BATCH_FILES_MAX) continue;
      const full = batch;
      [batch, batchBytes, batchFiles] = [[], 0, 0];
      writer.publish(full);
    }
  } catch (error) {
    for (const { file } of batch.flat()) file.discard();
    throw error;
  }
  writer.publish(batch);
  return writer.written();
}

class FamilyWriter {
  readonly #vault: OpenVault;
  readonly #branches: BranchTargets;
  readonly #keptFor: KeptFor;
  readonly #progress: (operation: WriteOperation) => void;
  readonly #sessions = new Set<string>();
  readonly #busy = new Set<string>();
  readonly #failures: Failure[] = [];
  #files = 0;
  #writtenBytes = 0;

  constructor(
    vault: OpenVault,
    branches: BranchTargets,
    families: readonly WriteFamily[],
    keptFor: KeptFor,
  ) {
    this.#vault = vault;
    this.#branches = branches;
    this.#keptFor = keptFor;
    this.#progress = progressOf(vault, families);
  }

  written(): Written {
    const [sessions, busy, failures] = [this.#sessions, this.#busy, this.#failures];
    const [files, writtenBytes] = [this.#files, this.#writtenBytes];
    return { sessions, files, busy, failures, writtenBytes };
  }

  /** Puts all new content of a family beside its files; null when that failed. */
  async prepare(family: WriteFamily): Promise<Prepared[] | "no-space" | null> {
    const prepared: Prepared[] = [];
    try {
      for (const operation of family.writes) {
        this.#vault.context.signal.throwIfAborted();
        prepared.push(await prepare(this.#vault, this.#branches, operation, this.#keptFor));
        this.#progress(operation);
        this.#vault.context.platform.memory.passed(WRITE_BYTES);
      }
      return prepared;
    } catch (error) {
      for (const { file } of prepared) file.discard();
      const isFull = isClaudeSyncError(error, "no-space");
      this.#fail(error, family.root);
      return isFull ? "no-space" : null;
    }
  }

  #fail(error: unknown, root: string): void {
    const failure = isClaudeSyncError(error, "no-space")
      ? { sessionId: root, path: error.path ?? null, code: error.code, message: error.message }
      : failureOf(error, root);
    this.#failures.push(failure);
  }

  /** Gives the prepared files their names, and remembers what now stands there. */
  publish(families: readonly (readonly Prepared[])[]): void {
    const { fs, host } = this.#vault.context.platform;
    const published: { each: Prepared; stat: FileStat }[] = [];
    for (const family of families) {
      // A session may have been opened while its bytes were on their way.
      const live = liveSessions(fs, host, this.#vault.root);
      const isLive = family.some(({ operation }) => live.has(operation.session.id));
      if (isLive) this.#leave(family);
      else published.push(...this.#commit(family));
    }
    // First the names must be on the disk: a file that is remembered and not there counts as taken
    // away by the user.
    for (const dir of new Set(published.map(({ each }) => each.file.dir))) fs.syncDir(dir);
    transaction(this.#vault.database, () => {
      for (const { each, stat } of published) {
        remember(this.#vault, each.operation, stat);
        this.#sessions.add(each.operation.session.id);
        this.#files++;
        this.#writtenBytes += each.newBytes;
      }
    });
  }

  /** New files come first; where one cannot be published, nothing that follows is replaced. */
  #commit(family: readonly Prepared[]): { each: Prepared; stat: FileStat }[] {
    const { fs } = this.#vault.context.platform;
    const published: { each: Prepared; stat: FileStat }[] = [];
    for (const [index, each] of family.entries()) {
      try {
        const outcome = each.file.commit(each.mtimeMs);
        const stat = outcome === "written" ? fs.lstat(each.operation.path) : null;
        if (stat !== null) {
          published.push({ each, stat });
          continue;
        }
        this.#leave(family.slice(index));
      } catch (error) {
        for (const { file } of family.slice(index)) file.discard();
        this.#fail(error, each.operation.session.root);
      }
      break;
    }
    return published;
  }

  #leave(family: readonly Prepared[]): void {
    for (const { file, operation } of family) {
      file.discard();
      this.#busy.add(operation.session.id);
    }
  }
}

function progressOf(
  vault: OpenVault,
  families: readonly WriteFamily[],
): (operation: WriteOperation) => void {
  const seen = new Set<string>();
  let [doneBytes, totalBytes] = [0, 0];
  for (const operation of writesOf(families)) {
    totalBytes += newBytesOf(operation);
    seen.add(operation.session.id);
  }
  const totalSessions = seen.size;
  seen.clear();
  return (operation) => {
    doneBytes += newBytesOf(operation);
    seen.add(operation.session.id);
    const doneSessions = seen.size;
    vault.context.onProgress({ kind: "bytes", doneBytes, totalBytes, doneSessions, totalSessions });
  };
}

async function prepare(
  vault: OpenVault,
  branches: BranchTargets,
  operation: WriteOperation,
  keptFor: KeptFor,
): Promise<Prepared> {
  const { fs, random } = vault.context.platform;
  const deps = { fs, random, root: vault.root };
  const tail = new Tail();
  let newBytes = 0;
  const write = async (handle: WriteHandle) => {
    const put = (bytes: Uint8Array, isNew: boolean) => {
      handle.write(bytes);
      tail.add(bytes);
      if (isNew) newBytes += bytes.length;
    };
    if (operation.target.isDerived && operation.target.source === undefined) {
      const { root, id } = operation.session;
      await branches.makeDerived(root, id, (bytes) => put(bytes, true));
    } else {
      await writeFromVault(vault, operation, put);
    }
  };
  const file = await prepareSessionFile(deps, operation.path, operation.expected, write);
  return { operation, file, mtimeMs: mtimeOf(vault, operation, tail, keptFor), newBytes };
}

/** What `families` will ask the vault for, in that order; a first guess for fetching ahead. */
function* segmentsOf(
  vault: OpenVault,
  families: readonly WriteFamily[],
): Iterable<StoredSegment> {
  for (const { session, target, base } of writesOf(families)) {
    if (target.isDerived) continue;
    const known = base !== null && base.gen === target.gen ? base.len : 0;
    for (const segment of vault.index.chain(session.id, target.name, target) ?? []) {
      if (segment.off + segment.len > known) yield segment;
    }
  }
}

async function writeFromVault(
  vault: OpenVault,
  operation: WriteOperation,
  put: (bytes: Uint8Array, isNew: boolean) => void,
): Promise<void> {
  const { session, target, base } = operation;
  const chain = chainTo(vault, session.id, target.source ?? target.name, target);
  const continues = base !== null && base.gen === target.gen && base.len > 0 &&
    chain.some(({ hash, off, len }) => hash === base.hash && off + len === base.len);
  const prefix = new Sha256();
  if (continues) copyLocal(vault, operation.path, base.len, prefix, put);
  const offset = continues ? base.len : 0;
  if (continues && prefix.digestHex() !== base.hash) throw changed(operation);
  for await (const bytes of chainBytes(vault, chain, offset, prefix)) put(bytes, true);
}

function copyLocal(
  vault: OpenVault,
  path: string,
  length: number,
  hash: Sha256,
  put: (bytes: Uint8Array, isNew: boolean) => void,
): void {
  const handle = vault.context.platform.fs.openRead(path);
  if (handle === null) return;
  try {
    for (const { bytes } of windows(handle, 0, length)) {
      hash.update(bytes);
      put(bytes, false);
    }
  } finally {
    handle.close();
  }
}

function changed({ path, session }: WriteOperation): ClaudeSyncError {
  return new ClaudeSyncError("local-io", `"${path}" changed while it was read`, {
    path,
    sessionId: session.id,
  });
}

/** Remembers the last bytes that go through, in copies: who gives them uses them again. */
class Tail {
  #parts: Uint8Array[] = [];
  #sizeBytes = 0;

  add(bytes: Uint8Array): void {
    this.#parts.push(bytes.slice(Math.max(0, bytes.length - TAIL_BYTES)));
    this.#sizeBytes += this.#parts.at(-1)!.length;
    while (this.#sizeBytes - this.#parts[0]!.length >= TAIL_BYTES) {
      this.#sizeBytes -= this.#parts.shift()!.length;
    }
  }

  bytes(): Uint8Array {
    const joined = new Uint8Array(this.#sizeBytes);
    let at = 0;
    for (const part of this.#parts) {
      joined.set(part, at);
      at += part.length;
    }
    return joined;
  }
}

/**
 * The client chooses what to continue and what to clean up by the file's time, so it is that of the
 * last activity. What the client would delete at once, brought back because the user asked for it,
 * gets a time that keeps it.
 */
function mtimeOf(
  vault: OpenVault,
  { target }: WriteOperation,
  tail: Tail,
  keptFor: KeptFor,
): number {
  const { clock, fs } = vault.context.platform;
  const nowMs = clock.nowMs();
  const spokenMs = target.name === TRANSCRIPT || fileKind(target.name) === "lines"
    ? transcriptTail(tail.bytes()).lastActivityMs
    : null;
  const activityMs = plausibleMs(spokenMs ?? target.mtimeMs, nowMs);
  // The client never cleans a memory up.
  if (shelfArea(target.name) === "memory") return activityMs;
  const days = cleanupPeriodDays(fs, vault.root);
  if (keptFor === "whole") return restoredMtimeMs(activityMs, days, nowMs);
  if (!isPastRetention(activityMs, days, nowMs)) return activityMs;
  return nowMs - (Math.min(days, CLEANUP_PERIOD_DAYS_DEFAULT) * DAY_MS) / 2;
}

/**
 * The time of a file that the user wants back: that of its last activity while most of the client's
 * period is still to come; else now, but for a second for each day of its age, so that of several
 * the one used last comes first.
 */
export function restoredMtimeMs(activityMs: number, days: number, nowMs: number): number {
  if (!isPastRetention(activityMs, days / 2, nowMs)) return activityMs;
  return nowMs - Math.floor(Math.max(0, nowMs - activityMs) / DAY_MS) * 1000;
}

/**
 * A time in the future is a wrong clock somewhere; but which one is wrong, only a day's slack
 * tells.
 */
function plausibleMs(atMs: number, nowMs: number): number {
  const isOurClockWrong = nowMs < CLOCK_SET_FROM_MS;
  return isOurClockWrong || atMs <= nowMs + DAY_MS ? atMs : nowMs;
}

function remember(vault: OpenVault, operation: WriteOperation, stat: FileStat): void {
  const { target, session, path } = operation;
  const key = { session: session.id, file: target.name };
  const { gen, hash, len, isDerived } = target;
  vault.locals.remember(path, key, stat, { gen, hash, len }, isDerived);
}
