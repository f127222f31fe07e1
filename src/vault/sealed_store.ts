import { assert } from "../base/assert.ts";
import type { Bytes } from "../base/bytes.ts";
import { assertSealed, type Sealed } from "../crypto/sealed.ts";
import { type ObjectName, objectName } from "../storage/object_name.ts";
import type { ListOptions, ObjectInfo, ObjectStore } from "../storage/object_store.ts";
import type { PutOutcome, StoreOptions } from "../storage/object_store.ts";
import { decodeHeader } from "./header.ts";
import { HEADER_NAME } from "./names.ts";

/**
 * A store as the vault may use it: everything can be read, only sealed objects and the header can
 * be written, and nothing can be deleted. Errors are the store's own, and `bug` for bytes that are
 * not sealed.
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
}
