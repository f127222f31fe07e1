import { assert } from "../../base/assert.ts";
import { type Bytes, equalBytes } from "../../base/bytes.ts";
import { ClaudeSyncError } from "../../errors.ts";
import { type ObjectName, parseObjectName } from "../object_name.ts";
import { assertListPrefix } from "../object_prefix.ts";
import {
  type ListOptions,
  OBJECT_BYTES_MAX,
  type ObjectInfo,
  type ObjectStore,
  type PutItem,
  type PutOutcome,
  type StoreOptions,
} from "../object_store.ts";
import { putEach } from "../put_each.ts";

/**
 * Objects in memory, for tests: the strictest store. It copies what goes in and out, and refuses
 * whatever any real backend would, such as an object below the name of another.
 */
export class MemoryStore implements ObjectStore {
  readonly label: string;
  readonly concurrency = 1;
  readonly isBatching = false;
  readonly #objects = new Map<ObjectName, Bytes>();

  constructor(label = "memory") {
    this.label = label;
  }

  async get(name: ObjectName, options: StoreOptions = {}): Promise<Bytes | null> {
    await turn(options);
    assertName(name);
    return this.#objects.get(name)?.slice() ?? null;
  }

  async put(name: ObjectName, body: Bytes, options: StoreOptions = {}): Promise<PutOutcome> {
    const copy = body.slice();
    await turn(options);
    assertName(name);
    if (copy.length > OBJECT_BYTES_MAX) {
      throw new ClaudeSyncError("too-large", `"${name}" is over ${OBJECT_BYTES_MAX} bytes`, {
        objectName: name,
      });
    }
    const present = this.#objects.get(name);
    if (present !== undefined) return equalBytes(present, copy) ? "exists" : "differs";
    this.#assertNoFolderClash(name);
    this.#objects.set(name, copy);
    return "created";
  }

  putAll(items: readonly PutItem[], options?: StoreOptions): Promise<ObjectName | null> {
    return putEach(this, items, options);
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncIterable<ObjectInfo> {
    assertListPrefix(prefix);
    await turn(options);
    const { after } = options;
    // Names are ASCII, for which UTF-16 order is UTF-8 order.
    const names = [...this.#objects.keys()].filter((name) => name.startsWith(prefix)).sort();
    for (const name of names) {
      if (after !== undefined && name <= after) continue;
      await turn(options);
      const object = this.#objects.get(name);
      if (object !== undefined) yield { name, sizeBytes: object.length };
    }
  }

  async delete(name: ObjectName, options: StoreOptions = {}): Promise<void> {
    await turn(options);
    assertName(name);
    this.#objects.delete(name);
  }

  /** A folder store cannot hold both `a` and `a/b`. */
  #assertNoFolderClash(name: ObjectName): void {
    for (const other of this.#objects.keys()) {
      if (other.startsWith(`${name}/`) || name.startsWith(`${other}/`)) {
        throw new ClaudeSyncError("store-invalid", `"${name}" and "${other}" cannot both exist`, {
          objectName: name,
        });
      }
    }
  }
}

/** Lets other work run first, as a real store would, and honours an abort before any effect. */
async function turn(options: StoreOptions): Promise<void> {
  options.signal?.throwIfAborted();
  await Promise.resolve();
  options.signal?.throwIfAborted();
}

function assertName(name: string): void {
  assert(parseObjectName(name) !== null, `"${name}" is a valid object name`);
}
