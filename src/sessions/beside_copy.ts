/**
 * What becomes of a continuation on a machine where another one has to keep its place, because
 * nobody else may have that one any more: a branch, as if the two had been continued apart.
 */
import { assert } from "../base/assert.ts";
import { rootForm, writerAt } from "./branch_copy.ts";
import { branchId } from "./branch_id.ts";
import { sourceOf } from "./branch_file.ts";
import type { ResolvedBranch, ResolvedSession } from "./branches.ts";
import type { ScannedLeaf, StoredLeaf } from "./leaf_scan.ts";
import type { SessionId } from "./session_id.ts";
import { spokenRecords } from "./spoken_records.ts";
import { lastCompleteLineEnd, records } from "./transcript.ts";

/**
 * - `follows`: it has every line of the kept one, and may take its place;
 * - `nothing-new`: it says nothing that the kept one does not;
 * - else the record that it is a branch from: the first that the kept one has not.
 */
export type Beside = "follows" | "nothing-new" | { readonly firstHash: string };

/**
 * Compares a session of the family of `rootId`, whose bytes in the root's form are `rootBytes`,
 * with the file `kept` that stands where it is to go: under `kept.id`. What was said is what
 * `spoken_records.ts` says it is.
 */
export function besideKept(
  rootId: SessionId,
  rootBytes: Uint8Array,
  kept: { readonly id: SessionId; readonly bytes: Uint8Array },
): Beside {
  const keptBytes = rootForm({ bytes: kept.bytes, writers: [] }, kept.id, rootId).bytes;
  const said = spokenRecords(rootBytes).map(({ hash }) => hash);
  const keptSaid = spokenRecords(keptBytes).map(({ hash }) => hash);
  const [has, keptHas] = [new Set(said), new Set(keptSaid)];
  const firstHash = said.find((hash) => !keptHas.has(hash));
  if (firstHash === undefined) return "nothing-new";
  const saysAll = keptSaid.every((hash) => has.has(hash));
  return saysAll && hasLinesOf(rootBytes, keptBytes) ? "follows" : { firstHash };
}

/** Whether every line of `kept` is one of `bytes`: also what nobody said, and a torn last line. */
function hasLinesOf(bytes: Uint8Array, kept: Uint8Array): boolean {
  let same = 0;
  while (same < kept.length && kept[same] === bytes[same]) same++;
  if (same === kept.length) return true;
  const text = new TextDecoder("latin1");
  const rest = kept.subarray(lastCompleteLineEnd(kept.subarray(0, same)));
  const missing = new Set([...records(rest)].map(({ line }) => text.decode(line)));
  for (const { line } of records(bytes)) missing.delete(text.decode(line));
  return missing.size === 0;
}

/** `session` as the branch that begins with one of its records. */
export function branchFrom<Stored extends StoredLeaf>(
  rootId: SessionId,
  session: ResolvedSession<Stored>,
  firstHash: string,
): ResolvedBranch<Stored> {
  const id = branchId(rootId, firstHash);
  const { spoken, writers } = sourceOf(session);
  const first = spoken.find(({ hash }) => hash === firstHash);
  assert(first !== undefined, "the session has the record");
  const isOwn = ({ stored }: ScannedLeaf) => Number(stored.id === id);
  const { start } = first;
  const from = session.from.toSorted((a, b) => isOwn(b) - isOwn(a));
  return { id, from, firstHash, start, machine: writerAt(writers, start) };
}
