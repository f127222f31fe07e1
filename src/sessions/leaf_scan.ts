/**
 * What has to be known of a leaf to decide what becomes of it, found in one pass over its bytes,
 * which need not be in memory at once.
 */
import { createHash, type Hash } from "node:crypto";
import { RootForm, type Writer } from "./branch_copy.ts";
import { LineCutter, type TextLine } from "./line_cutter.ts";
import type { SessionId } from "./session_id.ts";
import { type SpokenRecord, spokenRecord } from "./spoken_records.ts";

/** A leaf as it is stored. */
export interface StoredLeaf {
  /** The session it is stored under. */
  readonly id: SessionId;
  readonly sizeBytes: number;
  /** SHA-256 in hex. */
  readonly hash: string;
  /** In order, the first at 0. */
  readonly writers: readonly Writer[];
}

/** What one pass over a leaf found: what it is in the root session's form. */
export interface ScannedLeaf<Stored extends StoredLeaf = StoredLeaf> {
  readonly stored: Stored;
  readonly sizeBytes: number;
  /** SHA-256 in hex. */
  readonly hash: string;
  /** Whether the last line has no end. */
  readonly isTorn: boolean;
  readonly writers: readonly Writer[];
  /** In order, each identity once (where it stands first). */
  readonly spoken: readonly SpokenRecord[];
  readonly hashes: ReadonlySet<string>;
}

/** One pass over a leaf. */
export class LeafScan<Stored extends StoredLeaf = StoredLeaf> {
  readonly #stored: Stored;
  readonly #base: readonly SpokenRecord[];
  /** Null for a leaf of the root, which is in its form already. */
  readonly #rootForm: RootForm | null;
  readonly #hash: Hash = createHash("sha256");
  #cutter = new LineCutter();
  #spoken: SpokenRecord[] = [];
  #hashes = new Set<string>();
  #sizeBytes = 0;
  #isTorn = false;

  /** `base`: what was said in another leaf that may begin like this one; saves memory. */
  constructor(stored: Stored, rootId: SessionId, base: readonly SpokenRecord[] = []) {
    this.#stored = stored;
    this.#base = base;
    const put = (parts: readonly Uint8Array[], start: number) => {
      for (const part of parts) this.#hash.update(part);
      this.#look({ start, text: parts[0]!, ending: parts.at(-1)! });
    };
    const { id, writers } = stored;
    this.#rootForm = id === rootId ? null : new RootForm(writers, id, rootId, put);
  }

  /** Takes the next bytes; keeps nothing of them. */
  take(bytes: Uint8Array): void {
    for (const line of this.#cutter.take(bytes)) this.#line(line);
  }

  /** What was found; all bytes were taken. */
  end(): ScannedLeaf<Stored> {
    for (const line of this.#cutter.end()) this.#line(line);
    const rootForm = this.#rootForm;
    const stored = this.#stored;
    const writers = rootForm === null ? stored.writers : rootForm.end();
    return {
      stored,
      sizeBytes: this.#sizeBytes,
      hash: rootForm === null ? stored.hash : this.#hash.digest("hex"),
      isTorn: this.#isTorn,
      writers,
      spoken: this.#spoken,
      hashes: this.#hashes,
    };
  }

  /**
   * The pass over another leaf of the root that begins with the bytes taken so far of this one.
   */
  forked<Other extends StoredLeaf>(other: Other, rootId: SessionId): LeafScan<Other> {
    const fork = new LeafScan(other, rootId, this.#base);
    fork.#cutter = this.#cutter.copy();
    fork.#spoken = this.#spoken.slice();
    fork.#hashes = new Set(this.#hashes);
    fork.#sizeBytes = this.#sizeBytes;
    fork.#isTorn = this.#isTorn;
    return fork;
  }

  #line(line: TextLine): void {
    if (this.#rootForm === null) this.#look(line);
    else this.#rootForm.take(line);
  }

  #look({ start, text, ending }: TextLine): void {
    this.#sizeBytes += text.length + ending.length;
    this.#isTorn = ending.length === 0;
    const record = spokenRecord(text, start);
    if (record === null || this.#hashes.has(record.hash)) return;
    const known = this.#base[this.#spoken.length];
    const isKnown = known?.hash === record.hash && known.start === record.start;
    const kept = isKnown ? known : record;
    this.#hashes.add(kept.hash);
    this.#spoken.push(kept);
  }
}
