/**
 * Where objects are in a branch's tree.
 *
 *     <2 hex>/<name with "+" for "/">=<size in bytes>      an object
 *     <2 hex>/<name with "+" for "/">=-<branch id>         hides it on another machine's branch
 *
 * The folder is the first byte of SHA-256 of the name, so that no folder gets wide: hosts want at
 * most 3,000 names in one. The size stands in the path because a partial fetch does not bring the
 * object, and `list` tells sizes. Everything else in a tree is a stranger's and is ignored.
 */
import { createHash } from "node:crypto";
import { OBJECT_BYTES_MAX } from "../object_store.ts";
import { type ObjectName, parseObjectName } from "../object_name.ts";

/** Below this a branch keeps every folder under 3,000 names, with room for uneven hashes. */
export const BRANCH_OBJECTS_MAX = 500_000;

/** What a path in a branch says. */
export type PathMeaning =
  | { readonly kind: "object"; readonly name: ObjectName; readonly sizeBytes: number }
  | { readonly kind: "hidden"; readonly name: ObjectName; readonly branch: string };

/** The branch that everybody writes to, for objects whose name several machines may claim. */
export const SHARED_BRANCH = "shared";

/** Branches of the vault are `refs/heads/claude-sync/<id>`. */
export const BRANCH_PREFIX = "refs/heads/claude-sync/";

/** Whether `text` can be a branch of the vault: the shared one, or 80 random bits of a machine. */
export function isBranchId(text: string): boolean {
  return text === SHARED_BRANCH || /^[0-9a-hjkmnp-tv-z]{16}$/.test(text);
}

/** The folder of a name, two hexadecimal digits. */
export function shardOf(name: ObjectName): string {
  return createHash("sha256").update(name).digest("hex").slice(0, 2);
}

/** Whether a name in the root of a tree is a folder of objects. */
export function isShard(text: string): boolean {
  return /^[0-9a-f]{2}$/.test(text);
}

/** Path of an object. */
export function objectPath(name: ObjectName, sizeBytes: number): string {
  return `${shardOf(name)}/${name.replaceAll("/", "+")}=${sizeBytes}`;
}

/** Path of the mark that hides an object on `branch`. */
export function hidingPath(name: ObjectName, branch: string): string {
  return `${shardOf(name)}/${name.replaceAll("/", "+")}=-${branch}`;
}

/** What the file `file` in folder `shard` means; null for what we did not write. */
export function readPath(shard: string, file: string): PathMeaning | null {
  const match = /^([^=/]+)=(?:(0|[1-9][0-9]{0,8})|-([0-9a-z]+))$/.exec(file);
  if (match === null) return null;
  const name = parseObjectName(match[1]!.replaceAll("+", "/"));
  if (name === null || shardOf(name) !== shard) return null;
  if (match[3] !== undefined) {
    return isBranchId(match[3]) ? { kind: "hidden", name, branch: match[3] } : null;
  }
  const sizeBytes = Number(match[2]);
  return sizeBytes <= OBJECT_BYTES_MAX ? { kind: "object", name, sizeBytes } : null;
}
