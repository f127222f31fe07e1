/**
 * Which files a session that was continued apart becomes on every machine: asks
 * `sessions/branches.ts` with what all leaves say, and remembers the answer for as long as the
 * leaves are the same.
 */
import * as z from "zod/mini";
import { assert } from "../base/assert.ts";
import { utf8 } from "../base/bytes.ts";
import { Sha256, sha256Hex } from "../crypto/hash.ts";
import { besideKept, branchFrom } from "../sessions/beside_copy.ts";
import { isMade, sourceOf } from "../sessions/branch_file.ts";
import { mayBeBranchId } from "../sessions/branch_id.ts";
import type { Resolution, ResolvedBranch, ResolvedSession } from "../sessions/branches.ts";
import { gatherFamily } from "../sessions/continuations.ts";
import type { ScannedLeaf } from "../sessions/leaf_scan.ts";
import { parseSessionId, type SessionId } from "../sessions/session_id.ts";
import { makeFile, resolveFamily, rootBytes, rootOfLeaf, scanLeaves } from "./family_reader.ts";
import { type VaultLeaf, writersOf } from "./family_reader.ts";
import { failureOf } from "./push.ts";
import type { FileState, Leaf } from "./segment_index.ts";
import type { OpenVault } from "./vault_access.ts";

const Target = z.object({
  session: z.string(),
  gen: z.string(),
  hash: z.string(),
  len: z.number(),
  mtimeMs: z.number(),
  isDerived: z.boolean(),
});
const Family = z.object({
  main: Target,
  branches: z.array(Target),
  storedBranches: z.array(z.string()),
});

const RememberedBeside = z.object({
  beside: z.union([
    z.literal(["in-place", "nothing"]),
    z.object({ target: Target, firstHash: z.string() }),
  ]),
});

/**
 * What is done with a continuation where the file here has to stay as it is: it takes the place all
 * the same, as it says all that is here; or nothing, as it says nothing more; or it stands under an
 * id of its own.
 */
export type Beside = "in-place" | "nothing" | BesideCopy;

/** A copy under an id of its own, which begins with the record `firstHash`. */
export interface BesideCopy {
  readonly target: TranscriptTarget;
  readonly firstHash: string;
}

/**
 * The state that a session's transcript is to have. `isDerived`: no machine has stored it; it is
 * made from other leaves.
 */
export interface TranscriptTarget extends FileState {
  readonly session: string;
  /** Newest file time among the leaves it comes from. */
  readonly mtimeMs: number;
  readonly isDerived: boolean;
}

/** A session and the sessions that branched off it. */
export interface SessionFamily {
  readonly main: TranscriptTarget;
  readonly branches: readonly TranscriptTarget[];
  /** Stored sessions that are decided here, whatever leaves they have. */
  readonly storedBranches: readonly string[];
}

/** A leaf of a transcript, and the session that it is stored under. */
export interface TranscriptLeaf {
  readonly session: string;
  readonly leaf: Leaf;
}

/** What each session of a family is made of. */
export interface FamilyParts {
  /** All leaves that stand for this very continuation, by session. */
  readonly sessions: ReadonlyMap<string, readonly TranscriptLeaf[]>;
  /** Leaves that are shown nowhere, as others have all that they say. */
  readonly covered: readonly TranscriptLeaf[];
}

type Resolved = ResolvedSession<VaultLeaf> | ResolvedBranch<VaultLeaf>;

/** How a file is made, and of what leaves that holds. */
interface Making {
  readonly basis: string;
  readonly session: Resolved;
}

/** Decides families of one vault. */
export class BranchTargets {
  readonly #vault: OpenVault;
  readonly #leavesOf: (session: string) => readonly Leaf[];
  /** Stored branch sessions by the session they branched off. */
  readonly #branchesOf = new Map<string, SessionId[]>();
  readonly #rootOfBranch = new Map<string, SessionId>();
  /**
   * Sessions with a derived id of which no leaf tells any more what they branched off, because the
   * client has taken that record out. The family in which the id comes about has them all the same.
   */
  readonly #unrooted: SessionId[] = [];
  /** Copies that stand beside a file which stays: the session that each is one of, and whence. */
  readonly #besides = new Map<string, { readonly of: SessionId; readonly firstHash: string }>();
  /** Of each derived target that was decided in this run. */
  readonly #makings = new Map<string, Making>();

  constructor(vault: OpenVault, leavesOf: (session: string) => readonly Leaf[]) {
    this.#vault = vault;
    this.#leavesOf = leavesOf;
  }

  /**
   * `sessions`: all that may be branches. `leavesOf` gives a session's transcript leaves. Reads
   * each stored branch session once in its life.
   */
  static async open(
    vault: OpenVault,
    sessions: Iterable<string>,
    leavesOf: (session: string) => readonly Leaf[],
  ): Promise<BranchTargets> {
    const targets = new BranchTargets(vault, leavesOf);
    for (const session of sessions) {
      const id = parseSessionId(session);
      if (id === null || !mayBeBranchId(id)) continue;
      const leaves = leavesOf(id);
      if (leaves.length === 0) continue;
      const root = await targets.#rootIfReadable(id, leaves);
      if (root === id) targets.#unrooted.push(id);
      if (root === id) continue;
      targets.#branchesOf.set(root, [...(targets.#branchesOf.get(root) ?? []), id]);
      targets.#rootOfBranch.set(id, root);
    }
    return targets;
  }

  /** Sessions that others branched off. */
  roots(): Iterable<string> {
    return this.#branchesOf.keys();
  }

  /** Whether `session` is decided as part of another one's family. */
  isBranch(session: string): boolean {
    const root = this.#rootOfBranch.get(session);
    return root !== undefined && this.#leavesOf(root).length > 0;
  }

  /** The session whose family `session` is decided in; null for one of its own. */
  rootOfBranch(session: string): SessionId | null {
    return this.isBranch(session) ? this.#rootOfBranch.get(session)! : null;
  }

  /** Whether `root` has a leaf, and needs more than taking it. */
  isFamily(root: string): boolean {
    const leaves = this.#leavesOf(root).length;
    return leaves > 1 || (leaves === 1 && (this.#branchesOf.get(root)?.length ?? 0) > 0);
  }

  /** The files of `root` and its branches. Errors: `too-large`, and those of reading. */
  async family(root: SessionId): Promise<SessionFamily> {
    const basis = this.#basis(root);
    const remembered = this.#decoded(root, basis, Family);
    if (remembered !== null) return remembered;
    const { main, branches, storedBranchIds } = await this.#decide(root);
    const targets: TranscriptTarget[] = [];
    for (const branch of branches) targets.push(await this.#targetOf(root, branch));
    const family = {
      main: await this.#targetOf(root, main),
      branches: targets,
      storedBranches: storedBranchIds,
    };
    this.#note(root, basis, JSON.stringify(family));
    return family;
  }

  /**
   * What `root` and its branches are made of, when the leaves that `isLeftOut` picks are not there.
   * Errors: as `family`.
   */
  async parts(
    root: SessionId,
    isLeftOut: (leaf: TranscriptLeaf) => boolean,
  ): Promise<FamilyParts> {
    const isThere = (session: string, leaf: Leaf) => !isLeftOut({ session, leaf });
    if (!this.#leavesOf(root).some((leaf) => isThere(root, leaf))) {
      return { sessions: new Map(), covered: [] };
    }
    const resolution = await this.#decide(root, isThere);
    const leafOf = ({ stored: { id, leaf } }: ScannedLeaf<VaultLeaf>) => ({ session: id, leaf });
    const all = [resolution.main, ...resolution.branches];
    return {
      sessions: new Map(all.map(({ id, from }) => [id, from.map(leafOf)])),
      covered: resolution.dropped.map(({ leaf }) => leafOf(leaf)),
    };
  }

  /**
   * What is done with the transcript of `of`, a session of `root`'s family or a copy that `beside`
   * gave, on a machine whose file stays as it is. `kept`: its hash; `read` gives its bytes, null
   * when they are others by now. The answer is remembered. Errors: as `family`.
   */
  async beside(
    root: SessionId,
    of: SessionId,
    kept: string,
    read: () => Uint8Array | null,
  ): Promise<Beside> {
    const source = await this.#sourceOf(root, of);
    const key = `beside:${of}`;
    const basis = [this.#basis(root), kept, ...(source === of ? [] : [source])].join(" ");
    let beside = this.#decoded(key, basis, RememberedBeside)?.beside ?? null;
    if (beside === null) {
      const bytes = read();
      if (bytes === null) return "nothing";
      beside = await this.#decideBeside(root, source, { id: of, bytes });
      this.#note(key, basis, JSON.stringify({ beside }));
    }
    if (typeof beside === "object") {
      this.#besides.set(beside.target.session, { of: source, firstHash: beside.firstHash });
    }
    return beside;
  }

  /**
   * The session of the family that is to stand under `of`. A copy's id may be one that a session
   * had before, and its file may stay, too: what the copy is one of then stands beside both.
   */
  async #sourceOf(root: SessionId, of: SessionId): Promise<SessionId> {
    const copy = this.#besides.get(of);
    if (copy === undefined) return of;
    const { main, branches } = await this.family(root);
    return [main, ...branches].some(({ session }) => session === of) ? of : copy.of;
  }

  async #decideBeside(
    root: SessionId,
    source: SessionId,
    kept: { readonly id: SessionId; readonly bytes: Uint8Array },
  ): Promise<Beside> {
    const session = sessionIn(await this.#decide(root), source);
    const beside = besideKept(root, await rootBytes(this.#vault, root, session), kept);
    if (beside === "nothing-new") return "nothing";
    if (beside === "follows") return "in-place";
    const { firstHash } = beside;
    return { target: await this.#targetOf(root, branchFrom(root, session, firstHash)), firstHash };
  }

  /**
   * Gives the bytes of a derived target of `root`'s family, or of a copy that `beside` gave, to
   * `put`, in order; they are gone after the call. Errors: as `family`, also when much was put.
   */
  async makeDerived(
    root: SessionId,
    session: string,
    put: (bytes: Uint8Array) => void,
  ): Promise<void> {
    if (this.#makings.get(session)?.basis !== this.#basis(root)) {
      const { main, branches, ...rest } = await this.#decide(root);
      for (const each of [main, ...branches]) this.#noteMaking(root, each);
      const beside = this.#besides.get(session);
      if (beside !== undefined) {
        const of = sessionIn({ main, branches, ...rest }, beside.of);
        this.#noteMaking(root, branchFrom(root, of, beside.firstHash));
      }
    }
    const making = this.#makings.get(session);
    assert(making !== undefined, "a derived target comes from its family");
    await makeFile(this.#vault, root, making.session, put);
  }

  /** Without what was said, which is only needed to decide. */
  #noteMaking(root: SessionId, session: Resolved): void {
    if (!isMade(session)) return;
    const from = [{ ...sourceOf(session), spoken: [], hashes: new Set<string>() }];
    this.#makings.set(session.id, { basis: this.#basis(root), session: { ...session, from } });
  }

  #basis(root: SessionId): string {
    const members = [root, ...(this.#branchesOf.get(root) ?? []), ...this.#unrooted].toSorted();
    const leaves = members.map((id) =>
      this.#leavesOf(id).map((leaf) => [leaf.gen, leaf.hash, writersOf(this.#vault, id, leaf)])
    );
    return sha256Hex(utf8(JSON.stringify([members, leaves])));
  }

  /** What was decided when the vault had just this; null when that is unknown. */
  #remembered(key: string, basis: string): string | null {
    const row = this.#vault.database.prepare(
      "SELECT result FROM resolution WHERE session = ? AND basis = ?",
    ).get(key, basis) as { result: string } | undefined;
    return row?.result ?? null;
  }

  #decoded<Schema extends z.ZodMiniType>(
    key: string,
    basis: string,
    schema: Schema,
  ): z.output<Schema> | null {
    const result = this.#remembered(key, basis);
    if (result === null) return null;
    const parsed = z.safeParse(schema, JSON.parse(result));
    return parsed.success ? parsed.data : null;
  }

  #note(key: string, basis: string, result: string): void {
    this.#vault.database.prepare("INSERT OR REPLACE INTO resolution VALUES (?, ?, ?)")
      .run(key, basis, result);
  }

  async #decide(
    root: SessionId,
    isThere: (session: string, leaf: Leaf) => boolean = () => true,
  ): Promise<Resolution<VaultLeaf>> {
    const known = this.#branchesOf.get(root) ?? [];
    const leaves = [...new Set([root, ...known, ...this.#unrooted])].flatMap((id) =>
      this.#leavesOf(id).filter((leaf) => isThere(id, leaf)).map((leaf) => {
        const writers = writersOf(this.#vault, id, leaf);
        return { id, sizeBytes: leaf.len, hash: leaf.hash, writers, leaf };
      })
    );
    const scanned = Map.groupBy(
      await scanLeaves(this.#vault, root, leaves),
      ({ stored }) => stored.id,
    );
    const family = gatherFamily(root, (id) => scanned.get(id) ?? [], known);
    return await resolveFamily(this.#vault, family);
  }

  /** The state of a session's file. */
  async #targetOf(root: SessionId, session: Resolved): Promise<TranscriptTarget> {
    const mtimeMs = Math.max(...session.from.map(({ stored }) => stored.leaf.mtimeMs));
    if (!isMade(session)) {
      const { gen, hash, len } = sourceOf(session).stored.leaf;
      return { session: session.id, gen, hash, len, mtimeMs, isDerived: false };
    }
    this.#noteMaking(root, session);
    const made = new Sha256();
    await makeFile(this.#vault, root, session, (bytes) => made.update(bytes));
    const { lengthBytes: len } = made;
    return { session: session.id, gen: "", hash: made.digestHex(), len, mtimeMs, isDerived: true };
  }

  /** What cannot be read is nobody's branch; that it cannot be read shows when it is written. */
  async #rootIfReadable(id: SessionId, leaves: readonly Leaf[]): Promise<SessionId> {
    try {
      return await this.#rootOf(id, leaves);
    } catch (error) {
      failureOf(error, id);
      return id;
    }
  }

  async #rootOf(id: SessionId, leaves: readonly Leaf[]): Promise<SessionId> {
    const key = `root:${id}`;
    const basis = leaves.map(({ hash }) => hash).join(" ");
    const remembered = parseSessionId(this.#remembered(key, basis) ?? "");
    if (remembered !== null) return remembered;
    let root = id;
    // One leaf that tells is enough: a client may have taken the record out of another.
    for (const leaf of leaves) {
      if (root !== id) break;
      root = await rootOfLeaf(this.#vault, id, leaf);
    }
    this.#note(key, basis, root);
    return root;
  }
}

function sessionIn({ main, branches }: Resolution<VaultLeaf>, id: SessionId): Resolved {
  const session = [main, ...branches].find((each) => each.id === id);
  assert(session !== undefined, "a target is of its family");
  return session;
}
