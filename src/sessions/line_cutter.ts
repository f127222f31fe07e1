/** Every line of bytes that come in pieces: also a torn last one, and of any length. */
import { concat } from "../base/bytes.ts";

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** One line, as `lines` in `record_text.ts` tells it, with its bytes. */
export interface TextLine {
  /** Offset in the file. */
  readonly start: number;
  /** Without the line end. Shares memory with the piece that it came in. */
  readonly text: Uint8Array;
  /** The line end: `\n`, `\r\n`, or nothing for a last line that was torn. */
  readonly ending: Uint8Array;
}

/** Cuts a file's bytes, given piece by piece from its beginning, into lines. */
export class LineCutter {
  /** The line that has not ended yet. Joined once, as each joining copies all of it. */
  #held: Uint8Array[] = [];
  #start = 0;

  /** Gives the lines that are complete by now. Nothing is kept of `piece`. */
  *take(piece: Uint8Array): Generator<TextLine> {
    let from = 0;
    for (;;) {
      const newline = piece.indexOf(NEWLINE, from);
      if (newline < 0) break;
      const rest = piece.subarray(from, newline + 1);
      from = newline + 1;
      yield this.#line(rest);
    }
    if (from < piece.length) this.#held.push(piece.slice(from));
  }

  /** Gives the last line when it has no end. */
  *end(): Generator<TextLine> {
    if (this.#held.length > 0) yield this.#line(new Uint8Array(0));
  }

  /** One that goes on from the same bytes. */
  copy(): LineCutter {
    const copy = new LineCutter();
    copy.#held = this.#held.slice();
    copy.#start = this.#start;
    return copy;
  }

  #line(rest: Uint8Array): TextLine {
    const line = this.#held.length === 0 ? rest : concat(...this.#held, rest);
    const start = this.#start;
    this.#held = [];
    this.#start += line.length;
    const end = endOf(line);
    return { start, text: line.subarray(0, end), ending: line.subarray(end) };
  }
}

/** Gives each line of bytes that come in pieces to `onLine`. */
export class LineFeed {
  readonly #cutter = new LineCutter();
  readonly #onLine: (line: TextLine) => void;
  readonly #onEnd: () => void;

  constructor(onLine: (line: TextLine) => void, onEnd: () => void = () => {}) {
    this.#onLine = onLine;
    this.#onEnd = onEnd;
  }

  /** Takes the next bytes; keeps nothing of them. */
  take(bytes: Uint8Array): void {
    for (const line of this.#cutter.take(bytes)) this.#onLine(line);
  }

  /** Says that all bytes were taken. */
  end(): void {
    for (const line of this.#cutter.end()) this.#onLine(line);
    this.#onEnd();
  }
}

/** The lines of bytes that are all there. */
export function* cutLines(bytes: Uint8Array): Generator<TextLine> {
  const cutter = new LineCutter();
  yield* cutter.take(bytes);
  yield* cutter.end();
}

function endOf(line: Uint8Array): number {
  const last = line.length - 1;
  if (line[last] !== NEWLINE) return line.length;
  return last > 0 && line[last - 1] === CARRIAGE_RETURN ? last - 1 : last;
}
