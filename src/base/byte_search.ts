/** Finding a word in bytes: no runtime-independent function does it, and text is slow to make. */
import { assert } from "./assert.ts";
import { utf8 } from "./bytes.ts";

/** A word to look for. Prepared once: it knows how far a byte lets the search jump (Horspool). */
export class ByteWord {
  readonly #word: Uint8Array;
  readonly #jumps = new Uint8Array(256);

  /** `text` has 1 to 255 bytes of UTF-8. */
  constructor(text: string) {
    this.#word = utf8(text);
    const { length } = this.#word;
    assert(length > 0 && length <= 255, "a word of 1 to 255 bytes");
    this.#jumps.fill(length);
    for (let at = 0; at < length - 1; at++) this.#jumps[this.#word[at]!] = length - 1 - at;
  }

  /** Where the word comes first in `bytes` at or after `from`; -1 when it does not. */
  indexIn(bytes: Uint8Array, from = 0): number {
    const [word, jumps] = [this.#word, this.#jumps];
    const last = word.length - 1;
    const lastByte = word[last]!;
    for (let end = from + last; end < bytes.length;) {
      const byte = bytes[end]!;
      if (byte === lastByte) {
        let at = 0;
        while (at < last && bytes[end - last + at] === word[at]) at++;
        if (at === last) return end - last;
      }
      end += jumps[byte]!;
    }
    return -1;
  }
}
