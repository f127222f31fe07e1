/** Groups: a run of one session's segments, compressed together (FORMAT.md section 6). */
import { assert } from "../base/assert.ts";
import { type Bytes, concat } from "../base/bytes.ts";
import { damagedObject } from "../crypto/damaged.ts";
import { GROUP_RAW_BYTES_MAX } from "./format.ts";
import { zstdCompress, zstdDecompress } from "./zstd_frame.ts";

/** How a group's bytes are stored. */
export type Compression = "zstd" | "none";

/** A group as it stands in a pack or in an entry. */
export interface EncodedGroup {
  readonly stored: Bytes;
  /** Length before compression. */
  readonly raw: number;
  readonly comp: Compression;
}

/**
 * Joins and compresses the segments' bytes, together at most 4 MiB (more is a bug: the caller cuts
 * groups). The result shares no memory with `parts`.
 */
export function encodeGroup(parts: readonly Uint8Array[]): EncodedGroup {
  const [first] = parts;
  const raw = first !== undefined && parts.length === 1 ? first : concat(...parts);
  assert(raw.length <= GROUP_RAW_BYTES_MAX, "a group has at most 4 MiB");
  const compressed = zstdCompress(raw);
  return compressed.length < raw.length
    ? { stored: compressed, raw: raw.length, comp: "zstd" }
    : { stored: raw.slice(), raw: raw.length, comp: "none" };
}

/**
 * The group's bytes, exactly `raw` of them. Throws `damaged`, naming `objectName` (the pack or
 * entry that holds the group), when the stored bytes are anything but one whole frame of that
 * length.
 */
export function decodeGroup(
  stored: Bytes,
  raw: number,
  comp: Compression,
  objectName: string,
): Bytes {
  if (raw > GROUP_RAW_BYTES_MAX) throw damagedObject(objectName);
  const bytes = comp === "zstd" ? zstdDecompress(stored, raw) : stored;
  if (bytes === null || bytes.length !== raw) throw damagedObject(objectName);
  return bytes;
}
