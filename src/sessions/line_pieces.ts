import { concat } from "../base/bytes.ts";
import type { ReadHandle } from "../platform/types.ts";
import { lastCompleteLineEnd, RECORD_BYTES_MAX } from "./transcript.ts";

const PIECE_BYTES = 4 * 1024 * 1024;

/** Some complete lines, one after the other, and where they begin in their file. */
export interface LinePiece {
  readonly bytes: Uint8Array;
  readonly offset: number;
}

/**
 * Reads the complete lines of an open file from `from`, the beginning of a line, in pieces of some
 * MiB. A torn last line does not come, and a line over 64 MiB is left out.
 */
export function* linePieces(handle: ReadHandle, from = 0): Generator<LinePiece> {
  let held: Uint8Array = new Uint8Array(0);
  let isSkipping = false;
  for (let offset = from;;) {
    // Most files are small, and fresh memory must be cleared. One byte more shows the end.
    const leftBytes = Math.max(0, handle.stat().sizeBytes - offset);
    const buffer = new Uint8Array(Math.min(PIECE_BYTES, leftBytes + 1));
    const piece = buffer.subarray(0, handle.readAt(buffer, offset));
    if (piece.length === 0) return;
    const begin = offset - held.length;
    offset += piece.length;
    const bytes = held.length === 0 ? piece : concat(held, piece);
    const end = lastCompleteLineEnd(bytes);
    const start = isSkipping && end > 0 ? bytes.indexOf(0x0a) + 1 : 0;
    if (end > start) yield { bytes: bytes.subarray(start, end), offset: begin + start };
    if (end > 0) isSkipping = false;
    held = bytes.subarray(end);
    if (held.length > RECORD_BYTES_MAX) isSkipping = true;
    if (isSkipping) held = new Uint8Array(0);
  }
}
