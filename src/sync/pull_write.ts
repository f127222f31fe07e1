/**
 * Carries out the writes of a pull in two steps: first every new content is fetched, checked and
 * put beside its file, then all of them are published. So an alarm in the first step leaves every
 * local file as it was, and a crash at any instant leaves each file old or new.
 */
import { Sha256 } from "../crypto/hash.ts";
import { ClaudeSyncError } from "../errors.ts";
import type { FileStat, WriteHandle } from "../platform/types.ts";
import { fileKind, TRANSCRIPT } from "../sessions/file_name.ts";
import { CLEANUP_PERIOD_DAYS_DEFAULT, isPastRetention } from "../sessions/retention.ts";
import { cleanupPeriodDays } from "../sessions/retention.ts";
import { transcriptTail } from "../sessions/transcript_facts.ts";
import { type PreparedFile, prepareSessionFile } from "../sessions/write_back.ts";
import type { Failure } from "./api.ts";
import type { BranchTargets } from "./branch_targets.ts";
import { windows } from "./file_scan.ts";
import type { WriteOperation } from "./pull_plan.ts";
import { failureOf } from "./push.ts";
import { transaction } from "./state_db.ts";
import type { OpenVault } from "./vault_access.ts";
import { chainBytes, chainTo } from "./vault_content.ts";

const DAY_MS = 86_400_000;
/** End of a transcript that is looked at for the time of its last activity. */
const TAIL_BYTES = 1024 * 1024;

/** What was written. */
export interface Written {
  /** Sessions of which at least one file was written. */
  readonly sessions: ReadonlySet<string>;
  readonly writtenBytes: number;
  /** Sessions whose files changed while the pull was at work; the next one takes them. */
  readonly changedMeanwhile: ReadonlySet<string>;
  readonly failures: readonly Failure[];
}

interface Prepared {
  readonly operation: WriteOperation;
  readonly file: PreparedFile;
  readonly mtimeMs: number;
  readonly newBytes: number;
}

/**
 * Writes `operations`. Errors: alarms and errors of the store, with nothing published; failures of
 * single files are reported.
 */
export async function writeAll(
  vault: OpenVault,
  branches: BranchTargets,
  operations: readonly WriteOperation[],
): Promise<Written> {
  const prepared: Prepared[] = [];
  const failures: Failure[] = [];
  const failed = new Set<string>();
  const totalBytes = operations.reduce((sum, each) => sum + newBytesOf(each), 0);
  const progress = progressOf(vault, operations, totalBytes);
  try {
    if (operations.length > 0) vault.context.onProgress({ kind: "phase", phase: "receiving" });
    for (const operation of operations) {
      vault.context.signal.throwIfAborted();
      try {
        prepared.push(await prepare(vault, branches, operation));
      } catch (error) {
        failures.push(failureOf(error, operation.session.id, operation.path));
        failed.add(operation.session.id);
      }
      progress(operation);
    }
  } catch (error) {
    for (const { file } of prepared) file.discard();
    throw error;
  }
  return { ...publishAll(vault, prepared, failed), failures };
}

/** Gives the prepared files of all but the `failed` sessions their names. */
function publishAll(
  vault: OpenVault,
  prepared: readonly Prepared[],
  failed: ReadonlySet<string>,
): Omit<Written, "failures"> {
  const { fs } = vault.context.platform;
  const sessions = new Set<string>();
  const changedMeanwhile = new Set<string>();
  const published: { each: Prepared; stat: FileStat }[] = [];
  for (const each of prepared) {
    const { id } = each.operation.session;
    // A transcript without its bundle resumes; half of a session that failed stays out, to be whole
    // next time.
    if (failed.has(id)) {
      each.file.discard();
      continue;
    }
    const outcome = each.file.commit(each.mtimeMs);
    const stat = outcome === "written" ? fs.lstat(each.operation.path) : null;
    if (stat === null) changedMeanwhile.add(id);
    else published.push({ each, stat });
  }
  // First the names must be on the disk: a file that is remembered and not there counts as taken
  // away by the user.
  for (const dir of new Set(published.map(({ each }) => each.file.dir))) fs.syncDir(dir);
  let writtenBytes = 0;
  transaction(vault.database, () => {
    for (const { each, stat } of published) {
      remember(vault, each.operation, stat);
      sessions.add(each.operation.session.id);
      writtenBytes += each.newBytes;
    }
  });
  return { sessions, writtenBytes, changedMeanwhile };
}

function progressOf(
  vault: OpenVault,
  operations: readonly WriteOperation[],
  totalBytes: number,
): (operation: WriteOperation) => void {
  const totalSessions = new Set(operations.map((each) => each.session.id)).size;
  const seen = new Set<string>();
  let doneBytes = 0;
  return (operation) => {
    doneBytes += newBytesOf(operation);
    seen.add(operation.session.id);
    const doneSessions = seen.size;
    vault.context.onProgress({ kind: "bytes", doneBytes, totalBytes, doneSessions, totalSessions });
  };
}

function newBytesOf({ target, base }: WriteOperation): number {
  return Math.max(0, target.len - (base?.len ?? 0));
}

async function prepare(
  vault: OpenVault,
  branches: BranchTargets,
  operation: WriteOperation,
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
    if (operation.target.isDerived) {
      put(await branches.derivedBytes(operation.session.root, operation.session.id), true);
    } else {
      await writeFromVault(vault, operation, put);
    }
  };
  const file = await prepareSessionFile(deps, operation.path, operation.expected, write);
  return { operation, file, mtimeMs: mtimeOf(vault, operation, tail), newBytes };
}

async function writeFromVault(
  vault: OpenVault,
  operation: WriteOperation,
  put: (bytes: Uint8Array, isNew: boolean) => void,
): Promise<void> {
  const { session, target, base } = operation;
  const chain = chainTo(vault, session.id, target.name, target);
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

/** Remembers the last bytes that go through. */
class Tail {
  #parts: Uint8Array[] = [];
  #sizeBytes = 0;

  add(bytes: Uint8Array): void {
    this.#parts.push(bytes.subarray(Math.max(0, bytes.length - TAIL_BYTES)));
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
 * gets a time that keeps it for half of the client's period.
 */
function mtimeOf(vault: OpenVault, { target }: WriteOperation, tail: Tail): number {
  const { clock, fs } = vault.context.platform;
  const nowMs = clock.nowMs();
  const spokenMs = target.name === TRANSCRIPT || fileKind(target.name) === "lines"
    ? transcriptTail(tail.bytes()).lastActivityMs
    : null;
  const activityMs = Math.min(nowMs, spokenMs ?? target.mtimeMs);
  const days = cleanupPeriodDays(fs, vault.root);
  if (!isPastRetention(activityMs, days, nowMs)) return activityMs;
  return nowMs - (Math.min(days, CLEANUP_PERIOD_DAYS_DEFAULT) * DAY_MS) / 2;
}

function remember(vault: OpenVault, operation: WriteOperation, stat: FileStat): void {
  const { target, session, path } = operation;
  const key = { session: session.id, file: target.name };
  const { gen, hash, len, isDerived } = target;
  vault.locals.remember(path, key, stat, { gen, hash, len }, isDerived);
}
