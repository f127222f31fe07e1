/** The states of one file of one session (FORMAT.md section 8), for the checkers. */
import type { DecodedSegment } from "./decoder.ts";

/** A state as a key. */
export function stateKey({ gen, hash }: { readonly gen: string; readonly hash: string }): string {
  return `${gen}/${hash}`;
}

/** Where a generation began. */
export interface Beginning {
  readonly gen: string;
  readonly from: { readonly gen: string; readonly hash: string };
}

/** A tree of segments and generations. */
export class FileTree {
  readonly segments: readonly DecodedSegment[];
  readonly #beginnings: readonly Beginning[];

  constructor(segments: Iterable<DecodedSegment>, beginnings: Iterable<Beginning>) {
    this.segments = [...segments];
    this.#beginnings = [...beginnings];
  }

  /** Keys of the leaves. */
  leaves(): Set<string> {
    const filled = new Set(this.segments.map(({ gen }) => gen));
    const left = new Set(
      this.segments.filter(({ len }) => len > 0).map(({ gen, parent }) => `${gen}/${parent}`),
    );
    for (const { gen, from } of this.#beginnings) if (filled.has(gen)) left.add(stateKey(from));
    return new Set(this.segments.map(stateKey).filter((key) => !left.has(key)));
  }

  /** `states` and all before them. */
  before(states: Iterable<string>): Set<string> {
    const found = new Set<string>();
    const queue = [...states];
    for (let state = queue.pop(); state !== undefined; state = queue.pop()) {
      if (found.has(state)) continue;
      found.add(state);
      for (const segment of this.segments) {
        if (segment.len > 0 && stateKey(segment) === state) {
          queue.push(`${segment.gen}/${segment.parent}`);
        }
      }
      for (const { gen, from } of this.#beginnings) {
        if (state.startsWith(`${gen}/`)) queue.push(stateKey(from));
      }
    }
    return found;
  }

  /** Keys of the states to which segments lead from the beginning of their generation. */
  reachable(): Set<string> {
    const found = new Set<string>();
    for (let size = -1; size !== found.size;) {
      size = found.size;
      for (const segment of this.segments) {
        const { gen, off, parent } = segment;
        if (off === 0 || found.has(`${gen}/${parent}`)) found.add(stateKey(segment));
      }
    }
    return found;
  }

  /** Segments from the beginning to a state; null when one is missing. */
  chain(state: string): DecodedSegment[] | null {
    const chain: DecodedSegment[] = [];
    for (let key = state;;) {
      const segment = this.segments.find((each) => stateKey(each) === key);
      if (segment === undefined) return null;
      chain.unshift(segment);
      if (segment.off === 0) return chain;
      key = `${segment.gen}/${segment.parent}`;
    }
  }
}
