/**
 * Buckets in memory, with generations, and their lists.
 *
 * @module
 */
import { Buffer } from "node:buffer";

/** A list holds no more names than this. */
export const LIST_NAMES_MAX = 1000;

/** One object. */
export interface StoredObject {
  readonly body: Uint8Array;
  readonly generation: number;
  readonly md5: Uint8Array;
  /** In Base64. */
  readonly crc32c: string;
  readonly contentType: string;
  readonly modifiedMs: number;
}

/** One bucket. */
export interface Bucket {
  readonly objects: Map<string, StoredObject>;
  /** Whether requests must name the project that pays. */
  isRequesterPays: boolean;
  versioning: "Enabled" | "Suspended" | null;
}

/** What a list is asked for. */
export interface ListQuery {
  readonly prefix: string;
  readonly delimiter: string;
  /** Only names after this one; empty for all. */
  readonly after: string;
  readonly namesMax: number;
}

/** A page of a list. */
export interface ListPage {
  readonly objects: readonly (readonly [name: string, object: StoredObject])[];
  readonly commonPrefixes: readonly string[];
  /** After which name or common prefix the next page begins; null on the last page. */
  readonly nextAfter: string | null;
}

/** A new bucket. */
export function emptyBucket(): Bucket {
  return { objects: new Map(), isRequesterPays: false, versioning: null };
}

/** One page, in the order of the names' bytes. */
export function listPage({ objects }: Bucket, query: ListQuery): ListPage {
  const { prefix, delimiter, after, namesMax } = query;
  const names = [...objects.keys()].filter((name) => name.startsWith(prefix))
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const found: [string, StoredObject][] = [];
  const commonPrefixes: string[] = [];
  let last = after;
  for (const name of names) {
    const end = delimiter === "" ? -1 : name.indexOf(delimiter, prefix.length);
    const shown = end < 0 ? name : name.slice(0, end + delimiter.length);
    if (Buffer.compare(Buffer.from(shown), Buffer.from(last)) <= 0) continue;
    if (found.length + commonPrefixes.length === namesMax) {
      return { objects: found, commonPrefixes, nextAfter: last };
    }
    if (end < 0) found.push([name, objects.get(name)!]);
    else commonPrefixes.push(shown);
    last = shown;
  }
  return { objects: found, commonPrefixes, nextAfter: null };
}
