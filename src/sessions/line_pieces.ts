import { concat } from "../base/bytes.ts";
import type { ReadHandle } from "../platform/types.ts";
import { lastCompleteLineEnd, RECORD_BYTES_MAX } from "./transcript.ts";

const PIECE_BYTES = 4 * 1024 * 1024;
/** What is asked for beyond the end, where a file that grows has more. */
const MORE_BYTES = 64 * 1024;

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
  const { sizeBytes } = handle.stat();
  /** The line that has not ended yet. Joined once, as each joining copies all of it. */
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  let isSkipping = false;
  const probe = new Uint8Array(1);
  for (let offset = from;;) {
    if (offset >= sizeBytes && handle.readAt(probe, offset) === 0) return;
    // Most files are small: their own size is all that they take.
    const wanted = offset < sizeBytes ? Math.min(PIECE_BYTES, sizeBytes - offset) : MORE_BYTES;
    const buffer = new Uint8Array(wanted);
    const piece = buffer.subarray(0, handle.readAt(buffer, offset));
    if (piece.length === 0) return;
    const pieceEnd = lastCompleteLineEnd(piece);
    if (pieceEnd > 0 && heldBytes + piece.indexOf(0x0a) > RECORD_BYTES_MAX) {
      [held, heldBytes, isSkipping] = [[], 0, true];
    }
    const begin = offset - heldBytes;
    offset += piece.length;
    if (pieceEnd > 0) {
      const bytes = heldBytes === 0
        ? piece.subarray(0, pieceEnd)
        : concat(...held, piece.subarray(0, pieceEnd));
      held = [];
      const start = isSkipping ? bytes.indexOf(0x0a) + 1 : 0;
      if (bytes.length > start) yield { bytes: bytes.subarray(start), offset: begin + start };
      [isSkipping, heldBytes] = [false, 0];
    }
    const rest = piece.subarray(pieceEnd);
    if (heldBytes + rest.length > RECORD_BYTES_MAX) isSkipping = true;
    if (isSkipping) [held, heldBytes] = [[], 0];
    else if (rest.length > 0) [heldBytes] = [heldBytes + rest.length, held.push(rest)];
  }
}
