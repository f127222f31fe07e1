/** What the entries of a vault have ever said of files, and where the bytes lie. */
import type { Bytes } from "../../src/base/bytes.ts";
import type { DecodedEntry, DecodedGroup, DecodedOp, DecodedSegment } from "./decoder.ts";
import { type Decoder, groupBytes } from "./decoder.ts";
import { type Beginning, FileTree } from "./file_tree.ts";

/** An entry that was ever put. */
export interface PastEntry {
  readonly name: string;
  readonly hash8: string;
  readonly body: DecodedEntry;
  readonly putAtMs: number;
  /** Machine that put it. */
  readonly by: string;
}

/** A segment as one entry says it. */
export interface Said {
  readonly segment: DecodedSegment;
  readonly group: DecodedGroup;
  /** Object with its bytes. */
  readonly object: string;
  readonly entry: PastEntry;
}

/** One file of one session. */
export interface PastFile {
  readonly session: string;
  readonly file: string;
  /** By segment key; the same segment may be said many times. */
  readonly said: Map<string, Said[]>;
  readonly beginnings: Map<string, { readonly beginning: Beginning; readonly in: PastEntry[] }>;
}

/** All files of a vault. */
export class PastFiles {
  readonly #decoder: Decoder;
  readonly #bytesOf: (object: string) => Bytes;
  readonly #files = new Map<string, PastFile>();

  /** `bytesOf`: of every object that was ever put. */
  constructor(decoder: Decoder, bytesOf: (object: string) => Bytes) {
    this.#decoder = decoder;
    this.#bytesOf = bytesOf;
  }

  all(): Iterable<PastFile> {
    return this.#files.values();
  }

  /** Takes in what an op of `entry` says. */
  note(entry: PastEntry, op: DecodedOp): void {
    if (op.op !== "add") return;
    const { session } = op;
    for (const { file, gen, from } of op.gens) {
      const { beginnings } = this.of(session, file);
      const key = `generation ${session}/${file} ${gen}`;
      const known = beginnings.get(key);
      if (known === undefined) beginnings.set(key, { beginning: { gen, from }, in: [entry] });
      else known.in.push(entry);
    }
    for (const group of op.groups) {
      const object = group.in === -1 ? entry.name : entry.body.packs[group.in]!.name;
      for (const segment of group.segments) {
        const { said } = this.of(session, segment.file);
        const { file, gen, off, len, parent, hash } = segment;
        const key = `segment ${session}/${file} ${gen} ${off} ${len} ${parent} ${hash}`;
        said.set(key, [...said.get(key) ?? [], { segment, group, object, entry }]);
      }
    }
  }

  /** A file, which nothing may have been said of yet. */
  of(session: string, file: string): PastFile {
    const key = `${session}/${file}`;
    const known = this.#files.get(key);
    if (known !== undefined) return known;
    const made = { session, file, said: new Map(), beginnings: new Map() };
    this.#files.set(key, made);
    return made;
  }

  /** The states of a file, as the entries tell that are known. */
  tree(session: string, file: string, isKnown: (entry: PastEntry) => boolean): FileTree {
    const { said, beginnings } = this.of(session, file);
    const segments = [...said.values()].filter((all) => all.some(({ entry }) => isKnown(entry)));
    const starts = [...beginnings.values()].filter(({ in: all }) => all.some(isKnown));
    return new FileTree(
      segments.map(([first]) => first!.segment),
      starts.map(({ beginning }) => beginning),
    );
  }

  /** The bytes of a state, as far as entries that were ever put tell. */
  content({ session, file, said }: PastFile, state: string): string {
    const tree = this.tree(session, file, () => true);
    const parts = (tree.chain(state) ?? []).map((segment) => {
      const { group, object, entry } = said.get(keyIn(said, segment))![0]!;
      const payload = object === entry.name
        ? entry.body.inline
        : this.#decoder.open("pack", object, this.#bytesOf(object));
      const at = group.segments.slice(0, group.segments.findIndex((each) => same(each, segment)))
        .reduce((sum, { len }) => sum + len, 0);
      return groupBytes(group, payload).subarray(at, at + segment.len).toString("latin1");
    });
    return parts.join("");
  }
}

function keyIn(said: PastFile["said"], segment: DecodedSegment): string {
  for (const [key, [first]] of said) if (same(first!.segment, segment)) return key;
  throw new Error("A segment of the tree was said by nobody");
}

function same(a: DecodedSegment, b: DecodedSegment): boolean {
  return a.file === b.file && a.gen === b.gen && a.off === b.off && a.len === b.len &&
    a.hash === b.hash;
}
