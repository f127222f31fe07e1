/** Whether what was read of a log is one chain that continues what was accepted before. */
import { ClaudeSyncError } from "../errors.ts";
import { baseOf, isCovered, NO_PREVIOUS_ENTRY } from "./entry_rules.ts";
import type { ListedEntry } from "./log_plan.ts";
import type { LogContext, VerifiedEntry } from "./log_reader.ts";

/** An entry, and its name in the list. */
export interface ReadListed {
  readonly listed: ListedEntry;
  readonly entry: VerifiedEntry;
}

/** Hashes of a log's entries by number: what the index or a checkpoint has, and what was read. */
class LogHashes {
  readonly #known: LogContext | null;
  readonly #covered: readonly string[];
  readonly #read = new Map<number, string[]>();

  constructor(known: LogContext | null, covered: readonly string[]) {
    this.#known = known;
    this.#covered = covered;
  }

  add(seq: number, hash: string): void {
    this.#read.set(seq, [...(this.#read.get(seq) ?? []), hash]);
  }

  /** Whether the log is known to have that entry. */
  has(seq: number, hash: string): boolean {
    if (seq === 0) return hash === NO_PREVIOUS_ENTRY;
    const { cursor = null, hashesAt } = this.#known ?? {};
    const accepted = hashesAt?.(seq) ?? (cursor?.seq === seq ? [cursor.hash] : []);
    return isCovered(this.#covered, seq, hash) ||
      [...accepted, ...(this.#read.get(seq) ?? [])].some((one) => hash.startsWith(one));
  }
}

/**
 * Throws `damaged` where an entry does not continue one with the number before, or has a base that
 * no checkpoint has made; `forked` when what was accepted here before is not part of the log.
 * `from`: the base that reading began at; `covered`: hashes of what is before it.
 */
export function checkChain(
  from: number | null,
  read: readonly ReadListed[],
  known: LogContext | null,
  covered: readonly string[],
): void {
  const hashes = new LogHashes(known, covered);
  let machineId = known?.machine?.id ?? null;
  let base = Math.max(known?.base ?? 1, from ?? 1);
  for (const { listed, entry: { body, hash } } of read) {
    const isSameMachine = machineId === null || body.machine === machineId;
    const last = body.ops.at(-1);
    if (last?.op === "checkpoint") base = Math.max(base, last.from);
    const isExplained = baseOf(body) <= base;
    if (!isSameMachine || !isExplained || !hashes.has(listed.seq - 1, body.prev)) {
      throw new ClaudeSyncError("damaged", "An entry does not continue its log", {
        objectName: listed.name,
      });
    }
    machineId = body.machine;
    hashes.add(listed.seq, hash);
  }
  checkMarks(known, read, hashes);
  if (from !== null) checkSpared(from, known, read, covered);
}

/** The name has eight digits of the hash; the log's owner could find a second entry for them. */
function checkMarks(
  known: LogContext | null,
  read: readonly ReadListed[],
  hashes: LogHashes,
): void {
  for (const { seq, hash } of [known?.mark ?? [], known?.twins ?? []].flat()) {
    const found = read.find(({ listed }) => listed.seq === seq);
    if (found !== undefined && !hashes.has(seq, hash)) throw forked(found.listed, seq);
  }
}

/** What was accepted here before must be among what the checkpoint covers. */
function checkSpared(
  from: number,
  known: LogContext | null,
  read: readonly ReadListed[],
  covered: readonly string[],
): void {
  for (const { seq, hash } of [known?.mark ?? [], known?.cursor ?? [], known?.twins ?? []].flat()) {
    if (seq >= from || isCovered(covered, seq, hash)) continue;
    if (read.some(({ entry }) => entry.hash === hash)) continue;
    throw forked(read[0]!.listed, seq);
  }
}

function forked({ name, tag }: ListedEntry, seq: number): ClaudeSyncError {
  const message = `Entry ${seq} of the log ${tag} is not the one read here before`;
  return new ClaudeSyncError("forked", message, { objectName: name });
}
