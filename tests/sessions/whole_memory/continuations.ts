/**
 * All known continuations of a session and its branches, brought into the root session's form, with
 * what was said in each. Only the set counts, not the order in which it became known.
 */
import { createHash } from "node:crypto";
import { toHex } from "../../../src/base/bytes.ts";
import { ClaudeSyncError } from "../../../src/errors.ts";
import { type Leaf, rootForm, type Writer } from "./branch_copy.ts";
import { branchId } from "../../../src/sessions/branch_id.ts";
import type { SessionId } from "../../../src/sessions/session_id.ts";
import { type SpokenRecord, spokenRecords } from "../../../src/sessions/spoken_records.ts";

/** Most leaves that a session and its branches may have together. */
export const FAMILY_LEAVES_MAX = 1024;

/** A leaf as it is stored under the session `id`. */
export interface StoredForm {
  readonly id: SessionId;
  readonly leaf: Leaf;
  /** Writers by offset in the root form. */
  readonly rootWriters: readonly Writer[];
}

/** One content in the root session's form, and every leaf that stands for it. */
export interface Continuation {
  readonly bytes: Uint8Array;
  readonly forms: StoredForm[];
  /** In order, each identity once (where it stands first). */
  readonly spoken: readonly SpokenRecord[];
  readonly hashes: ReadonlySet<string>;
  /** Bytes it has in common with the family's base. */
  readonly sharedBytes: number;
}

/** Gives the leaves stored under a session id; none when the id is unknown. */
export type StoredLeaves = (id: SessionId) => readonly Leaf[];

/**
 * Gathers the family: the root's leaves, and those of every session whose id derives from a record
 * spoken in the family. This set only grows with its input, so a branch that ever came about is
 * found again whatever else is known. `knownBranches` are ids that a caller knows to be this root's
 * (`rootSessionId`): needed only where the leaf that a branch came from is gone, as after a
 * rewrite. Ends because each record is looked up once and a branch's leaves are
 * finite; throws `too-large` beyond `FAMILY_LEAVES_MAX`.
 */
export function gatherFamily(
  rootId: SessionId,
  leaves: readonly Leaf[],
  storedLeaves: StoredLeaves,
  knownBranches: readonly SessionId[],
): { readonly continuations: Continuation[]; readonly branchIds: SessionId[] } {
  const family = new Family(rootId);
  for (const leaf of leaves.toSorted((a, b) => b.bytes.length - a.bytes.length)) {
    family.add(rootId, leaf);
  }
  const branchIds = new Set<SessionId>();
  const addBranch = (id: SessionId) => {
    const stored = id === rootId || branchIds.has(id) ? [] : storedLeaves(id);
    if (stored.length > 0) branchIds.add(id);
    for (const leaf of stored) family.add(id, leaf);
  };
  knownBranches.forEach(addBranch);
  const lookedUp = new Set<string>();
  // The list grows while it is walked.
  for (const { spoken } of family.continuations) {
    for (const { hash } of spoken) {
      if (!lookedUp.has(hash)) addBranch(branchId(rootId, hash));
      lookedUp.add(hash);
    }
  }
  return { continuations: family.continuations, branchIds: [...branchIds].sort() };
}

/** Whether `a` is a prefix of `b`, both from one family. */
export function isPrefixOf(a: Continuation, b: Continuation): boolean {
  if (a.bytes.length > b.bytes.length) return false;
  if (a.sharedBytes !== b.sharedBytes) {
    return Math.min(a.sharedBytes, b.sharedBytes) === a.bytes.length;
  }
  return commonBytes(a.bytes, b.bytes, a.sharedBytes) === a.bytes.length;
}

/** Longest first, then by SHA-256. */
export function bySizeThenHash(a: Uint8Array, b: Uint8Array): number {
  if (a.length !== b.length) return b.length - a.length;
  return commonBytes(a, b, 0) === a.length ? 0 : sha256(a) < sha256(b) ? -1 : 1;
}

/** Order of forms of one content: by bytes as above, then by who wrote them. */
export function byFormThenWriters(a: StoredForm, b: StoredForm): number {
  const order = bySizeThenHash(a.leaf.bytes, b.leaf.bytes);
  if (order !== 0) return order;
  const [left, right] = [JSON.stringify(a.leaf.writers), JSON.stringify(b.leaf.writers)];
  return left < right ? -1 : left > right ? 1 : 0;
}

class Family {
  readonly continuations: Continuation[] = [];
  readonly #rootId: SessionId;
  #leaves = 0;

  constructor(rootId: SessionId) {
    this.#rootId = rootId;
  }

  add(id: SessionId, leaf: Leaf): void {
    if (++this.#leaves > FAMILY_LEAVES_MAX) {
      throw new ClaudeSyncError(
        "too-large",
        `Session has more than ${FAMILY_LEAVES_MAX} continuations`,
        { sessionId: this.#rootId },
      );
    }
    const root = rootForm(leaf, id, this.#rootId);
    const form: StoredForm = { id, leaf, rootWriters: root.writers };
    const base = this.continuations[0];
    const sharedBytes = base === undefined
      ? root.bytes.length
      : commonBytes(base.bytes, root.bytes, 0);
    const same = this.continuations.find((known) =>
      known.bytes.length === root.bytes.length && known.sharedBytes === sharedBytes &&
      commonBytes(known.bytes, root.bytes, sharedBytes) === root.bytes.length
    );
    if (same !== undefined) same.forms.push(form);
    else this.continuations.push(newContinuation(root.bytes, form, sharedBytes, base));
  }
}

/** What stands in lines that `base` has too is not read again. */
function newContinuation(
  bytes: Uint8Array,
  form: StoredForm,
  sharedBytes: number,
  base: Continuation | undefined,
): Continuation {
  const ownStart = sharedBytes === 0 || base === undefined
    ? 0
    : bytes.lastIndexOf(0x0a, sharedBytes - 1) + 1;
  const shared = (base?.spoken ?? []).filter((record) => record.start < ownStart);
  const hashes = new Set(shared.map((record) => record.hash));
  const spoken = shared;
  for (const record of spokenRecords(bytes, ownStart)) {
    if (hashes.has(record.hash)) continue;
    hashes.add(record.hash);
    spoken.push(record);
  }
  return { bytes, forms: [form], spoken, hashes, sharedBytes };
}

function commonBytes(a: Uint8Array, b: Uint8Array, start: number): number {
  const length = Math.min(a.length, b.length);
  let at = start;
  while (at < length && a[at] === b[at]) at++;
  return at;
}

function sha256(bytes: Uint8Array): string {
  return toHex(createHash("sha256").update(bytes).digest());
}
