/** Seeded choices: the same seed gives the same ones on every machine. */

/** A small generator with 32 bits of state, good enough to vary text and sizes. */
export class Choices {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** At least 0, less than 1. */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.fraction() * (high - low + 1));
  }

  /** One of `list`, each as likely as the others. */
  one<Item>(list: readonly Item[]): Item {
    return list[Math.floor(this.fraction() * list.length)]!;
  }

  /** One of `list`, the early ones far more often. */
  early<Item>(list: readonly Item[]): Item {
    return list[Math.floor(list.length ** this.fraction()) - 1]!;
  }

  /** Log-normal around `median`. */
  around(median: number, spread: number): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.fraction()));
    return median * Math.exp(spread * radius * Math.cos(2 * Math.PI * this.fraction()));
  }

  /** Bytes that do not compress, as base64 of about `length` characters. */
  base64(length: number): string {
    const bytes = new Uint8Array(Math.ceil((length * 3) / 4));
    for (let at = 0; at < bytes.length; at++) bytes[at] = this.between(0, 255);
    return bytes.toBase64();
  }

  /** `length` hexadecimal digits. */
  hex(length: number): string {
    let text = "";
    while (text.length < length) text += this.between(0, 0xffff).toString(16).padStart(4, "0");
    return text.slice(0, length);
  }

  /** A version 4 uuid. */
  uuid(): string {
    const digits = this.hex(31);
    const variant = this.one(["8", "9", "a", "b"]);
    return [
      digits.slice(0, 8),
      digits.slice(8, 12),
      `4${digits.slice(12, 15)}`,
      variant + digits.slice(15, 18),
      digits.slice(18, 30),
    ].join("-");
  }
}
