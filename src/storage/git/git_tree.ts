/** Git's own data as `cat-file` prints it. Everything in it may be hostile. */
import { type Bytes, toHex } from "../../base/bytes.ts";

/** One line of a tree. */
export interface TreeEntry {
  readonly mode: string;
  /** One character a byte: names of ours are ASCII, and no other is looked at. */
  readonly name: string;
  readonly oid: string;
}

/** Length of an object id in bytes, by the repository's format. */
export const OID_BYTES = { sha1: 20, sha256: 32 } as const;

/** How a repository names its objects. */
export type ObjectFormat = keyof typeof OID_BYTES;

const latin1 = new TextDecoder("latin1");

/** In octal digits; Git writes no zero before those of a folder. */
const MODE = /^[0-7]{5,6}$/;

/** Takes a raw tree apart; null when it is none. */
export function parseTree(tree: Bytes, format: ObjectFormat): TreeEntry[] | null {
  const oidBytes = OID_BYTES[format];
  const entries: TreeEntry[] = [];
  for (let at = 0; at < tree.length;) {
    const space = tree.indexOf(0x20, at);
    const end = space < 0 ? -1 : tree.indexOf(0, space);
    if (end < 0 || end + 1 + oidBytes > tree.length) return null;
    const mode = latin1.decode(tree.subarray(at, space));
    if (!MODE.test(mode)) return null;
    entries.push({
      mode,
      name: latin1.decode(tree.subarray(space + 1, end)),
      oid: toHex(tree.subarray(end + 1, end + 1 + oidBytes)),
    });
    at = end + 1 + oidBytes;
  }
  return entries;
}

/** One answer of `cat-file --batch`, in the order of the questions. */
export interface BatchAnswer {
  readonly type: string;
  /** A view into the whole output. */
  readonly content: Bytes;
}

/**
 * Takes the output of `git cat-file --batch` apart: null for each object that is not there. The
 * whole is null when it does not hold `count` answers.
 */
export function parseBatch(output: Bytes, count: number): (BatchAnswer | null)[] | null {
  const answers: (BatchAnswer | null)[] = [];
  let at = 0;
  while (answers.length < count) {
    const end = output.indexOf(0x0a, at);
    if (end < 0) return null;
    const line = latin1.decode(output.subarray(at, end));
    const found = /^[0-9a-f]+ (\w+) ([0-9]+)$/.exec(line);
    if (found === null) {
      if (!line.endsWith(" missing")) return null;
      answers.push(null);
      at = end + 1;
      continue;
    }
    const sizeBytes = Number(found[2]);
    if (end + 1 + sizeBytes + 1 > output.length) return null;
    answers.push({
      type: found[1]!,
      content: output.subarray(end + 1, end + 1 + sizeBytes),
    });
    at = end + 1 + sizeBytes + 1;
  }
  return at === output.length ? answers : null;
}
