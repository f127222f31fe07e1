import { mapConcurrently } from "../base/pool.ts";
import type { ObjectName } from "./object_name.ts";
import type { ObjectStore, PutItem, StoreOptions } from "./object_store.ts";

/**
 * `putAll` for stores that take one object at a time: all but the last side by side, as many as the
 * store's `concurrency` says, then the last.
 */
export async function putEach(
  store: Pick<ObjectStore, "put" | "concurrency">,
  items: readonly PutItem[],
  options?: StoreOptions,
): Promise<ObjectName | null> {
  let differing: ObjectName | null = null;
  const put = async (item: PutItem) => {
    if (differing !== null) return;
    const outcome = await store.put(item.name, await item.read(), options);
    if (outcome === "differs") differing ??= item.name;
  };
  await mapConcurrently(items.slice(0, -1), store.concurrency, put);
  for (const last of items.slice(-1)) await put(last);
  return differing;
}
