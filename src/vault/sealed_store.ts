import { assert } from "../base/assert.ts";
import { mapConcurrently } from "../base/pool.ts";
import type { Bytes } from "../base/bytes.ts";
import { assertSealed, type Sealed } from "../crypto/sealed.ts";
import { type ObjectName, objectName } from "../storage/object_name.ts";
import type { ListOptions, ObjectInfo, ObjectStore } from "../storage/object_store.ts";
import type { PutOutcome, StoreOptions } from "../storage/object_store.ts";
import { decodeHeader } from "./header.ts";
import { HEADER_NAME, objectKindOf } from "./names.ts";

/** Objects that a store which takes several in one step is asked to delete at once. */
const DELETED_AT_ONCE_MAX = 1_000;

/**
 * A store as the vault may use it: everything can be read, only sealed objects and the header can
 * be written, only packs and log entries be deleted. Errors are the store's own, and `bug` for
 * bytes that are not sealed or names that nothing may delete.
 */
export class VaultStore {
  readonly #store: ObjectStore;

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  /** For messages. Holds no secret. */
  get label(): string {
    return this.#store.label;
  }

  /** How many calls side by side are of use. */
  get concurrency(): number {
    return this.#store.concurrency;
  }

  /** The object's bytes, or null when absent. */
  get(name: ObjectName, options?: StoreOptions): Promise<Bytes | null> {
    return this.#store.get(name, options);
  }

  /** Names under `prefix`, sorted. */
  list(prefix: string, options?: ListOptions): AsyncIterable<ObjectInfo> {
    return this.#store.list(prefix, options);
  }

  /**
   * Puts several sealed objects, the last one not before all others are there. Gives the name of
   * the first in whose place the store holds other bytes, or null. `read` gives the same object at
   * every call.
   */
  async putAllSealed(
    items: readonly { readonly name: string; read(): Promise<Sealed> }[],
    options?: StoreOptions,
  ): Promise<ObjectName | null> {
    const checked = items.map(({ name, read }) => ({
      name: objectName(name),
      read: async () => {
        const sealed = await read();
        assertSealed(sealed);
        assert(sealed.name === name, "an object goes to the name it is bound to");
        return sealed.bytes;
      },
    }));
    return await this.#store.putAll(checked, options);
  }

  /**
   * Puts the header, the one plaintext object. Throws as `decodeHeader` does for anything that is
   * none.
   */
  async putHeader(bytes: Bytes, options?: StoreOptions): Promise<PutOutcome> {
    decodeHeader(bytes);
    return await this.#store.put(HEADER_NAME, bytes, options);
  }

  /**
   * Deletes packs or entries that nobody needs any more. Entries go in the order they are given:
   * where it is interrupted, the later ones are all there. `isDone` is called for each.
   */
  async deleteAll(
    names: readonly ObjectName[],
    options: StoreOptions & { readonly isDone: (name: ObjectName) => void },
  ): Promise<void> {
    const kinds = new Set(names.map(objectKindOf));
    assert([...kinds].every((kind) => kind === "pack" || kind === "entry"), "it may be deleted");
    const remove = async (name: ObjectName) => {
      await this.#store.delete(name, options);
      options.isDone(name);
    };
    if (!this.#store.isBatching) {
      await mapConcurrently(names, kinds.has("entry") ? 1 : this.#store.concurrency, remove);
      return;
    }
    for (let at = 0; at < names.length; at += DELETED_AT_ONCE_MAX) {
      await Promise.all(names.slice(at, at + DELETED_AT_ONCE_MAX).map(remove));
    }
  }
}
