/** Objects and small helpers that the conformance cases share. */
import { type Bytes, utf8 } from "../../src/base/bytes.ts";
import { objectName } from "../../src/storage/object_name.ts";
import type { ListOptions, ObjectStore, PutItem } from "../../src/storage/object_store.ts";

/** One promise of the contract; `run` gets an empty store. */
export interface StoreCase {
  readonly name: string;
  run(store: ObjectStore): Promise<void>;
}

/** The bytes that most cases put. */
export const one = utf8("one");
/** Other bytes. */
export const two = utf8("two");
/** Where most cases put them. */
export const nameA = objectName("a/one");

/** The names that a list gives, in its order. */
export async function listNames(
  store: ObjectStore,
  prefix = "",
  options: ListOptions = {},
): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of store.list(prefix, options)) names.push(name);
  return names;
}

/** For `putAll`. */
export function itemsOf(...objects: readonly (readonly [name: string, body: Bytes])[]): PutItem[] {
  return objects.map(([name, body]) => ({
    name: objectName(name),
    read: () => Promise.resolve(body),
  }));
}

/** Bytes of a size, not all the same. */
export function patterned(sizeBytes: number): Bytes {
  return new Uint8Array(sizeBytes).map((_, index) => (index * 31 + (index >>> 11)) & 255);
}
