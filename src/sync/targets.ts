/**
 * What every session of the vault should look like on any machine: one state for each of its files.
 */
import { ClaudeSyncError } from "../errors.ts";
import { foldedFileName, HISTORY, parseFileName, TRANSCRIPT } from "../sessions/file_name.ts";
import type { FileName } from "../sessions/file_name.ts";
import { shelfArea } from "../sessions/shelf.ts";
import { parseSessionId, type SessionId } from "../sessions/session_id.ts";
import type { Failure } from "./api.ts";
import { BranchTargets, type SessionFamily, type TranscriptTarget } from "./branch_targets.ts";
import { failureOf } from "./push.ts";
import type { FileState, Leaf, StoredLeaf } from "./segment_index.ts";
import { newestFirst, shelfFiles } from "./shelf_targets.ts";
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
  const { branches, files } = await groupFamilies(vault, only);
  const sessions = new Map<string, SessionTarget>();
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
      const others = otherTargets(id, byFile);
      const leaf = byFile.get(TRANSCRIPT)?.[0];
      const family = families.decided.get(id);
      if (family === undefined) {
        const own = leaf === undefined ? [] : [leafTarget(leaf, TRANSCRIPT)];
        sessions.set(id, targetOf(id, id, others.length === 0 ? own : [...own, ...others], byFile));
        return;
      }
      sessions.set(id, targetOf(id, id, [asTarget(family.main), ...others], byFile));
      for (const branch of family.branches) {
        const branchId = parseSessionId(branch.session)!;
        const branchFiles = files.get(branchId) ?? new Map<string, Leaf[]>();
        const rest = otherTargets(branchId, branchFiles);
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
  return { sessions, branches, shelves, failures };
}

async function groupFamilies(
  vault: OpenVault,
  only: ReadonlySet<string> | null,
): Promise<{
  readonly branches: BranchTargets;
  readonly files: ReadonlyMap<string, ReadonlyMap<string, readonly Leaf[]>>;
}> {
  // History is a set of lines, which `pull_history.ts` adds to what is here.
  const { files, transcripts } = groupLeaves(vault.index.allLeaves(HISTORY, only));
  const has = only === null ? "all" : "some";
  const branches = await BranchTargets.open(vault, transcripts, has);
  const roots = only === null ? [] : [...branches.roots()].filter((root) => !files.has(root));
  if (roots.length === 0) return { branches, files };
  const withRoots = new Set([...files.keys(), ...roots]);
  return { branches, files: groupLeaves(vault.index.allLeaves(HISTORY, withRoots)).files };
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

/** Leaves by session and file. `leaves` come by session and file. */
function groupLeaves(leaves: readonly StoredLeaf[]): {
  readonly files: ReadonlyMap<string, ReadonlyMap<string, readonly Leaf[]>>;
  readonly transcripts: ReadonlyMap<string, readonly Leaf[]>;
} {
  const files = new Map<string, Map<string, Leaf[]>>();
  const transcripts = new Map<string, readonly Leaf[]>();
  let last: StoredLeaf | null = null;
  let byFile = new Map<string, Leaf[]>();
  let ofFile: Leaf[] = [];
  for (const leaf of leaves) {
    const isSameSession = leaf.session === last?.session;
    if (!isSameSession) files.set(leaf.session, byFile = new Map());
    if (!isSameSession || leaf.file !== last?.file) {
      byFile.set(leaf.file, ofFile = []);
      if (leaf.file === TRANSCRIPT) transcripts.set(leaf.session, ofFile);
    }
    ofFile.push(leaf);
    last = leaf;
  }
  return { files, transcripts };
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
 * Of several states of a file that has no branches the newest is shown; the others stay in the
 * vault.
 */
function otherTargets(id: SessionId, byFile: ReadonlyMap<string, readonly Leaf[]>): FileTarget[] {
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
    const [winner] = leaves.toSorted(newestFirst);
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
