/**
 * Reads what the log plan asks for and verifies it as a whole before anything of it is used
 * (FORMAT.md sections 7, 10, 11).
 */
import { mapConcurrently } from "../base/pool.ts";
import type { Bytes } from "../base/bytes.ts";
import { fromHex } from "../base/bytes.ts";
import type { Epoch } from "../crypto/root_key.ts";
import { open } from "../crypto/envelope.ts";
import { damagedObject } from "../crypto/damaged.ts";
import { ClaudeSyncError, isClaudeSyncError } from "../errors.ts";
import { recordCodec } from "./codecs.ts";
import type { EntryBody } from "./entry_body.ts";
import { type ListedEntry, type LogMark, type LogPlan } from "./log_plan.ts";
import type { VaultStore } from "./sealed_store.ts";

/** Entries, and logs, that are read at the same time at least. */
const CONCURRENCY_MIN = 8;
/**
 * Inline bytes that stay in memory after reading, so that a small pull need not fetch an entry
 * again.
 */
const INLINE_KEPT_BYTES_MAX = 32 * 1024 * 1024;

/** One machine as its enrol op introduced it. */
export interface KnownMachine {
  readonly id: string;
  readonly tag: string;
  readonly signPublic: Bytes;
  readonly name: string;
}

/** A verified entry and where it lies. */
export interface VerifiedEntry {
  readonly objectName: string;
  readonly body: EntryBody;
  readonly hash: string;
  readonly sizeBytes: number;
  /** Its inline part, when that was kept in memory. */
  readonly inline?: Bytes;
}

/** Everything needed to open entries of one vault. */
export interface EntryOpener {
  readonly store: VaultStore;
  readonly epoch: Epoch;
  readonly vaultId: Bytes;
  readonly signal: AbortSignal;
}

/** What is known before reading, by tag. */
export interface LogContext {
  readonly machine: KnownMachine | null;
  readonly cursor: LogMark | null;
  readonly mark: LogMark | null;
  readonly twins?: readonly LogMark[];
  readonly hasRead?: (entry: ListedEntry) => boolean;
  /** Hashes of the accepted entries with that number; one, but for a log that was forked. */
  readonly hashesAt?: (seq: number) => readonly string[];
}

/** An entry that holds by itself. */
export interface ReadEntry {
  readonly body: EntryBody;
  readonly hash: string;
  readonly inline: Bytes;
  readonly sizeBytes: number;
}

/** Reads one entry and verifies all of it that needs no other entry. */
export async function readEntry(
  opener: EntryOpener,
  listed: ListedEntry,
  signPublic: Bytes | null,
): Promise<ReadEntry> {
  const entry = await tryReadEntry(opener, listed, signPublic);
  if (entry !== null) return entry;
  throw damagedObject(listed.name);
}

/**
 * Like `readEntry`, but null when the object does not open: it is damaged, or was never made for
 * this vault.
 */
export async function tryReadEntry(
  opener: EntryOpener,
  listed: ListedEntry,
  signPublic: Bytes | null,
): Promise<ReadEntry | null> {
  const sealed = await opener.store.get(listed.name, { signal: opener.signal });
  if (sealed === null) {
    throw new ClaudeSyncError("incomplete", "An entry that the store lists cannot be read", {
      objectName: listed.name,
    });
  }
  return await decodeEntry(opener, listed, sealed, signPublic);
}

/** Opens an entry's bytes and verifies them; null when they do not open. */
export async function decodeEntry(
  opener: Pick<EntryOpener, "epoch" | "vaultId">,
  listed: ListedEntry,
  sealed: Bytes,
  signPublic: Bytes | null,
): Promise<ReadEntry | null> {
  const context = { type: "log" as const, vaultId: opener.vaultId, name: listed.name };
  const payload = await open(opener.epoch, context, sealed).catch((error: unknown) => {
    if (!isClaudeSyncError(error, "damaged")) throw error;
    return null;
  });
  if (payload === null) return null;
  const { tag, seq, hash8 } = listed;
  const expected = { tag, seq, hash8, signPublic, kid: opener.epoch.kidHex };
  // Most looks at the logs find nothing new, and zstd is slow to load.
  const { decodeRecord } = await recordCodec();
  const record = await decodeRecord(payload, opener.vaultId, expected);
  return {
    body: record.body,
    hash: record.entryHash,
    inline: record.inline,
    sizeBytes: sealed.length,
  };
}

/** What a look at the logs gave. */
export interface ReadLogs {
  readonly entries: readonly VerifiedEntry[];
  /** First entries of logs that were left out: they belong to another vault or are no logs. */
  readonly foreign: readonly ListedEntry[];
}

/** What to say about a log that is left out. */
export function foreignLogMessage(tag: string): string {
  return `log/${tag} belongs to another vault or is no log: it is left out`;
}

/**
 * Reads all planned entries. The result is in an order in which every log's entries follow each
 * other; it is complete and verified or an alarm is thrown, except for `heads` claims, which
 * `unmetClaims` checks.
 */
export async function readPlanned(
  opener: EntryOpener,
  plan: LogPlan,
  known: ReadonlyMap<string, LogContext>,
): Promise<ReadLogs> {
  const budget = { bytes: INLINE_KEPT_BYTES_MAX };
  const perLog = await mapConcurrently(
    plan.logs,
    lanesOf(opener),
    (log) => readLog(opener, log.entries, known.get(log.tag) ?? null, budget),
  );
  const entries = perLog.flatMap((log) => log ?? []);
  const foreign = plan.logs.filter((_, i) => perLog[i] === null).map((log) => log.entries[0]!);
  if (foreign.length > 0 && entries.length === 0 && known.size === 0) {
    throw damagedObject(foreign[0]!.name);
  }
  checkOneLogEach(entries, [...known.values()].flatMap(({ machine }) => machine ?? []));
  return { entries, foreign };
}

/**
 * A machine that wrote two logs told two different stories under each number. Throws `forked`.
 * `known`: machines of entries read before.
 */
export function checkOneLogEach(
  entries: readonly VerifiedEntry[],
  known: readonly Pick<KnownMachine, "id" | "tag">[],
): void {
  const tags = new Map(known.map(({ id, tag }) => [id, tag]));
  for (const { body, objectName } of entries) {
    const tag = tags.get(body.machine) ?? body.tag;
    if (tag !== body.tag) {
      throw new ClaudeSyncError("forked", "One machine has written two logs", { objectName });
    }
    tags.set(body.machine, tag);
  }
}

/** How many entries are read at the same time. */
export function lanesOf({ store }: EntryOpener): number {
  return Math.max(CONCURRENCY_MIN, store.concurrency);
}

/** Null for a log that nobody knows and of which nothing opens. */
async function readLog(
  opener: EntryOpener,
  entries: readonly ListedEntry[],
  known: LogContext | null,
  budget: { bytes: number },
): Promise<VerifiedEntry[] | null> {
  let signPublic = known?.machine?.signPublic ?? null;
  let machineId = known?.machine?.id ?? null;
  const read = new LogHashes(known);
  const verified: VerifiedEntry[] = [];
  let at = 0;
  while (at < entries.length) {
    // Entry 1 brings the key that the others are verified with, so it is read alone.
    const batch = entries.slice(at, signPublic === null ? 1 : at + lanesOf(opener));
    const key = signPublic;
    const isStrange = known === null && at === 0 && entries[1]?.seq !== 1;
    const first = isStrange ? await tryReadEntry(opener, batch[0]!, key) : undefined;
    if (first === null) return null;
    const records = first !== undefined
      ? [first]
      : await Promise.all(batch.map((entry) => readEntry(opener, entry, key)));
    for (const [i, record] of records.entries()) {
      const listed = batch[i]!;
      checkLink(listed, record.body, machineId, read.at(listed.seq - 1));
      machineId = record.body.machine;
      const first = record.body.ops[0];
      if (listed.seq === 1 && first?.op === "enrol") signPublic = fromHex(first.sign);
      read.add(listed.seq, record.hash);
      const { body, hash, sizeBytes, inline } = record;
      const isKept = inline.length > 0 && inline.length <= budget.bytes;
      if (isKept) budget.bytes -= inline.length;
      const entry = { objectName: listed.name, body, hash, sizeBytes };
      verified.push(isKept ? { ...entry, inline: inline.slice() } : entry);
    }
    at += batch.length;
  }
  checkMark(known, entries, read);
  return verified;
}

/** Hashes of a log's entries by number: what the index has, and what was read now. */
class LogHashes {
  readonly #known: LogContext | null;
  readonly #read = new Map<number, string[]>();

  constructor(known: LogContext | null) {
    this.#known = known;
  }

  add(seq: number, hash: string): void {
    this.#read.set(seq, [...(this.#read.get(seq) ?? []), hash]);
  }

  at(seq: number): readonly string[] {
    if (seq === 0) return ["0".repeat(64)];
    const { cursor = null, hashesAt } = this.#known ?? {};
    const accepted = hashesAt?.(seq) ?? (cursor?.seq === seq ? [cursor.hash] : []);
    return [...accepted, ...(this.#read.get(seq) ?? [])];
  }
}

/** The name has eight digits of the hash; the log's owner could find a second entry for them. */
function checkMark(
  known: LogContext | null,
  entries: readonly ListedEntry[],
  read: LogHashes,
): void {
  for (const { seq, hash } of [known?.mark ?? [], known?.twins ?? []].flat()) {
    const listed = entries.find((entry) => entry.seq === seq);
    if (listed === undefined || read.at(seq).includes(hash)) continue;
    throw new ClaudeSyncError(
      "forked",
      `Entry ${seq} of the log ${listed.tag} is not the one read here before`,
      { objectName: listed.name },
    );
  }
}

function checkLink(
  listed: ListedEntry,
  body: EntryBody,
  machineId: string | null,
  previous: readonly string[],
): void {
  const sameMachine = machineId === null || body.machine === machineId;
  if (sameMachine && previous.includes(body.prev)) return;
  throw new ClaudeSyncError("damaged", "An entry does not continue its log", {
    objectName: listed.name,
  });
}

/** A claim of some entry that the known logs do not meet. */
export interface UnmetClaim {
  readonly machine: string;
  readonly seq: number;
  readonly hash: string;
  readonly claimedIn: string;
}

/**
 * Gives the `heads` claims of `entries` that are not met. `isAccepted`: whether that entry of a
 * machine was accepted.
 */
export function unmetClaims(
  entries: readonly VerifiedEntry[],
  isAccepted: (machine: string, seq: number, hash: string) => boolean,
): UnmetClaim[] {
  const unmet: UnmetClaim[] = [];
  for (const entry of entries) {
    for (const [machine, { seq, hash }] of Object.entries(entry.body.heads)) {
      if (isAccepted(machine, seq, hash)) continue;
      unmet.push({ machine, seq, hash, claimedIn: entry.objectName });
    }
  }
  return unmet;
}
