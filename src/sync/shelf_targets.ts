/** What the files of one shelf should look like on any machine (FORMAT.md section 8). Pure. */
import { ClaudeSyncError } from "../errors.ts";
import { type FileName, foldedFileName, parseFileName } from "../sessions/file_name.ts";
import { besideName, planShelfId, plansOfFile, shelfArea } from "../sessions/shelf.ts";
import type { SessionId } from "../sessions/session_id.ts";
import type { Leaf } from "./segment_index.ts";
import type { FileTarget } from "./targets.ts";

/** Order of a file's leaves: the first one is shown under the file's name. */
export function newestFirst(a: Leaf, b: Leaf): number {
  return b.mtimeMs - a.mtimeMs || b.len - a.len || (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0);
}

/**
 * One target for each content that is a leaf: the newest under the file's name, the others beside
 * it. `leavesByFile` holds nothing but files of shelves. Throws `unsafe-file` when the shelf is not
 * one as other machines make it.
 */
export function shelfFiles(
  id: SessionId,
  leavesByFile: ReadonlyMap<string, readonly Leaf[]>,
): FileTarget[] {
  const [only, ...more] = leavesByFile;
  // Most shelves are one plan in one version.
  if (only !== undefined && more.length === 0 && only[1].length === 1) {
    return [stateOf(only[1][0]!, nameOf(id, only[0]))];
  }
  const targets: FileTarget[] = [];
  const taken = new Set<string>();
  for (const file of leavesByFile.keys()) taken.add(foldedFileName(nameOf(id, file)));
  if (taken.size < leavesByFile.size) throw unsafe(id, "Two files of a shelf differ only in case");
  if (new Set([...leavesByFile.keys()].map(shelfArea)).size > 1) {
    throw unsafe(id, "A shelf holds both plans and a memory");
  }
  for (const [file, leaves] of [...leavesByFile].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const name = nameOf(id, file);
    const seen = new Set<string>();
    for (const leaf of leaves.toSorted(newestFirst)) {
      if (seen.has(leaf.hash)) continue;
      const isNewest = seen.size === 0;
      seen.add(leaf.hash);
      const shown = isNewest ? name : besideName(name, leaf.hash);
      if (shown === null || (!isNewest && taken.has(foldedFileName(shown)))) continue;
      taken.add(foldedFileName(shown));
      const state = stateOf(leaf, shown);
      targets.push(isNewest ? state : { ...state, source: name, isDerived: true });
    }
  }
  return targets;
}

function stateOf({ gen, hash, len, mtimeMs }: Leaf, name: FileName): FileTarget {
  return { gen, hash, len, mtimeMs, name, isDerived: false };
}

/** The plan that a shelf of plans is about; null when it is no such shelf. */
export function planOfShelf(id: SessionId, files: readonly { name: FileName }[]): string | null {
  let plan: string | null = null;
  for (const { name } of files) {
    if (shelfArea(name) !== "plans") return null;
    const found = plansOfFile(name.slice("plans/".length)).find((each) => planShelfId(each) === id);
    if (found === undefined) return null;
    plan = found;
  }
  return plan;
}

function nameOf(id: SessionId, file: string): FileName {
  const name = parseFileName(file);
  if (name === null) throw unsafe(id, "A file name of a shelf is not safe");
  return name;
}

function unsafe(sessionId: SessionId, message: string): ClaudeSyncError {
  return new ClaudeSyncError("unsafe-file", message, { sessionId });
}
