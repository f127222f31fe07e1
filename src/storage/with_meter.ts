import type { ListOptions, ObjectInfo, ObjectStore } from "./object_store.ts";
import { putEach } from "./put_each.ts";

/** What has gone through a metered store so far. */
export interface StoreTraffic {
  /**
   * Round trips to the store, failed ones included, by what they were made for. A driver that does
   * not count itself is taken to make one for each call.
   */
  readonly requests: {
    readonly get: number;
    readonly put: number;
    readonly list: number;
    readonly delete: number;
  };
  /** Bytes of objects given to `put`, whatever became of them. */
  readonly sentBytes: number;
  /** Bytes of objects that `get` gave. */
  readonly receivedBytes: number;
}

/** A store that counts. */
export interface MeteredStore extends ObjectStore {
  /** The traffic until now. */
  traffic(): StoreTraffic;
}

/**
 * Gives `store` itself when its driver counts, otherwise counts the calls to it. Put it inside
 * `withRetry` to count every attempt.
 */
export function withMeter(store: ObjectStore | MeteredStore): MeteredStore {
  if ("traffic" in store) return store;
  const requests = { get: 0, put: 0, list: 0, delete: 0 };
  let sentBytes = 0;
  let receivedBytes = 0;

  async function* list(prefix: string, options?: ListOptions): AsyncIterable<ObjectInfo> {
    requests.list++;
    yield* store.list(prefix, options);
  }

  const metered: MeteredStore = {
    label: store.label,
    concurrency: store.concurrency,
    isBatching: store.isBatching,
    async get(name, options) {
      requests.get++;
      const bytes = await store.get(name, options);
      receivedBytes += bytes?.length ?? 0;
      return bytes;
    },
    put(name, body, options) {
      requests.put++;
      sentBytes += body.length;
      return store.put(name, body, options);
    },
    putAll: (items, options) => putEach(metered, items, options),
    list,
    delete(name, options) {
      requests.delete++;
      return store.delete(name, options);
    },
    traffic: () => ({ requests: { ...requests }, sentBytes, receivedBytes }),
  };
  return metered;
}
