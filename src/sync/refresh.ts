/**
 * Brings the local index up to the vault: lists the logs, reads what is new, and accepts it only
 * when all of it holds together.
 */
import { fromHex, toHex } from "../base/bytes.ts";
import { ClaudeSyncError, isClaudeSyncError } from "../errors.ts";
import { parseObjectName } from "../storage/object_name.ts";
import type { ObjectInfo } from "../storage/object_store.ts";
import { acceptedIn, readLogs } from "../vault/log_base.ts";
import { groupByLog, type ListedEntry, type LogMark } from "../vault/log_plan.ts";
import { foreignLogMessage, type LogContext, type ReadLogs } from "../vault/log_reader.ts";
import { unmetClaims, type VerifiedEntry } from "../vault/log_reader.ts";
import { HEADER_NAME, LOG_PREFIX, parseLogEntryName } from "../vault/names.ts";
import { readTrust, type Trust, trustOf, writeTrust } from "./home.ts";
import { type OpenVault, readHeader } from "./vault_access.ts";

/**
 * How often the logs are listed at most, when an entry speaks of another that the list did not
 * show, a log has a gap, or an entry that the list shows is not there.
 */
export const RELIST_MAX = 3;
/** Between two of these lists. */
export const RELIST_PAUSE_MS = 500;

/** What a refresh brought. */
export interface Refreshed {
  readonly entries: readonly VerifiedEntry[];
  /** Every listed entry by log tag, for the writer's check of its own log. */
  readonly logs: ReadonlyMap<string, readonly ListedEntry[]>;
  /** See `ReadLogs`. */
  readonly foreign: readonly ListedEntry[];
}

/**
 * Reads everything new. On any alarm (`rolled-back`, `forked`, `incomplete`, `damaged`) nothing of
 * it is accepted and the error passes: the caller must neither write a local file nor push. The
 * same for `store-unreachable` and `no-vault`: what is there is not the vault.
 */
export async function refresh(vault: OpenVault): Promise<Refreshed> {
  const { clock } = vault.context.platform;
  for (let attempt = 1;; attempt++) {
    const isLast = attempt === RELIST_MAX;
    const read = await readOnce(vault, isLast).catch(async (error: unknown) => {
      if (!isLast && await isGoneError(vault, error)) return null;
      throw error;
    });
    if (read === null) {
      await clock.sleep(RELIST_PAUSE_MS, vault.context.signal);
      continue;
    }
    const isRead = acceptedIn(read.entries);
    const [unmet] = unmetClaims(
      read.entries,
      (...claimed) => isRead(...claimed) || vault.index.hasEntry(...claimed),
    );
    if (unmet === undefined) {
      accept(vault, read.entries);
      for (const { objectName, inline } of read.entries) {
        if (inline !== undefined) vault.reader.preload(objectName, inline);
      }
      for (const { tag } of read.foreign) {
        vault.context.onProgress({ kind: "note", message: foreignLogMessage(tag) });
      }
      return read;
    }
    if (isLast) {
      throw new ClaudeSyncError(
        "incomplete",
        `A machine speaks of entry ${unmet.seq} of another one, which the store does not show`,
        { objectName: unmet.claimedIn },
      );
    }
    // A machine may have pushed between our list and the other machine's: the next list shows it.
    await clock.sleep(RELIST_PAUSE_MS, vault.context.signal);
  }
}

/** Whether reading failed because of an entry that `isGone`. */
async function isGoneError({ opener }: OpenVault, error: unknown): Promise<boolean> {
  return isClaudeSyncError(error, "incomplete") && await isGone(opener, error.objectName);
}

/**
 * Whether an object that was listed, and could not be read, is an entry that is not there. Another
 * machine may have deleted it, with all that its checkpoint has replaced (FORMAT.md 12): the next
 * list tells. Errors: the store's own.
 */
export async function isGone(
  { store, signal }: OpenVault["opener"],
  objectNamed: string | null | undefined,
): Promise<boolean> {
  const name = parseObjectName(objectNamed ?? "");
  if (name === null || parseLogEntryName(name) === null) return false;
  return await store.get(name, { signal }) === null;
}

/** Null when the next list may show what this one lacked, and there is to be one. */
async function readOnce(
  vault: OpenVault,
  isLast: boolean,
): Promise<(Refreshed & ReadLogs) | null> {
  const logs = groupByLog(await listLogs(vault));
  const known = knownLogs(vault);
  const isKnownHere = [...known].some(([tag, log]) => isListed(logs.get(tag), log));
  let read: ReadLogs;
  try {
    read = await readLogs(vault.opener, logs, known);
  } catch (error) {
    if (!isLast && isGapInNews(error, logs, known)) return null;
    if (!isKnownHere && isAlarm(error)) await requireOurHeader(vault, logs, error);
    throw error;
  }
  // What opened is bound to the vault's id. Without anything that did, only the header can tell
  // that this is the vault and not, say, the folder that a network drive hides when it is there.
  if (!isKnownHere && read.entries.length === 0) await requireOurHeader(vault, logs, null);
  return { ...read, logs };
}

/**
 * Whether a log lacks an entry, and none that this machine has read before: a folder that is listed
 * while another machine writes to it may show a later entry and not the one before.
 */
function isGapInNews(
  error: unknown,
  logs: ReadonlyMap<string, readonly ListedEntry[]>,
  known: ReadonlyMap<string, LogContext>,
): boolean {
  if (!isClaudeSyncError(error, "incomplete")) return false;
  const tag = parseLogEntryName(error.objectName ?? "")?.tag;
  if (tag === undefined) return false;
  const { mark = null, cursor = null, base = 1 } = known.get(tag) ?? {};
  const listed = new Set(logs.get(tag)?.map(({ seq }) => seq));
  const newest = Math.max(mark?.seq ?? 0, cursor?.seq ?? 0);
  for (let seq = base; seq <= newest; seq++) if (!listed.has(seq)) return false;
  return true;
}

function isListed(entries: readonly ListedEntry[] | undefined, log: LogContext): boolean {
  const marks = [log.mark, log.cursor].filter((mark) => mark !== null);
  return marks.some(({ seq, hash }) =>
    entries?.some((entry) => entry.seq === seq && hash.startsWith(entry.hash8))
  );
}

function isAlarm(error: unknown): boolean {
  return isClaudeSyncError(error, "rolled-back", "forked", "incomplete", "damaged");
}

/**
 * Throws what an absent or foreign header explains better than `alarm` does; `alarm` itself when it
 * explains nothing.
 */
async function requireOurHeader(
  vault: OpenVault,
  logs: ReadonlyMap<string, unknown>,
  alarm: unknown,
): Promise<void> {
  const { store, config, context, opener } = vault;
  const header = await readHeader(store, context.signal).catch((cause: unknown) => {
    if (!isClaudeSyncError(cause, "malformed-file")) throw cause;
    throw alarm ?? new ClaudeSyncError("damaged", "The vault's header cannot be understood", {
      objectName: HEADER_NAME,
      cause,
    });
  });
  if (header === null && logs.size === 0) {
    throw new ClaudeSyncError("store-unreachable", `There is no vault at ${opener.store.label}`, {
      hint: "If it is on a network drive, a stick or in a synchronised folder, connect it and " +
        "wait until it is ready; nothing was changed",
    });
  }
  if (header === null) {
    throw alarm ?? new ClaudeSyncError("incomplete", "The vault's header is missing", {
      objectName: HEADER_NAME,
    });
  }
  if (toHex(header.vaultId) === config.vaultId) return;
  throw new ClaudeSyncError("no-vault", `Another vault stands at ${opener.store.label} now`, {
    objectName: HEADER_NAME,
    hint: "Bring your own vault back there; to begin with the other one, move this machine's " +
      "config.json and key away, then: claude-sync help init",
  });
}

async function listLogs(vault: OpenVault): Promise<ObjectInfo[]> {
  const listed: ObjectInfo[] = [];
  const options = { signal: vault.context.signal };
  for await (const info of vault.opener.store.list(LOG_PREFIX, options)) listed.push(info);
  return listed;
}

function knownLogs(vault: OpenVault): Map<string, LogContext> {
  const known = new Map<string, LogContext>();
  for (const [tag, mark] of Object.entries(marksOf(vault).logs)) {
    known.set(tag, { machine: null, cursor: null, mark, twins: mark.twins ?? [] });
  }
  for (const row of vault.index.machines()) {
    const cursor: LogMark = { seq: row.seq, hash: row.hash };
    const mark = known.get(row.tag)?.mark ?? null;
    known.set(row.tag, {
      base: row.base,
      isRetired: row.isRetired,
      machine: { id: row.id, tag: row.tag, name: row.name, signPublic: fromHex(row.sign)! },
      cursor,
      mark,
      twins: [...(known.get(row.tag)?.twins ?? []), ...vault.index.twins(row.id)],
      hasRead: ({ seq, hash8 }) => vault.index.hasEntry(row.id, seq, hash8),
      hashesAt: (seq) => vault.index.hashesAt(row.id, seq),
    });
  }
  return known;
}

function marksOf(vault: OpenVault): Trust {
  const trust = readTrust(vault.context.platform, vault.paths);
  if (trust === null) return { version: 1, vaultId: vault.config.vaultId, logs: {} };
  if (trust.vaultId === vault.config.vaultId) return trust;
  throw new ClaudeSyncError(
    "malformed-file",
    `"${vault.paths.trust}" belongs to another vault`,
    {
      path: vault.paths.trust,
      hint: `Move it to "${trustOf(vault.paths, trust.vaultId)}", where that vault finds it again`,
    },
  );
}

/**
 * Takes verified entries into the index, then moves the high-water marks. Where that failed after
 * the index had them (a crash, a full disk), the next look does it, also when it finds nothing new.
 */
export function accept(vault: OpenVault, entries: readonly VerifiedEntry[]): void {
  vault.index.apply(entries);
  const trust = marksOf(vault);
  if (entries.length === 0 && !lacksMarks(vault, trust)) return;
  const logs = { ...trust.logs };
  for (const { id, tag, seq, hash } of vault.index.machines()) {
    const mark = logs[tag];
    const newest = mark === undefined || mark.seq < seq ? { machine: id, seq, hash } : mark;
    const twins = vault.index.twins(id);
    logs[tag] = twins.length === 0 ? newest : { ...newest, twins };
  }
  writeTrust(vault.context.platform, vault.paths, { ...trust, logs });
}

/** Whether the index holds an accepted entry that the marks should tell and do not. */
function lacksMarks({ index }: OpenVault, { logs }: Trust): boolean {
  return index.machines().some(({ id, tag, seq }) => {
    const mark = logs[tag];
    if (mark === undefined || mark.seq < seq) return true;
    const marked = new Set(mark.twins?.map(({ hash }) => hash));
    return index.twins(id).some(({ hash }) => !marked.has(hash));
  });
}
