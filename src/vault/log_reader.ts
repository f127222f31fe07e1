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
import type { Memory } from "../platform/types.ts";
import { recordCodec } from "./codecs.ts";
import type { EntryBody } from "./entry_body.ts";
import { isCovered } from "./entry_rules.ts";
import type { HeldBodies } from "./held_body.ts";
import { checkChain, type ReadListed } from "./log_chain.ts";
import type { KnownLog, ListedEntry, PlannedLog } from "./log_plan.ts";
import type { SignKey } from "./record.ts";
import type { VaultStore } from "./sealed_store.ts";

/** Entries, and logs, that are read at the same time at least. */
const CONCURRENCY_MIN = 8;
/**
 * Inline bytes that stay in memory after reading, so that a small pull need not fetch an entry
 * again.
 */
const INLINE_KEPT_BYTES_MAX = 32 * 1024 * 1024;

/** Texts and objects that a body is made of on its way, in sizes of its own. */
const DECODED_COPIES = 8;

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
  /** Holds what entries say until all logs are read. */
  readonly bodies: HeldBodies;
  /** Is told of what was made to read an entry. Default: nobody. */
  readonly memory?: Pick<Memory, "passed">;
  /** Entries that were fetched just now, by object name. */
  readonly fetched?: ReadonlyMap<string, Bytes>;
}

/** What is known before reading, by tag. */
export interface LogContext extends KnownLog {
  readonly machine: KnownMachine | null;
  /**
   * Hashes of the accepted entries with that number: one, but for a log that was forked. Only
   * eight digits of those that a checkpoint spared us.
   */
  readonly hashesAt?: (seq: number) => readonly string[];
  /** Of a retired log: what the `retire` op says of the entries before the base. */
  readonly covered?: readonly string[];
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
  signPublic: SignKey,
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
  signPublic: SignKey,
): Promise<ReadEntry | null> {
  return await decodeEntry(opener, listed, await sealedEntry(opener, listed), signPublic);
}

/** The entry's object as the store has it. Errors: `incomplete`, the store's own. */
export async function sealedEntry(opener: EntryOpener, { name }: ListedEntry): Promise<Bytes> {
  const sealed = opener.fetched?.get(name) ??
    await opener.store.get(name, { signal: opener.signal });
  if (sealed !== null) return sealed;
  throw new ClaudeSyncError("incomplete", "An entry that the store lists cannot be read", {
    objectName: name,
  });
}

/** Opens an entry's bytes and verifies them; null when they do not open. */
export async function decodeEntry(
  opener: Pick<EntryOpener, "epoch" | "vaultId" | "bodies" | "memory">,
  listed: ListedEntry,
  sealed: Bytes,
  signPublic: SignKey,
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
  opener.memory?.passed(DECODED_COPIES * record.bodySizeBytes);
  return {
    body: opener.bodies.hold(record.body),
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
  logs: readonly PlannedLog[],
  known: ReadonlyMap<string, LogContext>,
): Promise<ReadLogs> {
  const budget = { bytes: INLINE_KEPT_BYTES_MAX };
  const perLog = await mapConcurrently(
    logs,
    lanesOf(opener),
    (log) => readLog(opener, log, known.get(log.tag) ?? null, budget),
  );
  const entries = perLog.flatMap((log) => log ?? []);
  const foreign = logs.filter((_, i) => perLog[i] === null).map((log) => log.entries[0]!);
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
  log: PlannedLog,
  known: LogContext | null,
  budget: { bytes: number },
): Promise<VerifiedEntry[] | null> {
  let signPublic = known?.machine?.signPublic ?? null;
  if (log.from !== null) signPublic ??= await keyAtBase(opener, log.entries, log.from);
  const read: ReadListed[] = [];
  while (read.length < log.entries.length) {
    // The first one brings the key that the others are verified with, so it is read alone.
    const end = signPublic === null ? 1 : read.length + lanesOf(opener);
    const batch = log.entries.slice(read.length, end);
    const isStrange = known === null && read.length === 0 &&
      log.entries[1]?.seq !== log.entries[0]!.seq;
    const first = isStrange ? await tryReadEntry(opener, batch[0]!, signPublic) : undefined;
    if (first === null) return null;
    const entries = first !== undefined ? [first] : await readAll(opener, batch, signPublic);
    read.push(...entries.map((entry, i) => kept(batch[i]!, entry, budget)));
    signPublic ??= keyOf(read[0]!);
  }
  const covered = coveredOf(log, read) ?? known?.covered ?? [];
  // What a checkpoint does not say again was written by a clone, and came late.
  const late = log.before.filter(({ seq, hash8 }) => !isCovered(covered, seq, hash8));
  const lateEntries = await readAll(opener, late, signPublic);
  read.unshift(...lateEntries.map((entry, i) => kept(late[i]!, entry, budget)));
  checkChain(log.from, read, known, covered);
  return read.map(({ entry }) => entry);
}

/**
 * The key that a compacted log brings at its base. A clone's entry of the same number may stand
 * beside the one that has it. Errors: `damaged` when none has it, and those of `readEntry`.
 */
export async function keyAtBase(
  opener: EntryOpener,
  entries: readonly ListedEntry[],
  base: number,
): Promise<Bytes> {
  const atBase = entries.filter(({ seq }) => seq === base);
  for (const listed of atBase) {
    const entry = await tryReadEntry(opener, listed, "unchecked");
    const first = entry?.body.ops[0];
    if (first?.op === "enrol") return fromHex(first.sign)!;
  }
  throw damagedObject(atBase[0]?.name ?? entries.at(-1)!.name);
}

function readAll(
  opener: EntryOpener,
  entries: readonly ListedEntry[],
  signPublic: Bytes | null,
): Promise<ReadEntry[]> {
  return mapConcurrently(
    entries,
    lanesOf(opener),
    (listed) => readEntry(opener, listed, signPublic),
  );
}

/** The key that the first entry brings; every place where one may begin to read has it. */
function keyOf({ listed, entry }: ReadListed): Bytes {
  const [first] = entry.body.ops;
  const key = first?.op === "enrol" ? fromHex(first.sign) : null;
  if (key === null) throw damagedObject(listed.name);
  return key;
}

/** Hashes of the entries before the one that reading began at; null when it began at the first. */
function coveredOf(log: PlannedLog, read: readonly ReadListed[]): readonly string[] | null {
  if (log.from === null) return null;
  for (const { entry } of read) {
    const op = entry.body.ops.at(-1);
    if (op?.op === "checkpoint" && op.from === log.from) return op.covered;
  }
  return null;
}

/** What stays of an entry: not the object it came in, which may be large. */
function kept(
  listed: ListedEntry,
  { body, hash, sizeBytes, inline }: ReadEntry,
  budget: { bytes: number },
): ReadListed {
  const entry = { objectName: listed.name, body, hash, sizeBytes };
  if (inline.length === 0 || inline.length > budget.bytes) return { listed, entry };
  budget.bytes -= inline.length;
  return { listed, entry: { ...entry, inline: inline.slice() } };
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
