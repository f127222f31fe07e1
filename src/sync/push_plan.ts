/** Decides what of a local file is to be pushed, from facts alone. Pure. */
import { generationName } from "../vault/generation.ts";
import type { FileScan } from "./file_scan.ts";
import type { LocalFileRow } from "./local_files.ts";
import { EMPTY_HASH, type FileState } from "./segment_index.ts";

/** The empty start of the first generation. */
export const FIRST_START: FileState = { gen: "", hash: EMPTY_HASH, len: 0 };

/** How a scanned file relates to what the vault and this machine know of it. */
export type FileRelation =
  /** All bytes are a state of the vault. */
  | { readonly kind: "settled"; readonly state: FileState }
  /** The file goes on where `from` ends. */
  | { readonly kind: "grown"; readonly from: FileState }
  /** The file no longer begins with the state this machine last had it at. */
  | { readonly kind: "changed"; readonly row: LocalFileRow; readonly from: FileState };

/**
 * What to do with one file. `from` is the state that the segment continues; `end` the offset it
 * reaches.
 */
export type PushDecision =
  | { readonly kind: "nothing"; readonly state: FileState; readonly isTorn: boolean }
  | {
    readonly kind: "send";
    readonly from: FileState;
    readonly end: number;
    /** Set when the file starts a new generation, replacing this state. */
    readonly replaces: FileState | null;
    readonly isTorn: boolean;
  };

/** Relates a scan to the vault's states. `row` is what was remembered of the file, if anything. */
export function relate(
  scan: FileScan,
  row: LocalFileRow | undefined,
): FileRelation {
  const longest = bestMatch(scan.matches, row);
  const from = longest ?? FIRST_START;
  if (longest !== null && longest.len === scan.sizeBytes) {
    return { kind: "settled", state: longest };
  }
  const lostRow = row !== undefined && !row.isDerived && row.len > from.len;
  return lostRow ? { kind: "changed", row, from } : { kind: "grown", from };
}

/**
 * The longest matching state; of several generations the one this machine last saw, then the first
 * by name.
 */
function bestMatch(matches: readonly FileState[], row: LocalFileRow | undefined): FileState | null {
  let best: FileState | null = null;
  for (const state of matches) {
    const isLonger = best === null || state.len > best.len;
    const isOwn = best !== null && state.len === best.len && state.gen === row?.gen;
    if (isLonger || isOwn) best = state;
  }
  return best;
}

/**
 * Decides for a file of lines. `mayTear`: a last line without an end may be sent (the file has been
 * quiet). `isBehind`: all bytes beyond `from` are in the vault as part of a longer segment.
 * `isRewrite`: see `isRewriteOf` in `sessions/`.
 */
export function decideLines(
  scan: FileScan,
  relation: FileRelation,
  facts: { readonly mayTear: boolean; readonly isBehind: boolean; readonly isRewrite: boolean },
): PushDecision {
  if (relation.kind === "settled") {
    return { kind: "nothing", state: relation.state, isTorn: false };
  }
  if (facts.isBehind) return { kind: "nothing", state: relation.from, isTorn: false };
  const isTorn = scan.lineEnd < scan.sizeBytes;
  const end = facts.mayTear ? scan.sizeBytes : scan.lineEnd;
  if (relation.kind === "changed" && facts.isRewrite) {
    if (end === 0) return { kind: "nothing", state: relation.from, isTorn };
    const replaces = stateOf(relation.row);
    return { kind: "send", from: startOf(generationName(replaces)), end, replaces, isTorn };
  }
  // An empty file that the vault knows nothing of is worth saying, too.
  const isNewAndEmpty = scan.sizeBytes === 0 && relation.kind === "grown";
  if (end <= relation.from.len && !isNewAndEmpty) {
    return { kind: "nothing", state: relation.from, isTorn };
  }
  return { kind: "send", from: relation.from, end, replaces: null, isTorn };
}

/**
 * Decides for a file that is rewritten as a whole: every content is a generation of its own. A
 * content that the file had before counts as new again, unless it is what the vault has now.
 */
export function decideWhole(
  scan: FileScan,
  row: LocalFileRow | undefined,
  leaves: readonly FileState[],
): PushDecision {
  const same = scan.matches.filter((state) => state.len === scan.sizeBytes);
  const isSame = (a: FileState, b: FileState) => a.gen === b.gen && a.hash === b.hash;
  const current = same.find((state) => leaves.some((leaf) => isSame(leaf, state))) ??
    same.find((state) => row === undefined || isSame(row, state));
  if (current !== undefined) return { kind: "nothing", state: current, isTorn: false };
  const replaces = row === undefined || row.isDerived ? null : stateOf(row);
  const from = replaces === null ? FIRST_START : startOf(generationName(replaces));
  return { kind: "send", from, end: scan.sizeBytes, replaces, isTorn: false };
}

function startOf(gen: string): FileState {
  return { gen, hash: EMPTY_HASH, len: 0 };
}

function stateOf(row: LocalFileRow): FileState {
  return { gen: row.gen, hash: row.hash, len: row.len };
}
