/**
 * Which state of a file beside the transcript goes with a state of the transcript, when machines
 * have written it apart from each other: a task list, a subagent, a version of an edited file.
 */
import { TRANSCRIPT } from "../sessions/file_name.ts";
import type { FileState, Leaf, SegmentIndex } from "./segment_index.ts";
import { newestFirst } from "./shelf_targets.ts";

/**
 * Machines that wrote the conversation up to `state` since it parted from the other continuations
 * that the vault has; null when it has not parted from any.
 */
export function writersApart(
  index: Pick<SegmentIndex, "chain" | "leaves">,
  session: string,
  state: FileState,
): ReadonlySet<string> | null {
  const keysOf = (to: FileState) => index.chain(session, TRANSCRIPT, to)?.map(keyOf) ?? [];
  const shared = new Set<string>();
  for (const leaf of index.leaves(session, TRANSCRIPT)) {
    const keys = keysOf(leaf);
    // What goes on from the state has not parted from it.
    if (!keys.includes(keyOf(state))) { for (const key of keys) shared.add(key); }
  }
  if (shared.size === 0) return null;
  const own = index.chain(session, TRANSCRIPT, state) ?? [];
  const writers = new Set<string>();
  for (const segment of own) if (!shared.has(keyOf(segment))) writers.add(segment.machine);
  return writers.size === 0 ? null : writers;
}

/** The newest of what `writers` wrote; of all when they wrote none of it. */
export function chosenAmong<Version extends Leaf>(
  versions: readonly Version[],
  writers: ReadonlySet<string> | null,
): Version | undefined {
  const sorted = versions.toSorted(newestFirst);
  return sorted.find(({ machine }) => writers?.has(machine)) ?? sorted[0];
}

function keyOf({ gen, hash }: Pick<FileState, "gen" | "hash">): string {
  return `${gen}/${hash}`;
}
