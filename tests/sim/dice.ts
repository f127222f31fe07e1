/** All chance of a simulated world comes from its seed, in streams independent of each other. */
import type { Bytes } from "../../src/base/bytes.ts";

/** A stream of numbers; the same seed and label give the same one. */
export class Dice {
  readonly #seed: number;
  #state: number;

  constructor(seed: number, label = "") {
    let hash = (seed >>> 0) ^ 0x811c9dc5;
    for (let i = 0; i < label.length; i++) {
      hash = Math.imul(hash ^ label.charCodeAt(i), 0x01000193) >>> 0;
    }
    this.#seed = hash >>> 0;
    this.#state = this.#seed;
    for (let i = 0; i < 4; i++) this.number();
  }

  /** A stream of its own, whatever is drawn from this one. */
  stream(label: string): Dice {
    return new Dice(this.#seed, label);
  }

  /** From 0 (included) to 1 (excluded): a mulberry32. */
  number(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from 0 (included) to `limit` (excluded). */
  below(limit: number): number {
    return Math.floor(this.number() * limit);
  }

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True in `chance` of all cases. */
  isLucky(chance: number): boolean {
    return this.number() < chance;
  }

  /** One of the items, or null of none. */
  pick<Item>(items: readonly Item[]): Item | null {
    return items.length === 0 ? null : items[this.below(items.length)]!;
  }

  /** One of the items by weight; null when all weigh nothing. */
  pickWeighted<Item extends { readonly weight: number }>(items: readonly Item[]): Item | null {
    let rest = this.number() * items.reduce((sum, { weight }) => sum + weight, 0);
    for (const item of items) {
      rest -= item.weight;
      if (item.weight > 0 && rest < 0) return item;
    }
    return null;
  }

  shuffled<Item>(items: readonly Item[]): Item[] {
    const mixed = [...items];
    for (let i = mixed.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [mixed[i], mixed[j]] = [mixed[j]!, mixed[i]!];
    }
    return mixed;
  }

  bytes(length: number): Bytes {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.below(256);
    return bytes;
  }

  hex(length: number): string {
    return Array.from({ length }, () => this.below(16).toString(16)).join("");
  }
}
