/** `resolveBranches` for leaves that are in memory, as short ones of tests are. */
import { createHash } from "node:crypto";
import { concat } from "../../src/base/bytes.ts";
import type { Leaf } from "../../src/sessions/branch_copy.ts";
import { isMade, MadeFile, sourceOf } from "../../src/sessions/branch_file.ts";
import { resolveBranches as resolve } from "../../src/sessions/branches.ts";
import type {
  ResolvedBranch as Branch,
  ResolvedSession as Session,
} from "../../src/sessions/branches.ts";
import { type Continuation, gatherFamily, mayBePrefix } from "../../src/sessions/continuations.ts";
import { LeafScan, type ScannedLeaf, type StoredLeaf } from "../../src/sessions/leaf_scan.ts";
import type { SessionId } from "../../src/sessions/session_id.ts";

/** A leaf that is all there. */
export interface WholeLeaf extends StoredLeaf {
  readonly leaf: Leaf;
}

/** A leaf as it was given, and the session it is stored under. */
export interface LeafRef {
  readonly id: SessionId;
  readonly leaf: Leaf;
}

export interface ResolvedSession {
  readonly id: SessionId;
  readonly from: readonly LeafRef[];
  readonly rootForm: Leaf;
  /** As the product's code has it. */
  readonly resolved: Session<WholeLeaf> | Branch<WholeLeaf>;
}

export interface ResolvedBranch extends ResolvedSession {
  readonly firstHash: string;
  readonly start: number;
  readonly machine: string;
}

export interface Resolution {
  readonly rootId: SessionId;
  readonly main: ResolvedSession;
  readonly branches: readonly ResolvedBranch[];
  readonly dropped: readonly (LeafRef & { readonly why: "prefix" | "covered" })[];
  readonly storedBranchIds: readonly SessionId[];
}

/** Bytes that a pass gets at a time: few, so that lines are cut anywhere. */
export const PIECE_BYTES = 100;

export function* piecesOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    yield bytes.slice(at, at + PIECE_BYTES);
  }
}

export function resolveBranches(
  rootId: SessionId,
  leaves: readonly Leaf[],
  storedLeaves: (id: SessionId) => readonly Leaf[],
  knownBranches: readonly SessionId[] = [],
): Resolution {
  let base: ScannedLeaf<WholeLeaf> | undefined;
  const scan = (id: SessionId, leaf: Leaf): ScannedLeaf<WholeLeaf> => {
    const { bytes, writers } = leaf;
    const hash = createHash("sha256").update(bytes).digest("hex");
    const stored = { id, sizeBytes: bytes.length, hash, writers, leaf };
    const pass = new LeafScan(stored, rootId, base?.spoken);
    for (const piece of piecesOf(bytes)) pass.take(piece);
    const scanned = pass.end();
    base ??= scanned;
    return scanned;
  };
  const under = (id: SessionId) =>
    (id === rootId ? leaves : storedLeaves(id)).map((leaf) => scan(id, leaf));
  const family = gatherFamily(rootId, under, knownBranches);
  const resolution = resolve(family, (shorter, longer) => {
    const isPrefix = startsWith(rootOf(rootId, longer), rootOf(rootId, shorter));
    if (isPrefix && !mayBePrefix(shorter, longer)) throw new Error("mayBePrefix passes one over");
    return isPrefix;
  });
  const refOf = ({ stored: { id, leaf } }: ScannedLeaf<WholeLeaf>) => ({ id, leaf });
  const whole = <Resolved extends Session<WholeLeaf>>(resolved: Resolved) => ({
    ...resolved,
    from: resolved.from.map(refOf),
    rootForm: madeOf(rootId, { id: rootId, from: resolved.from }),
    resolved,
  });
  return {
    ...resolution,
    main: whole(resolution.main),
    branches: resolution.branches.map(whole),
    dropped: resolution.dropped.map(({ leaf, why }) => ({ ...refOf(leaf), why })),
  };
}

/** The file of a session, and who wrote it. */
export function fileOf(rootId: SessionId, { resolved }: ResolvedSession): Leaf {
  return madeOf(rootId, resolved);
}

function madeOf(rootId: SessionId, session: Session<WholeLeaf> | Branch<WholeLeaf>): Leaf {
  const { leaf } = sourceOf(session).stored;
  if (!isMade(session)) return leaf;
  const parts: Uint8Array[] = [];
  const file = new MadeFile(rootId, session, (bytes) => parts.push(bytes.slice()));
  for (const piece of piecesOf(leaf.bytes)) file.take(piece);
  const writers = file.end();
  return { bytes: concat(...parts), writers };
}

function rootOf(rootId: SessionId, { forms }: Continuation<WholeLeaf>): Uint8Array {
  return madeOf(rootId, { id: rootId, from: forms }).bytes;
}

function startsWith(bytes: Uint8Array, begin: Uint8Array): boolean {
  return bytes.length >= begin.length && begin.every((byte, at) => byte === bytes[at]);
}
