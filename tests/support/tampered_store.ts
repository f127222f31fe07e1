/** A store whose owner does what he likes with the objects: an attacker's view of a vault. */
import type { Bytes } from "../../src/base/bytes.ts";
import { MemoryStore } from "../../src/storage/memory/store.ts";
import type { ObjectName } from "../../src/storage/object_name.ts";
import type { ObjectStore } from "../../src/storage/object_store.ts";
import { changedStore } from "./changed_store.ts";

/** Every object of a vault by name. */
export type Objects = ReadonlyMap<ObjectName, Bytes>;

/** Shows `objects` to whoever opens it; what is put goes into a copy, and is counted. */
export class TamperedStore {
  #store: ObjectStore = new MemoryStore();
  #objects = new Map<ObjectName, Bytes>();
  #puts: ObjectName[] = [];

  /** Names that were put since the last `show`. */
  get puts(): readonly ObjectName[] {
    return this.#puts;
  }

  /** All objects as they are now. */
  objects(): Objects {
    return new Map(this.#objects);
  }

  /** Replaces the whole content. */
  async show(objects: Objects): Promise<void> {
    this.#store = new MemoryStore();
    this.#objects = new Map();
    for (const [name, bytes] of objects) {
      await this.#store.put(name, bytes);
      this.#objects.set(name, bytes);
    }
    this.#puts = [];
  }

  /** For `MachineOptions.store`. */
  open(): Promise<ObjectStore> {
    const opened = changedStore(this.#store, {
      put: async (name, body, options) => {
        const outcome = await this.#store.put(name, body, options);
        this.#puts.push(name);
        this.#objects.set(name, body.slice());
        return outcome;
      },
    });
    return Promise.resolve(opened);
  }
}
