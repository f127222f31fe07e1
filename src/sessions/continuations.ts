/**
 * All known continuations of a session and its branches, in the root session's form, with what was
 * said in each. Only the set counts, not the order in which it became known.
 */
import { ClaudeSyncError } from "../errors.ts";
import { branchId } from "./branch_id.ts";
import type { ScannedLeaf, StoredLeaf } from "./leaf_scan.ts";
import type { SessionId } from "./session_id.ts";
import type { SpokenRecord } from "./spoken_records.ts";

/** Most leaves that a session and its branches may have together. */
export const FAMILY_LEAVES_MAX = 1024;

/** One content in the root session's form, and every leaf that stands for it. */
export interface Continuation<Stored extends StoredLeaf = StoredLeaf> {
  readonly forms: ScannedLeaf<Stored>[];
  readonly sizeBytes: number;
  /** SHA-256 in hex. */
  readonly hash: string;
  readonly isTorn: boolean;
  /** In order, each identity once (where it stands first). */
  readonly spoken: readonly SpokenRecord[];
  readonly hashes: ReadonlySet<string>;
}

/** Gives the leaves stored under a session id; none when the id is unknown. */
export type LeavesUnder<Stored extends StoredLeaf> = (
  id: SessionId,
) => readonly ScannedLeaf<Stored>[];

/** All that is known of a session. */
export interface GatheredFamily<Stored extends StoredLeaf = StoredLeaf> {
  readonly rootId: SessionId;
  readonly continuations: readonly Continuation<Stored>[];
  readonly branchIds: readonly SessionId[];
}

/**
 * Gathers the family: the root's leaves, and those of every session whose id derives from a record
 * spoken in the family. This set only grows with its input, so a branch that ever came about is
 * found again whatever else is known. `knownBranches` are ids that a caller knows to be this root's
 * (`rootSessionId`): needed only where the leaf that a branch came from is gone, as after a
 * rewrite. Ends because each record is looked up once and a branch's leaves are
 * finite; throws `too-large` beyond `FAMILY_LEAVES_MAX`.
 */
export function gatherFamily<Stored extends StoredLeaf>(
  rootId: SessionId,
  leavesUnder: LeavesUnder<Stored>,
  knownBranches: readonly SessionId[] = [],
): GatheredFamily<Stored> {
  const continuations: Continuation<Stored>[] = [];
  let leaves = 0;
  const add = (leaf: ScannedLeaf<Stored>) => {
    if (++leaves > FAMILY_LEAVES_MAX) throw tooMany(rootId);
    const same = continuations.find(({ sizeBytes, hash }) =>
      sizeBytes === leaf.sizeBytes && hash === leaf.hash
    );
    if (same !== undefined) same.forms.push(leaf);
    else continuations.push({ ...leaf, forms: [leaf] });
  };
  for (const leaf of leavesUnder(rootId).toSorted((a, b) => b.sizeBytes - a.sizeBytes)) add(leaf);
  const branchIds = new Set<SessionId>();
  const addBranch = (id: SessionId) => {
    const stored = id === rootId || branchIds.has(id) ? [] : leavesUnder(id);
    if (stored.length > 0) branchIds.add(id);
    stored.forEach(add);
  };
  knownBranches.forEach(addBranch);
  const lookedUp = new Set<string>();
  // The list grows while it is walked.
  for (const { spoken } of continuations) {
    for (const { hash } of spoken) {
      if (!lookedUp.has(hash)) addBranch(branchId(rootId, hash));
      lookedUp.add(hash);
    }
  }
  return { rootId, continuations, branchIds: [...branchIds].sort() };
}

function tooMany(sessionId: SessionId): ClaudeSyncError {
  const message = `Session has more than ${FAMILY_LEAVES_MAX} continuations`;
  return new ClaudeSyncError("too-large", message, { sessionId });
}

/**
 * Whether `longer` may begin with all bytes of `shorter`: it says the same up to there. Only the
 * bytes tell whether it does. A torn last line may be another record when it goes on.
 */
export function mayBePrefix(shorter: Continuation, longer: Continuation): boolean {
  if (shorter.sizeBytes >= longer.sizeBytes) return false;
  const { spoken } = shorter;
  const whole = spoken.length - (shorter.isTorn && spoken.length > 0 ? 1 : 0);
  // From the end: that is where they differ, if they do.
  for (let i = whole - 1; i >= 0; i--) {
    const [a, b] = [spoken[i]!, longer.spoken[i]];
    if (a !== b && (a.hash !== b?.hash || a.start !== b.start)) return false;
  }
  const next = longer.spoken[spoken.length];
  return shorter.isTorn || next === undefined || next.start >= shorter.sizeBytes;
}

/** Longest first, then by SHA-256. */
export function bySizeThenHash(
  a: { readonly sizeBytes: number; readonly hash: string },
  b: { readonly sizeBytes: number; readonly hash: string },
): number {
  if (a.sizeBytes !== b.sizeBytes) return b.sizeBytes - a.sizeBytes;
  return a.hash === b.hash ? 0 : a.hash < b.hash ? -1 : 1;
}

/** Order of forms of one content: by bytes as above, then by who wrote them. */
export function byFormThenWriters(a: StoredLeaf, b: StoredLeaf): number {
  const order = bySizeThenHash(a, b);
  if (order !== 0) return order;
  const [left, right] = [JSON.stringify(a.writers), JSON.stringify(b.writers)];
  return left < right ? -1 : left > right ? 1 : 0;
}
