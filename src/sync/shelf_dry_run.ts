/** What a pull would write of a shelf that has bytes here which it would push first. */
import { pathOf } from "../sessions/layout.ts";
import { parseSessionId } from "../sessions/session_id.ts";
import type { LocalShelf } from "./local_shelves.ts";
import { lookAt, type PushItem } from "./push_files.ts";
import type { FileState, Leaf } from "./segment_index.ts";
import { shelfFiles } from "./shelf_targets.ts";
import type { FileTarget } from "./targets.ts";
import type { OpenVault } from "./vault_access.ts";

/**
 * The files that would be written of `here` after it was pushed, worked out from the leaves that
 * there would be then. `isAsked`: what was taken away here comes back, too. Pushes and writes
 * nothing. Errors: those of reading, `unsafe-file`.
 */
export async function writtenAfterPush(
  vault: OpenVault,
  here: LocalShelf,
  isAsked: boolean,
): Promise<FileTarget[]> {
  const id = parseSessionId(here.id);
  if (id === null) return [];
  const leaves = new Map<string, readonly Leaf[]>();
  for (const file of vault.index.files(id)) {
    const there = vault.index.leaves(id, file);
    if (there.length > 0) leaves.set(file, there);
  }
  const hashes = new Map<string, string>();
  const rows = vault.locals.all();
  for (const file of here.files) {
    const { item, state, scan } = await lookAt(vault, here, file, rows.get(file.path), true);
    if (scan === null) continue;
    hashes.set(file.name, item === null && state !== null ? state.hash : scan.hash);
    if (item !== null) {
      leaves.set(file.name, pushed(leaves.get(file.name) ?? [], item, scan.hash));
    }
  }
  const { fs } = vault.context.platform;
  return shelfFiles(id, leaves).filter(({ name, hash }) => {
    const now = hashes.get(name);
    if (now !== undefined) return now !== hash;
    const path = pathOf(vault.root, here.slug, id, name);
    const isWanted = isAsked || rows.get(path)?.hash !== hash;
    return isWanted && fs.lstat(path) === null;
  });
}

/** The leaves of a file after `item` was pushed. */
function pushed(
  leaves: readonly Leaf[],
  { from, end, replaces, stat }: PushItem,
  hash: string,
): Leaf[] {
  const isOver = (leaf: Leaf) =>
    isSame(leaf, from) || (replaces !== null && isSame(leaf, replaces));
  const mtimeMs = Math.max(0, Math.floor(stat.mtimeMs));
  const own = { gen: from.gen, hash, len: end, mtimeMs, machine: "" };
  return [...leaves.filter((leaf) => !isOver(leaf)), own];
}

function isSame(a: Pick<FileState, "gen" | "hash">, b: Pick<FileState, "gen" | "hash">): boolean {
  return a.gen === b.gen && a.hash === b.hash;
}
