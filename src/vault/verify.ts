/**
 * Checks a whole vault against FORMAT.md: everything listed, every entry opened and verified, every
 * claim met, every named pack present. Reports what is wrong instead of stopping at the first
 * thing, and is the oracle of the tests.
 */
import { type Bytes, fromHex, toHex } from "../base/bytes.ts";
import { damagedObject } from "../crypto/damaged.ts";
import { type ClaudeSyncError, isClaudeSyncError } from "../errors.ts";
import type { ObjectInfo } from "../storage/object_store.ts";
import { decodeHeader } from "./header.ts";
import { baseOf, isCovered, NO_PREVIOUS_ENTRY } from "./entry_rules.ts";
import { acceptedIn, lookAtLogs, replacedIn, retirementsIn } from "./log_base.ts";
import { withBases, withRetired } from "./log_base.ts";
import { groupByLog, type KnownLog, type ListedEntry, planLogRead } from "./log_plan.ts";
import type { EntryOpener, LogContext, ReadEntry, VerifiedEntry } from "./log_reader.ts";
import { checkOneLogEach, foreignLogMessage, keyAtBase, lanesOf } from "./log_reader.ts";
import { readEntry, tryReadEntry, unmetClaims } from "./log_reader.ts";
import { HEADER_NAME, parsePackName } from "./names.ts";

/** Something that is wrong with a vault. */
export interface Problem {
  readonly objectName: string | null;
  readonly code: string;
  readonly message: string;
}

/** What the check of logs and names found. */
export interface CheckedLogs {
  readonly problems: readonly Problem[];
  /** Every entry that the store listed, good or not. */
  readonly listed: readonly ListedEntry[];
  /** Entries that are good by themselves, each log's in order. */
  readonly entries: readonly VerifiedEntry[];
  readonly storedBytes: number;
  readonly readBytes: number;
  /** Names of packs that entries name and that are there with the right size. */
  readonly packs: readonly string[];
  /**
   * Packs that no entry names which counts: leftovers, and while there are replaced entries maybe
   * theirs.
   */
  readonly unreferenced: number;
  /** Entries that checkpoints have replaced, and that wait for their end. */
  readonly replaced: number;
}

/**
 * Checks header, names, logs and the presence of packs. `marks`: what this machine has seen, by log
 * tag. Errors: the store's own.
 */
export async function checkLogs(
  opener: EntryOpener,
  marks: ReadonlyMap<string, KnownLog>,
  expectedVaultId: string,
): Promise<CheckedLogs> {
  const problems: Problem[] = [];
  const sizes = new Map<string, number>();
  const listed: ObjectInfo[] = [];
  for await (const info of opener.store.list("", { signal: opener.signal })) {
    listed.push(info);
    sizes.set(info.name, info.sizeBytes);
  }
  await checkHeader(opener, expectedVaultId, problems);
  const logs = groupByLog(listed);
  const { entries, unread } = await checkEachLog(opener, logs, marks, problems);
  const readBytes = entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  collect(problems, () => checkOneLogEach(entries, []));
  for (const claim of unmetClaims(entries, acceptedIn(entries))) {
    const message = `It speaks of entry ${claim.seq} of another machine, which is not there`;
    problems.push({ objectName: claim.claimedIn, code: "incomplete", message });
  }
  // Of what a checkpoint says again the packs go first, and may be gone.
  const isReplaced = replacedIn(entries);
  const counting = entries.filter(({ body, hash }) => !isReplaced(body.machine, body.seq, hash));
  const packs = checkPacks(counting, sizes, problems);
  const referenced = new Set([...packs, ...entries.map((e) => e.objectName)]);
  const unreferenced =
    listed.filter(({ name }) => parsePackName(name) !== null && !referenced.has(name)).length;
  const replaced = unread + entries.length - counting.length;
  const storedBytes = listed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const found = { listed: [...logs.values()].flat(), packs, unreferenced, replaced };
  return { problems, entries, storedBytes, readBytes, ...found };
}

/**
 * What is wrong when the store listed `earlier` before, and `checked` is what it shows now: entries
 * that are gone though no deletion explains it, which takes only what a checkpoint or a `retire`
 * covers (FORMAT.md section 12).
 */
export function goneSince(
  earlier: Iterable<ListedEntry>,
  { entries, listed }: Pick<CheckedLogs, "entries" | "listed">,
): Problem[] {
  const present = new Set<string>(listed.map(({ name }) => name));
  const gone = [...earlier].filter(({ name }) => !present.has(name));
  if (gone.length === 0) return [];
  const machines = new Map<string, string>();
  for (const { tag, machine } of retirementsIn(entries).values()) machines.set(tag, machine);
  for (const { body } of entries) machines.set(body.tag, body.machine);
  const isReplaced = replacedIn(entries);
  const message = "The store listed the entry, and a moment later no longer";
  return gone
    .filter(({ tag, seq, hash8 }) => !isReplaced(machines.get(tag) ?? "", seq, hash8))
    .map(({ name }) => ({ objectName: name, code: "incomplete", message }));
}

/** Logs in which entries are missing come last: what the others say may explain it. */
async function checkEachLog(
  opener: EntryOpener,
  logs: ReadonlyMap<string, readonly ListedEntry[]>,
  marks: ReadonlyMap<string, KnownLog>,
  problems: Problem[],
): Promise<{ readonly entries: VerifiedEntry[]; readonly unread: number }> {
  const known = new Map<string, LogContext>();
  for (const [tag, mark] of marks) known.set(tag, { ...mark, cursor: null, machine: null });
  const looked = await lookAtLogs(opener, logs, known, (error) => {
    if (!isProblem(error)) throw error;
    // It will be met again where the log is read.
  });
  const contexts = withBases(known, looked.bases);
  const suspects = new Set(planLogRead(logs, contexts).alarms.keys());
  const entries: VerifiedEntry[] = [];
  const check = async (tag: string, context: LogContext | undefined) => {
    entries.push(...await checkLog(opener, logs.get(tag) ?? [], context, problems));
  };
  for (const tag of logs.keys()) if (!suspects.has(tag)) await check(tag, contexts.get(tag));
  let explained = contexts;
  collect(problems, () => explained = withRetired(contexts, retirementsIn(entries)));
  for (const alarm of planLogRead(logs, explained).alarms.values()) problems.push(asProblem(alarm));
  for (const tag of suspects) await check(tag, explained.get(tag));
  // What came too late for a checkpoint is before it and was read.
  const read = new Set<string>(entries.map(({ objectName }) => objectName));
  const unread = [...logs].flatMap(([tag, log]) => {
    const base = explained.get(tag)?.base ?? 1;
    return log.filter(({ seq, name }) => seq < base && !read.has(name));
  });
  return { entries, unread: unread.length };
}

async function checkHeader(
  opener: EntryOpener,
  expectedVaultId: string,
  problems: Problem[],
): Promise<void> {
  const wrong = (code: string, message: string) =>
    problems.push({ objectName: HEADER_NAME, code, message });
  try {
    const bytes = await opener.store.get(HEADER_NAME, { signal: opener.signal });
    if (bytes === null) return void wrong("incomplete", "The vault's header is missing");
    const { vaultId, kid } = decodeHeader(bytes);
    if (toHex(vaultId) !== expectedVaultId) wrong("damaged", "The header is another vault's");
    else if (toHex(kid) !== opener.epoch.kidHex) wrong("damaged", "The header names another key");
  } catch (error) {
    if (!isProblem(error) && !isClaudeSyncError(error, "malformed-file")) throw error;
    wrong("damaged", error.message);
  }
}

/** Reads a log's entries in order, some ahead once the key they are verified with is known. */
class ReadAhead {
  readonly #opener: EntryOpener;
  readonly #log: readonly ListedEntry[];
  readonly #underWay = new Map<number, Promise<ReadEntry | null>>();

  constructor(opener: EntryOpener, log: readonly ListedEntry[]) {
    this.#opener = opener;
    this.#log = log;
  }

  at(index: number, signPublic: Bytes | null): Promise<ReadEntry | null> {
    const lanes = signPublic === null ? 1 : lanesOf(this.#opener);
    for (const [ahead, listed] of this.#log.slice(index, index + lanes).entries()) {
      if (this.#underWay.has(index + ahead)) continue;
      const read = tryReadEntry(this.#opener, listed, signPublic);
      // Its failure is the business of whoever asks for it, which may be nobody.
      read.catch(() => {});
      this.#underWay.set(index + ahead, read);
    }
    const read = this.#underWay.get(index)!;
    this.#underWay.delete(index);
    return read;
  }
}

async function checkLog(
  opener: EntryOpener,
  log: readonly ListedEntry[],
  known: LogContext | undefined,
  problems: Problem[],
): Promise<VerifiedEntry[]> {
  const { mark = null, base = 1 } = known ?? {};
  const verified: VerifiedEntry[] = [];
  let signPublic = known?.machine?.signPublic ?? null;
  if (base > 1 && signPublic === null) {
    signPublic = await findKey(opener, log, base, problems);
    if (signPublic === null) return [];
  }
  let machine: string | null = known?.machine?.id ?? null;
  const hashes = new Map<number, string[]>([[0, [NO_PREVIOUS_ENTRY]]]);
  const needed = log.filter(({ seq }) => seq >= base);
  // A base that no checkpoint has made would hide what is missing before it.
  let explained = base;
  const reads = new ReadAhead(opener, needed);
  for (const [index, listed] of needed.entries()) {
    opener.signal.throwIfAborted();
    let entry: VerifiedEntry;
    try {
      // Without the first entry's key nothing after it can be verified. That entry is missing or
      // bad then, and was reported as what it is.
      if (signPublic === null && listed.seq !== base) break;
      const read = await reads.at(index, signPublic);
      if (read === null && index === 0 && needed[1]?.seq !== listed.seq && mark === null) {
        const message = foreignLogMessage(listed.tag);
        problems.push({ objectName: listed.name, code: "damaged", message });
        return verified;
      }
      if (read === null) throw damagedObject(listed.name);
      const { body, hash, sizeBytes } = read;
      entry = { objectName: listed.name, body, hash, sizeBytes };
    } catch (error) {
      if (!isProblem(error)) throw error;
      problems.push(asProblem(error, listed.name));
      continue;
    }
    const previous = hashes.get(listed.seq - 1);
    const isOthers = machine !== null && entry.body.machine !== machine;
    const last = entry.body.ops.at(-1);
    if (last?.op === "checkpoint") explained = Math.max(explained, last.from);
    const isLoose = previous !== undefined && !previous.includes(entry.body.prev);
    if (isOthers || isLoose || baseOf(entry.body) > explained) {
      const message = "The entry does not continue its log";
      problems.push({ objectName: listed.name, code: "damaged", message });
    }
    if (isOthers) continue;
    machine = entry.body.machine;
    const [first] = entry.body.ops;
    if (first?.op === "enrol") signPublic ??= fromHex(first.sign);
    verified.push(entry);
    hashes.set(listed.seq, [...(hashes.get(listed.seq) ?? []), entry.hash]);
  }
  if (base > 1) await checkBefore(opener, log, known!, signPublic, verified, problems);
  // The name has eight digits of the hash, and a log's owner could find a second entry for them.
  const atMark = mark === null ? [] : verified.filter(({ body }) => body.seq === mark.seq);
  if (atMark.length > 0 && mark!.seq >= base && !atMark.some(({ hash }) => hash === mark?.hash)) {
    const message = "The entry is not the one this machine has read before";
    problems.push({ objectName: atMark[0]!.objectName, code: "forked", message });
  }
  return verified;
}

/** The key at the log's base; null when it is not there, which was reported or is now. */
async function findKey(
  opener: EntryOpener,
  log: readonly ListedEntry[],
  base: number,
  problems: Problem[],
): Promise<Bytes | null> {
  if (!log.some(({ seq }) => seq === base)) return null;
  try {
    return await keyAtBase(opener, log, base);
  } catch (error) {
    if (!isProblem(error)) throw error;
    problems.push(asProblem(error));
    return null;
  }
}

/** Checks how a compacted log begins, and adds what clones wrote that came too late for that. */
async function checkBefore(
  opener: EntryOpener,
  log: readonly ListedEntry[],
  known: LogContext,
  signPublic: Bytes | null,
  verified: VerifiedEntry[],
  problems: Problem[],
): Promise<void> {
  const { base = 1 } = known;
  const covered = checkCovered(verified, known, problems);
  const atBase = verified.filter(({ body }) => body.seq === base);
  const late = new Set<string>();
  for (const listed of log) {
    if (listed.seq >= base || isCovered(covered, listed.seq, listed.hash8)) continue;
    try {
      const { body, hash, sizeBytes } = await readEntry(opener, listed, signPublic);
      verified.push({ objectName: listed.name, body, hash, sizeBytes });
      late.add(hash);
    } catch (error) {
      if (!isProblem(error)) throw error;
      problems.push(asProblem(error, listed.name));
    }
  }
  for (const { body: { prev }, objectName } of atBase) {
    if (late.has(prev) || isCovered(covered, base - 1, prev)) continue;
    problems.push({ objectName, code: "damaged", message: "The entry does not continue its log" });
  }
}

/** What the log says of the entries before its base. */
function checkCovered(
  verified: readonly VerifiedEntry[],
  known: LogContext,
  problems: Problem[],
): readonly string[] {
  const { base = 1, mark } = known;
  const ops = verified.flatMap(({ body }) => body.ops);
  const covered = known.covered ??
    ops.flatMap((op) => op.op === "checkpoint" && op.from === base ? [op.covered] : [])[0];
  const objectName = verified[0]?.objectName ?? null;
  if (covered === undefined) {
    const message = "The log's checkpoint is missing";
    problems.push({ objectName, code: "damaged", message });
    return [];
  }
  if (mark !== null && mark.seq < base && !isCovered(covered, mark.seq, mark.hash)) {
    const message = `Entry ${mark.seq} of the log is not the one this machine has read before`;
    problems.push({ objectName, code: "forked", message });
  }
  return covered;
}

function checkPacks(
  entries: readonly VerifiedEntry[],
  sizes: ReadonlyMap<string, number>,
  problems: Problem[],
): string[] {
  const packs: string[] = [];
  for (const { name, size } of entries.flatMap(({ body }) => body.packs)) {
    const actual = sizes.get(name);
    if (actual === size) packs.push(name);
    else if (actual === undefined) {
      problems.push({ objectName: name, code: "incomplete", message: "The pack is missing" });
    } else {
      const message = `The pack has ${actual} bytes instead of ${size}`;
      problems.push({ objectName: name, code: "damaged", message });
    }
  }
  return packs;
}

function collect(problems: Problem[], check: () => void): void {
  try {
    check();
  } catch (error) {
    if (!isProblem(error)) throw error;
    problems.push(asProblem(error));
  }
}

function asProblem(
  { code, message, objectName }: ClaudeSyncError,
  name: string | null = null,
): Problem {
  return { objectName: objectName ?? name, code, message };
}

function isProblem(error: unknown): error is ClaudeSyncError {
  return isClaudeSyncError(
    error,
    "damaged",
    "rolled-back",
    "forked",
    "incomplete",
    "newer-format",
    "too-large",
    "store-invalid",
  );
}
