/**
 * Made-up transcripts of any length with the look and the compressibility of real ones. The same
 * seed gives the same bytes on every machine.
 */
import { said } from "./sync_machine.ts";

/** Where a made-up transcript belongs. */
export interface CorpusOptions {
  readonly session: string;
  readonly cwd: string;
  readonly seed: number;
  /** Time of the first record. */
  readonly startMs: number;
}

const SYLLABLES = [
  ..."ba be bi bo bu da de di do du ka ke ki ko ku la le li lo lu ma me mi mo mu".split(" "),
  ..."na ne ni no nu ra re ri ro ru sa se si so su ta te ti to tu va ve vi vo vu".split(" "),
];
const RECORD_SPACING_MS = 1_000;

/** Numbers from 0 (included) to 1 (excluded), the same for the same seed (a mulberry32). */
export function seededNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Records of one session without end; each call to `next` gives some more. */
export class SessionCorpus {
  readonly #options: CorpusOptions;
  readonly #next: () => number;
  readonly #words: readonly string[];
  #records = 0;
  #parent: string | null = null;

  constructor(options: CorpusOptions) {
    this.#options = options;
    this.#next = seededNumbers(options.seed);
    this.#words = Array.from({ length: 3_000 }, () => this.#word());
  }

  /** The next whole records, `sizeBytes` of them or a little more. All ASCII. */
  next(sizeBytes: number): string {
    const records: string[] = [];
    for (let size = 0; size < sizeBytes;) {
      const record = this.#record();
      records.push(record);
      size += record.length;
    }
    return records.join("");
  }

  #record(): string {
    const uuid = this.#uuid();
    const { session, cwd, startMs } = this.#options;
    const atMs = startMs + this.#records * RECORD_SPACING_MS;
    const who = this.#records++ % 2 === 0 ? "user" : "assistant";
    const text = this.#next() < 0.5 ? this.#prose() : this.#listing();
    const record = said(who, text, { session, cwd, atMs, parent: this.#parent, uuid });
    this.#parent = uuid;
    return record;
  }

  #prose(): string {
    return Array.from({ length: 20 + this.#upTo(300) }, () => this.#pick()).join(" ");
  }

  /** What a tool shows of a file. */
  #listing(): string {
    const line = (number: number) =>
      `${number}->  const ${this.#pick()} = ${this.#pick()}(${this.#upTo(1e6)});`;
    return Array.from({ length: 5 + this.#upTo(60) }, (_, index) => line(index)).join("\n");
  }

  #uuid(): string {
    const hex = (length: number) =>
      Array.from({ length }, () => this.#upTo(16).toString(16)).join("");
    return `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`;
  }

  /** Common words come more often, as in any language. */
  #pick(): string {
    return this.#words[Math.floor(this.#words.length * this.#next() ** 2)]!;
  }

  #word(): string {
    return Array.from({ length: 1 + this.#upTo(4) }, () => SYLLABLES[this.#upTo(SYLLABLES.length)])
      .join("");
  }

  #upTo(limit: number): number {
    return Math.floor(this.#next() * limit);
  }
}
