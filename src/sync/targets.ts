/**
 * What every session of the vault should look like on any machine: one state for each of its files.
 */
import { once } from "../base/once.ts";
import { ClaudeSyncError } from "../errors.ts";
import { foldedFileName, HISTORY, parseFileName, TRANSCRIPT } from "../sessions/file_name.ts";
import type { FileName } from "../sessions/file_name.ts";
import { mayBeBranchId } from "../sessions/branch_id.ts";
import { shelfArea } from "../sessions/shelf.ts";
import { parseSessionId, type SessionId } from "../sessions/session_id.ts";
import type { Failure } from "./api.ts";
import { BranchTargets, type SessionFamily, type TranscriptTarget } from "./branch_targets.ts";
import { LOOK_BYTES } from "./look_bytes.ts";
import { failureOf } from "./push.ts";
import type { FileState, Leaf, StoredLeaf } from "./segment_index.ts";
import { shelfFiles } from "./shelf_targets.ts";
import { chosenAmong, writersApart } from "./side_choice.ts";
import type { OpenVault } from "./vault_access.ts";

/** The state that one file is to have. */
export interface FileTarget extends FileState {
  readonly name: FileName;
  readonly mtimeMs: number;
  /** See `TranscriptTarget`. Also what stands beside a shelf's file, as `source` has it. */
  readonly isDerived: boolean;
  /** The file of the vault that has this state; `name` unless given. */
  readonly source?: FileName;
}

/** One session as it is to be. */
export interface SessionTarget {
  readonly id: SessionId;
  /** The session whose family decides this one; itself unless it is a branch. */
  readonly root: SessionId;
  /** The transcript first. */
  readonly files: readonly FileTarget[];
  /** Machines that wrote the newest parts. */
  readonly machines: readonly string[];
}

/** All sessions of the vault. */
export interface Targets {
  readonly sessions: ReadonlyMap<string, SessionTarget>;
  readonly branches: BranchTargets;
  /** Plans and memories: no conversations, and in none of the counts. */
  readonly shelves: readonly SessionTarget[];
  /** Stored branches that get no file, as the files of their family have all that they say. */
  readonly covered: ReadonlySet<string>;
  /** Sessions that cannot be decided or have unsafe names; nothing of them is written. */
  readonly failures: readonly Failure[];
}

/**
 * Decides all sessions. `only` restricts it to these ids and their families' roots; all that may be
 * ids of branches must be among them.
 */
export async function computeTargets(
  vault: OpenVault,
  only: ReadonlySet<string> | null = null,
): Promise<Targets> {
  const grouped = groupLeaves(vault, only);
  const { sessions } = grouped;
  let files: FilesOf = grouped.files;
  const leavesOf = (session: string) => {
    const stored = files.get(session);
    if (stored !== undefined) return stored.get(TRANSCRIPT) ?? [];
    const target = sessions.get(session);
    if (target instanceof LoneTranscript) return [target.leaf];
    return only === null ? [] : vault.index.leaves(session, TRANSCRIPT);
  };
  const branches = await BranchTargets.open(vault, grouped.files.keys(), leavesOf);
  if (only !== null) addRoots(vault, grouped, branches.roots());
  files = withRoots(files, sessions, branches.roots());
  const shelves: SessionTarget[] = [];
  const failures: Failure[] = [];
  const families = await decideFamilies(branches, files.keys(), failures);
  const decide = (session: string, byFile: ReadonlyMap<string, readonly Leaf[]>) => {
    const id = parseSessionId(session);
    try {
      if (id === null) throw unsafe(session, `"${session}" is not a session id`);
      if (isShelf(byFile)) {
        shelves.push(targetOf(id, id, shelfFiles(id, byFile), byFile));
        return;
      }
      const leaf = byFile.get(TRANSCRIPT)?.[0];
      const family = families.decided.get(id);
      const writersOf = (session: SessionId, transcript: FileState | undefined) =>
        once(() =>
          transcript === undefined ? null : writersApart(vault.index, session, transcript)
        );
      const others = otherTargets(id, byFile, writersOf(id, family?.main ?? leaf));
      if (family === undefined) {
        const own = leaf === undefined ? [] : [leafTarget(leaf, TRANSCRIPT)];
        sessions.set(id, targetOf(id, id, others.length === 0 ? own : [...own, ...others], byFile));
        return;
      }
      sessions.set(id, targetOf(id, id, [asTarget(family.main), ...others], byFile));
      for (const branch of family.branches) {
        const branchId = parseSessionId(branch.session)!;
        const branchFiles = files.get(branchId) ?? new Map<string, Leaf[]>();
        const rest = otherTargets(branchId, branchFiles, writersOf(branchId, branch));
        sessions.set(branchId, targetOf(branchId, id, [asTarget(branch), ...rest], branchFiles));
      }
    } catch (error) {
      failures.push(failureOf(error, session));
    }
  };
  for (const [session, byFile] of files) {
    const isOfOther = families.members.has(session) || families.failed.has(session);
    if (!isOfOther) decide(session, byFile);
  }
  const covered = new Set([...families.members].filter((id) => !sessions.has(id)));
  return { sessions, branches, shelves, covered, failures };
}

interface Families {
  /** By root. */
  readonly decided: ReadonlyMap<string, SessionFamily>;
  /**
   * Sessions that the family of another one decides: also those of which the vault has other files
   * and no transcript, because theirs is made anew on every machine.
   */
  readonly members: ReadonlySet<string>;
  /** Sessions of families that cannot be decided. */
  readonly failed: ReadonlySet<string>;
}

/**
 * Decides all families. Each session is in one: what branched off a session that turns out to be a
 * branch itself has no root that is decided, and is decided as a root.
 */
async function decideFamilies(
  branches: BranchTargets,
  sessions: Iterable<string>,
  failures: Failure[],
): Promise<Families> {
  const decided = new Map<string, SessionFamily>();
  const members = new Set<string>();
  const failed = new Set<string>();
  const decide = async (session: string) => {
    const id = parseSessionId(session);
    if (id === null || !branches.isFamily(session)) return;
    try {
      const family = await branches.family(id);
      decided.set(session, family);
      for (const member of family.storedBranches) members.add(member);
      for (const branch of family.branches) members.add(branch.session);
    } catch (error) {
      failures.push(failureOf(error, session));
      failed.add(session);
    }
  };
  const stored = [...sessions];
  for (const session of stored) if (!branches.isBranch(session)) await decide(session);
  for (const session of stored) {
    const root = branches.rootOfBranch(session);
    if (root === null || members.has(session)) continue;
    if (failed.has(root)) failed.add(session);
    else await decide(session);
  }
  for (const member of members) decided.delete(member);
  return { decided, members, failed };
}

/** Leaves by session and file. */
type FilesOf = ReadonlyMap<string, ReadonlyMap<string, readonly Leaf[]>>;

/**
 * A session of one transcript in one state, decided as it stands. There may be a hundred thousand:
 * what can be made of the leaf is made when it is asked for.
 */
class LoneTranscript implements SessionTarget {
  readonly id: SessionId;
  readonly #gen: string;
  readonly #hash: string;
  readonly #len: number;
  readonly #mtimeMs: number;
  readonly #machine: string;

  constructor(id: SessionId, { gen, hash, len, mtimeMs, machine }: Leaf) {
    this.id = id;
    this.#gen = gen;
    this.#hash = hash;
    this.#len = len;
    this.#mtimeMs = mtimeMs;
    this.#machine = machine;
  }

  get leaf(): Leaf {
    const [gen, hash, len] = [this.#gen, this.#hash, this.#len];
    return { gen, hash, len, mtimeMs: this.#mtimeMs, machine: this.#machine };
  }

  get root(): SessionId {
    return this.id;
  }

  get files(): readonly FileTarget[] {
    return [leafTarget(this.leaf, TRANSCRIPT)];
  }

  get machines(): readonly string[] {
    return [this.#machine];
  }
}

/** Sessions that are decided as they stand, and the leaves of all others. */
interface GroupedLeaves {
  readonly sessions: Map<string, SessionTarget>;
  readonly files: Map<string, ReadonlyMap<string, readonly Leaf[]>>;
}

function groupLeaves(
  { index, context }: OpenVault,
  only: ReadonlySet<string> | null,
): GroupedLeaves {
  const sessions = new Map<string, SessionTarget>();
  const files: GroupedLeaves["files"] = new Map();
  let ofSession: StoredLeaf[] = [];
  const close = () => {
    const [first] = ofSession;
    if (first === undefined) return;
    const id = ofSession.length > 1 ? null : parseSessionId(first.session);
    if (id !== null && first.file === TRANSCRIPT && !mayBeBranchId(id)) {
      sessions.set(id, new LoneTranscript(id, first));
    } else {
      files.set(first.session, Map.groupBy(ofSession, ({ file }) => file));
    }
    ofSession = [];
  };
  // History is a set of lines, which `pull_history.ts` adds to what is here.
  for (const leaf of index.eachLeaf(HISTORY, only)) {
    context.platform.memory.passed(LOOK_BYTES);
    if (leaf.session !== ofSession[0]?.session) close();
    ofSession.push(leaf);
  }
  close();
  return { sessions, files };
}

/** Groups the leaves of what others branched off, too. */
function addRoots(vault: OpenVault, grouped: GroupedLeaves, roots: Iterable<string>): void {
  const isThere = (root: string) => grouped.files.has(root) || grouped.sessions.has(root);
  const missing = new Set([...roots].filter((root) => !isThere(root)));
  if (missing.size === 0) return;
  const { sessions, files } = groupLeaves(vault, missing);
  for (const [id, target] of sessions) grouped.sessions.set(id, target);
  for (const [id, byFile] of files) grouped.files.set(id, byFile);
}

/** Takes what others branched off out of `sessions`: with these it is one family. */
function withRoots(
  files: FilesOf,
  sessions: Map<string, SessionTarget>,
  roots: Iterable<string>,
): FilesOf {
  const moved: [string, ReadonlyMap<string, readonly Leaf[]>][] = [];
  for (const root of roots) {
    const target = sessions.get(root);
    if (!(target instanceof LoneTranscript)) continue;
    sessions.delete(root);
    moved.push([root, new Map([[TRANSCRIPT, [target.leaf]]])]);
  }
  if (moved.length === 0) return files;
  return new Map([...files, ...moved].sort(([a], [b]) => a < b ? -1 : 1));
}

function leafTarget({ gen, hash, len, mtimeMs }: Leaf, name: FileName): FileTarget {
  return { name, gen, hash, len, mtimeMs, isDerived: false };
}

function asTarget(target: TranscriptTarget): FileTarget {
  return { ...target, name: TRANSCRIPT };
}

function targetOf(
  id: SessionId,
  root: SessionId,
  files: readonly FileTarget[],
  byFile: ReadonlyMap<string, readonly Leaf[]>,
): SessionTarget {
  const machines = (byFile.get(TRANSCRIPT) ?? []).map((leaf) => leaf.machine);
  return { id, root, files, machines };
}

/**
 * Of several states of a file that has no branches the one is shown that goes with the transcript;
 * the others stay in the vault, and `restore` brings them with the branch they go with.
 */
function otherTargets(
  id: SessionId,
  byFile: ReadonlyMap<string, readonly Leaf[]>,
  writers: () => ReadonlySet<string> | null,
): FileTarget[] {
  // Most sessions are a transcript and nothing else, and folding names is slow.
  if (byFile.size === 1 && byFile.has(TRANSCRIPT)) return [];
  const targets: FileTarget[] = [];
  const folded = new Set<string>();
  for (const [file, leaves] of byFile) {
    const name = parseFileName(file);
    if (name === null) throw unsafe(id, "A file name in this session is not safe");
    if (shelfArea(name) !== null) throw unsafe(id, "This session holds what is no session's");
    if (folded.has(foldedFileName(name))) {
      throw unsafe(id, "Two file names in this session differ only in case");
    }
    folded.add(foldedFileName(name));
    if (name === TRANSCRIPT) continue;
    const winner = leaves.length === 1 ? leaves[0] : chosenAmong(leaves, writers());
    if (winner !== undefined) targets.push(leafTarget(winner, name));
  }
  return targets;
}

/** Whether everything that it holds belongs on a shelf. */
function isShelf(byFile: ReadonlyMap<string, unknown>): boolean {
  for (const file of byFile.keys()) if (shelfArea(file) === null) return false;
  return true;
}

function unsafe(sessionId: string, message: string): ClaudeSyncError {
  return new ClaudeSyncError("unsafe-file", message, { sessionId });
}
