/** Tells a file that only grew from one that was rewritten in place and has grown since. */
import type { ReadHandle } from "../platform/types.ts";

/** How many bytes tell the two apart: records hold ids, so they are nowhere else. */
const TAIL_BYTES = 4096;

/** The last bytes of an open file before the offset `end`: what a proof of growth compares. */
export function bytesBefore(handle: ReadHandle, end: number): Uint8Array {
  const bytes = new Uint8Array(Math.min(end, TAIL_BYTES));
  return bytes.subarray(0, handle.readAt(bytes, end - bytes.length));
}
