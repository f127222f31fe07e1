/**
 * Which files a session becomes when machines continued it apart. Pure: a function of the SET of
 * known continuations (leaves), so every machine that knows the same set decides the same.
 *
 * 1. Every leaf is taken in the root session's form: one that is stored under a branch's id is
 *    turned back first (`rootForm`). The family of leaves are those of the root and of every id
 *    that derives from a record spoken in the family (`gatherFamily`).
 * 2. A leaf that is a byte prefix of another is dropped.
 * 3. A leaf whose spoken records (`spoken_records.ts`) another one has, all of them, is covered and
 *    dropped. Among leaves that have the same ones the longest survives, then that with the
 *    smallest SHA-256.
 * 4. The keeper, which keeps the root's id: walk along the survivors' sequences of spoken records;
 *    where they differ, go on with those whose record is the oldest (no time counts as newest,
 *    equal times go by identity), until one is left.
 * 5. Every other survivor starts with r, its first record that no kept survivor has; one that has
 *    none is covered by them together and dropped. Those with the same r form a branch, whose id
 *    derives from the root's id and r (`branchId`). Its keeper is found as in 4, and so on with the
 *    rest, round by round.
 * 6. The keeper's file is its root form, a branch's file the copy of it (`branchCopy`). Where that
 *    very continuation is stored under the id already, its stored bytes are the file.
 *
 * Ends: each round keeps at least one survivor, and there are at most `FAMILY_LEAVES_MAX`. Ids are
 * distinct, because r is in a keeper from its round on and so never the r of a later one.
 *
 * Nothing is lost: a dropped leaf's spoken records are in the kept ones, and its bytes stay in the
 * vault. A branch keeps its id whatever arrives later, as long as transcripts are only appended to
 * and nothing of the family is forgotten: r is then the record after which the leaf left the
 * others, and that does not move. Which continuation stands under an id may change when an older
 * one arrives; the one that stood there then gets the id of the record at which these two part.
 */
import { assert } from "../base/assert.ts";
import { writerAt } from "./branch_copy.ts";
import { branchId } from "./branch_id.ts";
import { machineSuffix } from "./branch_title.ts";
import {
  byFormThenWriters,
  bySizeThenHash,
  type Continuation,
  type GatheredFamily,
} from "./continuations.ts";
import type { ScannedLeaf, StoredLeaf } from "./leaf_scan.ts";
import type { SessionId } from "./session_id.ts";
import type { SpokenRecord } from "./spoken_records.ts";

/** A session that keeps its file or gets one. */
export interface ResolvedSession<Stored extends StoredLeaf = StoredLeaf> {
  readonly id: SessionId;
  /** All leaves that stand for this very continuation, those under `id` first. */
  readonly from: readonly ScannedLeaf<Stored>[];
}

/** A branch; its first own record is at `start` of the root form and was written by `machine`. */
export interface ResolvedBranch<Stored extends StoredLeaf = StoredLeaf>
  extends ResolvedSession<Stored> {
  readonly firstHash: string;
  readonly start: number;
  readonly machine: string;
}

/** A leaf that gets no file of its own because others have all that it says. */
export interface DroppedLeaf<Stored extends StoredLeaf = StoredLeaf> {
  readonly leaf: ScannedLeaf<Stored>;
  readonly why: "prefix" | "covered";
}

/** The files of a session and its branches. */
export interface Resolution<Stored extends StoredLeaf = StoredLeaf> {
  readonly rootId: SessionId;
  readonly main: ResolvedSession<Stored>;
  /** Sorted by id. */
  readonly branches: readonly ResolvedBranch<Stored>[];
  readonly dropped: readonly DroppedLeaf<Stored>[];
  /** Every derived id that has stored leaves; these sessions are decided here and nowhere else. */
  readonly storedBranchIds: readonly SessionId[];
}

/** Whether the second begins with all bytes of the first, which is shorter (see `mayBePrefix`). */
export type IsPrefix<Stored extends StoredLeaf> = (
  shorter: Continuation<Stored>,
  longer: Continuation<Stored>,
) => boolean;

/**
 * Decides the files of a session that is no branch (`rootSessionId` tells) and that has a leaf.
 * Order and duplicates of its leaves do not matter. A session with one leaf and no known branch
 * needs no call.
 */
export function resolveBranches<Stored extends StoredLeaf>(
  { rootId, continuations, branchIds }: GatheredFamily<Stored>,
  isPrefix: IsPrefix<Stored>,
): Resolution<Stored> {
  assert(continuations.length > 0, "a session has a leaf");
  const dropped: DroppedLeaf<Stored>[] = [];
  const survivors = surviving(continuations, isPrefix, dropped);
  const main = keeperOf(survivors);
  const said = new Set(main.hashes);
  let rest = survivors.filter((other) => other !== main);
  const branches: ResolvedBranch<Stored>[] = [];
  while (rest.length > 0) {
    const groups = groupsByFirst(rest, said, dropped);
    const kept = new Set<Continuation<Stored>>();
    for (const { first, members } of groups) {
      const keeper = keeperOf(members);
      kept.add(keeper);
      branches.push(branchOf(rootId, keeper, first, continuations));
    }
    for (const keeper of kept) for (const hash of keeper.hashes) said.add(hash);
    rest = groups.flatMap(({ members }) => members).filter((member) => !kept.has(member));
  }
  return {
    rootId,
    main: sessionOf(rootId, main),
    branches: branches.sort((a, b) => (a.id < b.id ? -1 : 1)),
    dropped,
    storedBranchIds: branchIds,
  };
}

function surviving<Stored extends StoredLeaf>(
  continuations: readonly Continuation<Stored>[],
  isPrefix: IsPrefix<Stored>,
  dropped: DroppedLeaf<Stored>[],
): Continuation<Stored>[] {
  const whole = continuations.filter((one) => {
    const isCut = continuations.some((other) =>
      one.sizeBytes < other.sizeBytes && isPrefix(one, other)
    );
    if (isCut) drop(one, "prefix", dropped);
    return !isCut;
  });
  const order = whole.toSorted((a, b) => b.hashes.size - a.hashes.size || bySizeThenHash(a, b));
  const survivors: Continuation<Stored>[] = [];
  for (const one of order) {
    if (survivors.some((other) => hasAll(other, one))) drop(one, "covered", dropped);
    else survivors.push(one);
  }
  return survivors;
}

function hasAll(other: Continuation, one: Continuation): boolean {
  // From the end: what is missing is most likely new.
  for (let i = one.spoken.length - 1; i >= 0; i--) {
    if (!other.hashes.has(one.spoken[i]!.hash)) return false;
  }
  return true;
}

/**
 * No survivor's sequence is a prefix of another's, or it would be covered; so every walk reaches a
 * record where the candidates differ, until one is left.
 */
function keeperOf<Stored extends StoredLeaf>(
  survivors: readonly Continuation<Stored>[],
): Continuation<Stored> {
  let candidates = survivors;
  for (let at = 0; candidates.length > 1; at++) {
    let oldest: SpokenRecord | undefined;
    for (const candidate of candidates) {
      const record = candidate.spoken[at];
      assert(record !== undefined, "a survivor says something that no other says");
      if (oldest === undefined || isOlder(record, oldest)) oldest = record;
    }
    candidates = candidates.filter((candidate) => candidate.spoken[at]!.hash === oldest?.hash);
  }
  const keeper = candidates[0];
  assert(keeper !== undefined, "one survivor is left");
  return keeper;
}

function isOlder(a: SpokenRecord, b: SpokenRecord): boolean {
  return a.saidMs === b.saidMs ? a.hash < b.hash : a.saidMs < b.saidMs;
}

interface Group<Stored extends StoredLeaf> {
  readonly first: SpokenRecord;
  readonly members: Continuation<Stored>[];
}

function groupsByFirst<Stored extends StoredLeaf>(
  rest: readonly Continuation<Stored>[],
  said: ReadonlySet<string>,
  dropped: DroppedLeaf<Stored>[],
): Group<Stored>[] {
  const groups = new Map<string, Group<Stored>>();
  for (const one of rest) {
    const first = one.spoken.find((record) => !said.has(record.hash));
    if (first === undefined) {
      drop(one, "covered", dropped);
      continue;
    }
    const group = groups.get(first.hash) ?? { first, members: [] };
    group.members.push(one);
    groups.set(first.hash, group);
  }
  return [...groups.values()];
}

function drop<Stored extends StoredLeaf>(
  one: Continuation<Stored>,
  why: DroppedLeaf["why"],
  dropped: DroppedLeaf<Stored>[],
): void {
  for (const leaf of one.forms) dropped.push({ leaf, why });
}

function sessionOf<Stored extends StoredLeaf>(
  id: SessionId,
  one: Continuation<Stored>,
): ResolvedSession<Stored> {
  const from = one.forms.toSorted(({ stored: a }, { stored: b }) =>
    Number(b.id === id) - Number(a.id === id) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0) ||
    byFormThenWriters(a, b)
  );
  return { id, from };
}

function branchOf<Stored extends StoredLeaf>(
  rootId: SessionId,
  keeper: Continuation<Stored>,
  first: SpokenRecord,
  continuations: readonly Continuation<Stored>[],
): ResolvedBranch<Stored> {
  const start = keeper.spoken.find((record) => record.hash === first.hash)!.start;
  return {
    ...sessionOf(branchId(rootId, first.hash), keeper),
    firstHash: first.hash,
    start,
    machine: writerOf(rootId, first.hash, continuations),
  };
}

/**
 * The machine that wrote a record: by the root session's own leaves if they have it, because a
 * branch's file may have been stored by a machine that only copied its beginning. When leaves
 * disagree, the name that sorts first.
 */
function writerOf(
  rootId: SessionId,
  hash: string,
  continuations: readonly Continuation[],
): string {
  const byRoot = new Set<string>();
  const byBranches = new Set<string>();
  for (const { spoken, hashes, forms } of continuations) {
    if (!hashes.has(hash)) continue;
    const start = spoken.find((record) => record.hash === hash)!.start;
    for (const { stored, writers } of forms) {
      (stored.id === rootId ? byRoot : byBranches).add(writerAt(writers, start));
    }
  }
  const names = byRoot.size > 0 ? byRoot : byBranches;
  return [...names].sort((a, b) => (machineSuffix(a) < machineSuffix(b) ? -1 : 1))[0] ?? "";
}
