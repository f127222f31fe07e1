/** A store of which one or two operations do something else. */
import type { ObjectStore } from "../../src/storage/object_store.ts";
import { putEach } from "../../src/storage/put_each.ts";

/** `store` with `changes`; several puts at once go through the changed `put`. */
export function changedStore(
  store: ObjectStore,
  changes: Partial<Pick<ObjectStore, "get" | "put" | "list" | "delete" | "concurrency">>,
): ObjectStore {
  const changed: ObjectStore = {
    label: store.label,
    concurrency: store.concurrency,
    isBatching: false,
    get: (name, options) => store.get(name, options),
    put: (name, body, options) => store.put(name, body, options),
    putAll: (items, options) => putEach(changed, items, options),
    list: (prefix, options) => store.list(prefix, options),
    delete: (name, options) => store.delete(name, options),
    ...changes,
  };
  return changed;
}
