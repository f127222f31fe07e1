/**
 * Learns where logs begin (FORMAT.md section 12): a log that was compacted says so in its newest
 * entry, one that was given up is spoken of in another machine's log.
 */
import { type Bytes, fromHex } from "../base/bytes.ts";
import { mapConcurrently } from "../base/pool.ts";
import { ClaudeSyncError } from "../errors.ts";
import type { RetireOp } from "./entry_body.ts";
import { baseOf, isCovered } from "./entry_rules.ts";
import { type ListedEntry, needsLook, planLogRead, type PlannedLog } from "./log_plan.ts";
import type { EntryOpener, LogContext, ReadLogs, VerifiedEntry } from "./log_reader.ts";
import { decodeEntry, lanesOf, readPlanned, sealedEntry } from "./log_reader.ts";

/** What the newest entries told. */
export interface LookedAt {
  /** By log tag, for the logs whose newest entry was read. */
  readonly bases: ReadonlyMap<string, number>;
  /** Tags of logs that nobody knows and whose newest entry does not open. */
  readonly foreign: ReadonlySet<string>;
  /** What was fetched, by object name, so that it need not be fetched again. */
  readonly sealed: ReadonlyMap<string, Bytes>;
}

/**
 * Reads the newest entry of each log where that is needed for planning. What it says is believed
 * only to plan: whoever reads the log verifies it. Errors: those of `readEntry`, unless `onError`
 * takes them.
 */
export async function lookAtLogs(
  opener: EntryOpener,
  logs: ReadonlyMap<string, readonly ListedEntry[]>,
  known: ReadonlyMap<string, LogContext>,
  onError: (error: unknown) => void = raise,
): Promise<LookedAt> {
  const bases = new Map<string, number>();
  const foreign = new Set<string>();
  const sealed = new Map<string, Bytes>();
  const due = [...logs].filter(([tag, entries]) => needsLook(entries, known.get(tag)));
  const look = async (tag: string, listed: ListedEntry, isLog: boolean) => {
    const context = known.get(tag);
    const bytes = await sealedEntry(opener, listed);
    const key = context?.machine?.signPublic ?? "unchecked";
    const entry = await decodeEntry(opener, listed, bytes, key);
    if (entry !== null) {
      bases.set(tag, Math.max(bases.get(tag) ?? 1, baseOf(entry.body)));
      sealed.set(listed.name, bytes);
    } else if (context === undefined && !isLog) foreign.add(tag);
  };
  await mapConcurrently(due, lanesOf(opener), async ([tag, entries]) => {
    for (const listed of newestOf(entries)) {
      await look(tag, listed, entries[0]!.seq === 1 || bases.has(tag)).catch(onError);
    }
  });
  return { bases, foreign, sealed };
}

/** The newest entry; all from the first number that clones wrote twice, for each has its own. */
function newestOf(entries: readonly ListedEntry[]): readonly ListedEntry[] {
  const twin = entries.findIndex(({ seq }, i) => entries[i + 1]?.seq === seq);
  return twin === -1 ? entries.slice(-1) : entries.slice(twin);
}

function raise(error: unknown): void {
  throw error;
}

/** The logs with what was learned of their bases. A base never goes back. */
export function withBases(
  known: ReadonlyMap<string, LogContext>,
  bases: ReadonlyMap<string, number>,
): Map<string, LogContext> {
  const next = new Map(known);
  for (const [tag, base] of bases) {
    const log = known.get(tag) ?? UNKNOWN_LOG;
    if (base > (log.base ?? 1)) next.set(tag, { ...log, base });
  }
  return next;
}

/** The `retire` ops of entries, by the tag of the log that is given up; the furthest of each. */
export function retirementsIn(entries: readonly VerifiedEntry[]): Map<string, RetireOp> {
  const retired = new Map<string, RetireOp>();
  for (const op of entries.flatMap(({ body }) => body.ops)) {
    if (op.op !== "retire") continue;
    if ((retired.get(op.tag)?.seq ?? 0) < op.seq) retired.set(op.tag, op);
  }
  return retired;
}

/**
 * The logs with what `retired` says of some, as they are to be planned and read. Throws `forked`
 * when a log that is given up is not the one that was read here before.
 */
export function withRetired(
  known: ReadonlyMap<string, LogContext>,
  retired: ReadonlyMap<string, RetireOp>,
): Map<string, LogContext> {
  const next = new Map(known);
  for (const [tag, op] of retired) {
    const log = known.get(tag) ?? UNKNOWN_LOG;
    if (op.seq + 1 <= (log.base ?? 1)) continue;
    const { machine: id, name, covered } = op;
    for (const seen of [log.mark ?? [], log.cursor ?? []].flat()) {
      if (seen.seq > op.seq || isCovered(covered, seen.seq, seen.hash)) continue;
      const what = `Entry ${seen.seq} of the log ${tag}, which another machine has taken over,`;
      throw new ClaudeSyncError("forked", `${what} is not the one read here before`);
    }
    const machine = log.machine ?? { id, tag, name, signPublic: fromHex(op.sign)! };
    next.set(tag, { ...log, machine, base: op.seq + 1, isRetired: true, covered });
  }
  return next;
}

/** Whether `entries` have an entry of a machine, or say that they cover it. */
export function acceptedIn(
  entries: readonly VerifiedEntry[],
): (machine: string, seq: number, hash: string) => boolean {
  const read = new Set(entries.map(({ body, hash }) => `${body.machine}/${body.seq}/${hash}`));
  const isReplaced = replacedIn(entries);
  return (machine, seq, hash) =>
    read.has(`${machine}/${seq}/${hash}`) || isReplaced(machine, seq, hash);
}

/** Whether `entries` say again what an entry of a machine says, so that it counts for nothing. */
export function replacedIn(
  entries: readonly VerifiedEntry[],
): (machine: string, seq: number, hash: string) => boolean {
  const covers = new Map<string, (readonly string[])[]>();
  for (const { body } of entries) {
    for (const op of body.ops) {
      if (op.op !== "checkpoint" && op.op !== "retire") continue;
      const machine = op.op === "checkpoint" ? body.machine : op.machine;
      covers.set(machine, [...(covers.get(machine) ?? []), op.covered]);
    }
  }
  return (machine, seq, hash) =>
    covers.get(machine)?.some((covered) => isCovered(covered, seq, hash)) ?? false;
}

/**
 * Reads everything that is new in the listed logs. Where entries are missing, what other logs say
 * may explain it, so these are read first. Errors: `rolled-back`, `forked` or `incomplete` when it
 * does not, and those of `readPlanned`.
 */
export async function readLogs(
  opener: EntryOpener,
  logs: ReadonlyMap<string, readonly ListedEntry[]>,
  known: ReadonlyMap<string, LogContext>,
): Promise<ReadLogs> {
  const { bases, foreign, sealed } = await lookAtLogs(opener, logs, known);
  const looking = { ...opener, fetched: sealed };
  const ours = new Map([...logs].filter(([tag]) => !foreign.has(tag)));
  const contexts = withBases(known, bases);
  const plan = planLogRead(ours, contexts);
  const isSound = ({ tag }: PlannedLog) => !plan.alarms.has(tag);
  const read = await readPlanned(looking, plan.logs.filter(isSound), contexts);
  const strange = [...foreign].map((tag) => logs.get(tag)![0]!);
  if (plan.alarms.size === 0) return { ...read, foreign: [...strange, ...read.foreign] };
  const explained = withRetired(contexts, retirementsIn(read.entries));
  const again = planLogRead(ours, explained);
  for (const alarm of again.alarms.values()) throw alarm;
  const rest = again.logs.filter(({ tag }) => plan.alarms.has(tag));
  const more = await readPlanned(looking, rest, explained);
  return {
    entries: [...read.entries, ...more.entries],
    foreign: [...strange, ...read.foreign, ...more.foreign],
  };
}

const UNKNOWN_LOG: LogContext = { machine: null, cursor: null, mark: null };
