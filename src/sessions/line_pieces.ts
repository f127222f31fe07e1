import { concat } from "../base/bytes.ts";
import type { ReadHandle } from "../platform/types.ts";
import { lastCompleteLineEnd, RECORD_BYTES_MAX } from "./transcript.ts";

const PIECE_BYTES = 4 * 1024 * 1024;
/** What is asked for beyond the end, where a file that grows has more. */
const MORE_BYTES = 64 * 1024;
const NEWLINE = 0x0a;

/** Some complete lines, one after the other, and where they begin in their file. */
export interface LinePiece {
  readonly bytes: Uint8Array;
  readonly offset: number;
}

/** Makes complete lines of a file's bytes that come in pieces cut anywhere. */
export class LineJoiner {
  /** The line that has not ended yet. Joined once, as each joining copies all of it. */
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #isSkipping = false;

  /**
   * Takes the bytes at `offset`, which follow those of the call before; the first ones begin a
   * line. Gives the lines that are complete by now, or null. A line over 64 MiB is left out. What
   * was given may share memory with `piece`; nothing is kept of that.
   */
  take(piece: Uint8Array, offset: number): LinePiece | null {
    const pieceEnd = lastCompleteLineEnd(piece);
    if (pieceEnd > 0 && this.#heldBytes + piece.indexOf(NEWLINE) > RECORD_BYTES_MAX) {
      [this.#held, this.#heldBytes, this.#isSkipping] = [[], 0, true];
    }
    const begin = offset - this.#heldBytes;
    let lines: LinePiece | null = null;
    if (pieceEnd > 0) {
      const bytes = this.#heldBytes === 0
        ? piece.subarray(0, pieceEnd)
        : concat(...this.#held, piece.subarray(0, pieceEnd));
      this.#held = [];
      const start = this.#isSkipping ? bytes.indexOf(NEWLINE) + 1 : 0;
      if (bytes.length > start) lines = { bytes: bytes.subarray(start), offset: begin + start };
      [this.#isSkipping, this.#heldBytes] = [false, 0];
    }
    this.#hold(piece.subarray(pieceEnd));
    return lines;
  }

  #hold(rest: Uint8Array): void {
    if (this.#heldBytes + rest.length > RECORD_BYTES_MAX) this.#isSkipping = true;
    if (this.#isSkipping) [this.#held, this.#heldBytes] = [[], 0];
    else if (rest.length > 0) {
      this.#held.push(rest.slice());
      this.#heldBytes += rest.length;
    }
  }
}

/**
 * Reads the complete lines of an open file from `from`, the beginning of a line, in pieces of some
 * MiB. A torn last line does not come, and a line over 64 MiB is left out.
 */
export function* linePieces(handle: ReadHandle, from = 0): Generator<LinePiece> {
  const { sizeBytes } = handle.stat();
  const joiner = new LineJoiner();
  const probe = new Uint8Array(1);
  for (let offset = from;;) {
    if (offset >= sizeBytes && handle.readAt(probe, offset) === 0) return;
    // Most files are small: their own size is all that they take.
    const wanted = offset < sizeBytes ? Math.min(PIECE_BYTES, sizeBytes - offset) : MORE_BYTES;
    const buffer = new Uint8Array(wanted);
    const piece = buffer.subarray(0, handle.readAt(buffer, offset));
    if (piece.length === 0) return;
    const lines = joiner.take(piece, offset);
    if (lines !== null) yield lines;
    offset += piece.length;
  }
}
