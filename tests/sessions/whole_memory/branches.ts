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
import { assert } from "../../../src/base/assert.ts";
import { branchCopy, type Leaf, writerAt } from "./branch_copy.ts";
import { branchId } from "../../../src/sessions/branch_id.ts";
import { machineSuffix } from "../../../src/sessions/branch_title.ts";
import {
  byFormThenWriters,
  bySizeThenHash,
  type Continuation,
  gatherFamily,
  isPrefixOf,
  type StoredLeaves,
} from "./continuations.ts";
import type { SessionId } from "../../../src/sessions/session_id.ts";
import type { SpokenRecord } from "../../../src/sessions/spoken_records.ts";

/** A leaf as the caller gave it, and the session it is stored under. */
export interface LeafRef {
  readonly id: SessionId;
  readonly leaf: Leaf;
}

/** A session that keeps its file or gets one. */
export interface ResolvedSession {
  readonly id: SessionId;
  /** All leaves that stand for this very continuation, those under `id` first. */
  readonly from: readonly LeafRef[];
  /** Continuation in the root session's form. */
  readonly rootForm: Leaf;
}

/** A branch; its first own record is at `start` of the root form and was written by `machine`. */
export interface ResolvedBranch extends ResolvedSession {
  readonly firstHash: string;
  readonly start: number;
  readonly machine: string;
}

/** A leaf that gets no file of its own because others have all that it says. */
export interface DroppedLeaf extends LeafRef {
  readonly why: "prefix" | "covered";
}

/** The files of a session and its branches. */
export interface Resolution {
  readonly rootId: SessionId;
  readonly main: ResolvedSession;
  /** Sorted by id. */
  readonly branches: readonly ResolvedBranch[];
  readonly dropped: readonly DroppedLeaf[];
  /** Every derived id that has stored leaves; these sessions are decided here and nowhere else. */
  readonly storedBranchIds: readonly SessionId[];
}

/**
 * Decides the files of session `rootId`, which is no branch (`rootSessionId` tells). At least one
 * leaf; order and duplicates of `leaves`, of what `storedLeaves` gives and of `knownBranches` (see
 * `gatherFamily`) do not matter. A session with one leaf and no known branch needs no call. Throws
 * `too-large`.
 */
export function resolveBranches(
  rootId: SessionId,
  leaves: readonly Leaf[],
  storedLeaves: StoredLeaves,
  knownBranches: readonly SessionId[] = [],
): Resolution {
  assert(leaves.length > 0, "a session has a leaf");
  const { continuations, branchIds } = gatherFamily(
    rootId,
    leaves,
    storedLeaves,
    knownBranches,
  );
  const dropped: DroppedLeaf[] = [];
  const survivors = surviving(continuations, dropped);
  const main = keeperOf(survivors);
  const said = new Set(main.hashes);
  let rest = survivors.filter((other) => other !== main);
  const branches: ResolvedBranch[] = [];
  while (rest.length > 0) {
    const groups = groupsByFirst(rest, said, dropped);
    const kept = new Set<Continuation>();
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

/** The bytes that belong into the file of `session`, and who wrote them. */
export function fileOf(rootId: SessionId, session: ResolvedSession | ResolvedBranch): Leaf {
  const stored = session.from[0];
  if (stored?.id === session.id) return stored.leaf;
  if (!("firstHash" in session)) return session.rootForm;
  return branchCopy(session.rootForm, { ...session, rootId });
}

function surviving(
  continuations: readonly Continuation[],
  dropped: DroppedLeaf[],
): Continuation[] {
  const whole = continuations.filter((one) => {
    const isPrefix = continuations.some((other) => other !== one && isPrefixOf(one, other));
    if (isPrefix) drop(one, "prefix", dropped);
    return !isPrefix;
  });
  const order = whole.toSorted((a, b) =>
    b.hashes.size - a.hashes.size || bySizeThenHash(a.bytes, b.bytes)
  );
  const survivors: Continuation[] = [];
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
function keeperOf(survivors: readonly Continuation[]): Continuation {
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

interface Group {
  readonly first: SpokenRecord;
  readonly members: Continuation[];
}

function groupsByFirst(
  rest: readonly Continuation[],
  said: ReadonlySet<string>,
  dropped: DroppedLeaf[],
): Group[] {
  const groups = new Map<string, Group>();
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

function drop(one: Continuation, why: DroppedLeaf["why"], dropped: DroppedLeaf[]): void {
  for (const { id, leaf } of one.forms) dropped.push({ id, leaf, why });
}

function sessionOf(id: SessionId, one: Continuation): ResolvedSession {
  const forms = one.forms.toSorted((a, b) =>
    Number(b.id === id) - Number(a.id === id) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0) ||
    byFormThenWriters(a, b)
  );
  return {
    id,
    from: forms.map(({ id, leaf }) => ({ id, leaf })),
    rootForm: { bytes: one.bytes, writers: forms[0]!.rootWriters },
  };
}

function branchOf(
  rootId: SessionId,
  keeper: Continuation,
  first: SpokenRecord,
  continuations: readonly Continuation[],
): ResolvedBranch {
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
    for (const { id, rootWriters } of forms) {
      (id === rootId ? byRoot : byBranches).add(writerAt(rootWriters, start));
    }
  }
  const names = byRoot.size > 0 ? byRoot : byBranches;
  return [...names].sort((a, b) => (machineSuffix(a) < machineSuffix(b) ? -1 : 1))[0] ?? "";
}
