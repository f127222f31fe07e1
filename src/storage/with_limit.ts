import type { Clock } from "../platform/types.ts";
import type { ObjectStore, PutItem, StoreOptions } from "./object_store.ts";
import { putEach } from "./put_each.ts";

/** How fast objects may go, in bytes a second; null: as fast as they can. */
export interface RateLimits {
  readonly uploadBytesPerSecond: number | null;
  readonly downloadBytesPerSecond: number | null;
}

/**
 * A store that is used no faster than `limits` say, on average: an object goes at full speed, and
 * the next one waits until the time is up that the first should have taken. A limited direction
 * takes one object after the other. Put it inside `withRetry`: what is sent again counts again.
 */
export function withLimit(
  store: ObjectStore,
  { clock, ...limits }: RateLimits & { readonly clock: Clock },
): ObjectStore {
  const { uploadBytesPerSecond: up, downloadBytesPerSecond: down } = limits;
  if (up === null && down === null) return store;
  const sending = up === null ? null : new Lane(clock, up);
  const receiving = down === null ? null : new Lane(clock, down);
  const paced = (item: PutItem, lane: Lane, options?: StoreOptions): PutItem => ({
    name: item.name,
    read: () => lane.pass(options, () => item.read(), (bytes) => bytes.length),
  });
  const limited: ObjectStore = {
    label: store.label,
    concurrency: store.concurrency,
    isBatching: store.isBatching,
    get: (name, options) =>
      receiving === null
        ? store.get(name, options)
        : receiving.pass(options, () => store.get(name, options), (bytes) => bytes?.length ?? 0),
    put: (name, body, options) =>
      sending === null
        ? store.put(name, body, options)
        : sending.pass(options, () => store.put(name, body, options), () => body.length),
    putAll: (items, options) =>
      !store.isBatching
        ? putEach(limited, items, options)
        : sending === null
        ? store.putAll(items, options)
        : store.putAll(items.map((item) => paced(item, sending, options)), options),
    list: (prefix, options) => store.list(prefix, options),
    delete: (name, options) => store.delete(name, options),
  };
  return limited;
}

/** One direction. */
class Lane {
  readonly #clock: Clock;
  readonly #bytesPerMs: number;
  /** When what went through so far is paid for. */
  #freeAtMs = -Infinity;
  #last: Promise<unknown> = Promise.resolve();

  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock;
    this.#bytesPerMs = bytesPerSecond / 1000;
  }

  /** Runs `call` in its turn and when the line is free. A call that fails costs nothing. */
  pass<Result>(
    options: StoreOptions | undefined,
    call: () => Promise<Result>,
    bytesOf: (result: Result) => number,
  ): Promise<Result> {
    const turn = this.#last.then(async () => {
      options?.signal?.throwIfAborted();
      const waitMs = this.#freeAtMs - this.#clock.monotonicMs();
      if (waitMs > 0) await this.#clock.sleep(waitMs, options?.signal);
      const result = await call();
      const startMs = Math.max(this.#freeAtMs, this.#clock.monotonicMs());
      this.#freeAtMs = startMs + bytesOf(result) / this.#bytesPerMs;
      return result;
    });
    // The next in line waits for this one, however it ends.
    this.#last = turn.catch(() => {});
    return turn;
  }
}

/** The store with another number of calls side by side than its driver has chosen. */
export function withConcurrency(store: ObjectStore, concurrency: number | null): ObjectStore {
  if (concurrency === null || concurrency === store.concurrency) return store;
  const changed: ObjectStore = {
    label: store.label,
    concurrency,
    isBatching: store.isBatching,
    get: (name, options) => store.get(name, options),
    put: (name, body, options) => store.put(name, body, options),
    putAll: (items, options) =>
      store.isBatching ? store.putAll(items, options) : putEach(changed, items, options),
    list: (prefix, options) => store.list(prefix, options),
    delete: (name, options) => store.delete(name, options),
  };
  return changed;
}
