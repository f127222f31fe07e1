/**
 * Decides how what a log says is stored anew: which packs stay, which segments share a group. Pure:
 * the same content always gives the same plan.
 */
import type { Segment } from "../vault/entry_body.ts";
import { GROUP_RAW_BYTES_MAX } from "../vault/format.ts";
import type { SaidPack } from "./log_content.ts";

/**
 * Entries since the last checkpoint after which a log is compacted by itself. A list page has 1,000
 * names, and two machines' logs should fit one; the cost of saying everything again is spread over
 * as many pushes.
 */
export const COMPACT_AT_ENTRIES = 500;

/**
 * Entries since the last checkpoint after which `gc` compacts when somebody asks for it: a
 * checkpoint is two entries at least, so fewer would not be worth it.
 */
export const COMPACT_AT_LEAST_ENTRIES = 5;

/**
 * Smallest pack that may stay as it is, 4 MiB: half of the largest. So a vault has at most twice
 * the packs that it would have if it were pushed at once.
 */
export const KEPT_PACK_BYTES_MIN = 4 * 1024 * 1024;

/**
 * Share of a pack's bytes that must be needed for it to stay, 75 %: rewriting it then would send
 * three bytes to save one.
 */
export const KEPT_PACK_SHARE_MIN = 0.75;

/** The packs that are named again without being read. */
export function packsToKeep(
  packs: readonly SaidPack[],
  bytesMin: number = KEPT_PACK_BYTES_MIN,
): SaidPack[] {
  return packs.filter(({ size, neededBytes }) =>
    size >= bytesMin && neededBytes >= size * KEPT_PACK_SHARE_MIN
  );
}

/** Segments of one group: with the longest names their JSON still leaves room in an entry. */
export const GROUP_SEGMENTS_MAX = 4_000;

/**
 * Cuts a session's segments, in their order, into groups of at most `rawBytesMax` and
 * `segmentsMax`; each is as full as the next segment lets it be.
 */
export function cutGroups<One extends Pick<Segment, "len">>(
  segments: readonly One[],
  rawBytesMax: number = GROUP_RAW_BYTES_MAX,
  segmentsMax: number = GROUP_SEGMENTS_MAX,
): One[][] {
  const groups: One[][] = [];
  let rawBytes = 0;
  for (const segment of segments) {
    const last = groups.at(-1);
    rawBytes += segment.len;
    if (last === undefined || rawBytes > rawBytesMax || last.length === segmentsMax) {
      groups.push([segment]);
      rawBytes = segment.len;
    } else last.push(segment);
  }
  return groups;
}
