/**
 * Reads the leaves of a session that was continued apart, one after the other and never one as a
 * whole, and makes the files of its branches in the same way.
 */
import { Sha256 } from "../crypto/hash.ts";
import { isMade, MadeFile, sourceOf } from "../sessions/branch_file.ts";
import { RootSearch, type Writer } from "../sessions/branch_copy.ts";
import { mayBeBranchId } from "../sessions/branch_id.ts";
import { resolveBranches } from "../sessions/branches.ts";
import type { Resolution, ResolvedBranch, ResolvedSession } from "../sessions/branches.ts";
import type { Continuation, GatheredFamily } from "../sessions/continuations.ts";
import { mayBePrefix } from "../sessions/continuations.ts";
import { TRANSCRIPT } from "../sessions/file_name.ts";
import { LeafScan, type ScannedLeaf, type StoredLeaf } from "../sessions/leaf_scan.ts";
import { LineCutter } from "../sessions/line_cutter.ts";
import type { SessionId } from "../sessions/session_id.ts";
import type { Leaf, StoredSegment } from "./segment_index.ts";
import type { OpenVault } from "./vault_access.ts";
import { assertComparable, chainTo, statePieces } from "./vault_content.ts";

/** Small parts of a file are put together up to this. */
const BLOCK_BYTES = 256 * 1024;

/** A leaf of the vault. */
export interface VaultLeaf extends StoredLeaf {
  readonly leaf: Leaf;
}

/** Where the reading of one leaf goes on from what it has in common with another. */
interface Fork {
  readonly scan: LeafScan<VaultLeaf>;
  readonly prefix: Sha256;
}

/**
 * What one pass over each leaf of a family finds, in the order of `leaves`. What a leaf of the root
 * has in common with the longest one is not read again. Errors: `too-large`, those of reading.
 */
export async function scanLeaves(
  vault: OpenVault,
  rootId: SessionId,
  leaves: readonly VaultLeaf[],
): Promise<ScannedLeaf<VaultLeaf>[]> {
  for (const { id, leaf } of leaves) assertComparable(leaf, id);
  const base = leaves.filter(({ id }) => id === rootId)
    .toSorted((a, b) => b.sizeBytes - a.sizeBytes)[0];
  const scanned = new Map<VaultLeaf, ScannedLeaf<VaultLeaf>>();
  const forks = new Map<VaultLeaf, Fork>();
  if (base !== undefined) {
    scanned.set(base, await scanBase(vault, rootId, base, leaves, forks));
  }
  const spoken = base === undefined ? [] : scanned.get(base)!.spoken;
  for (const leaf of leaves) {
    if (leaf === base) continue;
    const { scan, prefix } = forks.get(leaf) ??
      { scan: new LeafScan(leaf, rootId, spoken), prefix: new Sha256() };
    const pieces = statePieces(vault, leaf.id, TRANSCRIPT, leaf.leaf, prefix);
    for await (const bytes of pieces) scan.take(bytes);
    scanned.set(leaf, scan.end());
  }
  return leaves.map((leaf) => scanned.get(leaf)!);
}

async function scanBase(
  vault: OpenVault,
  rootId: SessionId,
  base: VaultLeaf,
  leaves: readonly VaultLeaf[],
  forks: Map<VaultLeaf, Fork>,
): Promise<ScannedLeaf<VaultLeaf>> {
  const chain = chainTo(vault, rootId, TRANSCRIPT, base.leaf);
  const others = leaves.filter((leaf) => leaf !== base && leaf.id === rootId);
  const shared = new Map(others.map((leaf) => {
    const other = chainTo(vault, rootId, TRANSCRIPT, leaf.leaf);
    return [leaf, sharedWith(chain, other)] as const;
  }));
  const offsets = [...new Set([...shared.values()].map(({ sizeBytes }) => sizeBytes))]
    .filter((at) => at > 0).sort((a, b) => a - b);
  const scan = new LeafScan(base, rootId);
  const hash = new Sha256();
  const take = (bytes: Uint8Array) => {
    scan.take(bytes);
    hash.update(bytes);
  };
  let due = 0;
  for await (const bytes of statePieces(vault, rootId, TRANSCRIPT, base.leaf)) {
    let done = 0;
    for (const begin = hash.lengthBytes; due < offsets.length; due++) {
      const cut = offsets[due]! - begin;
      if (cut > bytes.length) break;
      take(bytes.subarray(done, cut));
      done = cut;
      for (const leaf of others) {
        const { sizeBytes, hash: named } = shared.get(leaf)!;
        // What only the log calls the same is read, which shows what is wrong with it.
        if (sizeBytes !== offsets[due] || named !== hash.digestHex()) continue;
        forks.set(leaf, { scan: scan.forked(leaf, rootId), prefix: hash.copy() });
      }
    }
    take(bytes.subarray(done));
  }
  return scan.end();
}

/** How many bytes two chains have in common, by the hash that both name. */
function sharedWith(
  one: readonly StoredSegment[],
  other: readonly StoredSegment[],
): { readonly sizeBytes: number; readonly hash: string } {
  const key = ({ hash, off, len }: StoredSegment) => `${off + len} ${hash}`;
  const passed = new Set(one.map(key));
  const last = other.findLast((segment) => passed.has(key(segment)));
  return last === undefined
    ? { sizeBytes: 0, hash: "" }
    : { sizeBytes: last.off + last.len, hash: last.hash };
}

/** What a family becomes; reads again only what may be the beginning of something else. */
export async function resolveFamily(
  vault: OpenVault,
  family: GatheredFamily<VaultLeaf>,
): Promise<Resolution<VaultLeaf>> {
  const { rootId, continuations } = family;
  const begunBy = new Map<Continuation, ReadonlySet<Continuation>>();
  for (const longer of continuations) {
    const maybe = continuations.filter((shorter) => mayBePrefix(shorter, longer));
    if (maybe.length > 0) begunBy.set(longer, await prefixesOf(vault, rootId, longer, maybe));
  }
  return resolveBranches(
    family,
    (shorter, longer) => begunBy.get(longer)?.has(shorter) ?? false,
  );
}

async function prefixesOf(
  vault: OpenVault,
  rootId: SessionId,
  longer: Continuation<VaultLeaf>,
  maybe: readonly Continuation[],
): Promise<Set<Continuation>> {
  const lengths = [...new Set(maybe.map(({ sizeBytes }) => sizeBytes))].sort((a, b) => a - b);
  const digests = new Map<number, string>();
  const hash = new Sha256();
  let due = 0;
  await makeFile(vault, rootId, { id: rootId, from: longer.forms }, (bytes) => {
    let done = 0;
    for (const begin = hash.lengthBytes; due < lengths.length; due++) {
      const cut = lengths[due]! - begin;
      if (cut > bytes.length) break;
      hash.update(bytes.subarray(done, cut));
      done = cut;
      digests.set(lengths[due]!, hash.digestHex());
    }
    hash.update(bytes.subarray(done));
  });
  return new Set(maybe.filter((one) => digests.get(one.sizeBytes) === one.hash));
}

/**
 * Gives the bytes of a session's file to `put`, in order; they are gone after the call. Errors:
 * those of reading, also when much was put already.
 */
export async function makeFile(
  vault: OpenVault,
  rootId: SessionId,
  session: ResolvedSession<VaultLeaf> | ResolvedBranch<VaultLeaf>,
  put: (bytes: Uint8Array) => void,
): Promise<void> {
  const { id, leaf } = sourceOf(session).stored;
  const pieces = statePieces(vault, id, TRANSCRIPT, leaf);
  if (!isMade(session)) {
    for await (const bytes of pieces) put(bytes);
    return;
  }
  const blocks = new Blocks(put);
  const file = new MadeFile(rootId, session, (bytes) => blocks.add(bytes));
  for await (const bytes of pieces) file.take(bytes);
  file.end();
  blocks.flush();
}

/**
 * All bytes of a session in the root's form, for what can only be compared whole. Errors: as
 * `makeFile`.
 */
export async function rootBytes(
  vault: OpenVault,
  rootId: SessionId,
  session: ResolvedSession<VaultLeaf>,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(sourceOf(session).sizeBytes);
  let at = 0;
  await makeFile(vault, rootId, { id: rootId, from: session.from }, (piece) => {
    bytes.set(piece, at);
    at += piece.length;
  });
  return bytes;
}

/** Which machine wrote what of a leaf. */
export function writersOf(vault: OpenVault, id: SessionId, leaf: Leaf): Writer[] {
  const names = Object.fromEntries(vault.index.machines().map(({ id, name }) => [id, name]));
  const writers: Writer[] = [];
  for (const { off, machine } of chainTo(vault, id, TRANSCRIPT, leaf)) {
    const name = names[machine] ?? "";
    if (writers.at(-1)?.machine !== name) writers.push({ start: off, machine: name });
  }
  return writers;
}

/** Puts small parts of a file together, to be written at once. */
export class Blocks {
  readonly #block = new Uint8Array(BLOCK_BYTES);
  readonly #put: (bytes: Uint8Array) => void;
  #filled = 0;

  /** `put` gets bytes that are gone after the call. */
  constructor(put: (bytes: Uint8Array) => void) {
    this.#put = put;
  }

  /** Takes the next part; keeps nothing of it. */
  add(bytes: Uint8Array): void {
    if (bytes.length > this.#block.length - this.#filled) this.flush();
    if (bytes.length > this.#block.length) return this.#put(bytes);
    this.#block.set(bytes, this.#filled);
    this.#filled += bytes.length;
  }

  /** Gives what is there; to be called at the end. */
  flush(): void {
    if (this.#filled > 0) this.#put(this.#block.subarray(0, this.#filled));
    this.#filled = 0;
  }
}

/** What `rootSessionId` gives for a leaf. Errors: `too-large`, those of reading. */
export async function rootOfLeaf(
  vault: OpenVault,
  id: SessionId,
  leaf: Leaf,
): Promise<SessionId> {
  if (!mayBeBranchId(id)) return id;
  assertComparable(leaf, id);
  const [search, cutter] = [new RootSearch(id), new LineCutter()];
  for await (const bytes of statePieces(vault, id, TRANSCRIPT, leaf)) {
    for (const line of cutter.take(bytes)) search.take(line);
  }
  for (const line of cutter.end()) search.take(line);
  return search.rootId();
}
