import type { Bytes } from "../base/bytes.ts";
import { isClaudeSyncError } from "../errors.ts";
import type { Clock, Random } from "../platform/types.ts";
import type { ObjectName } from "./object_name.ts";
import type {
  ListOptions,
  ObjectInfo,
  ObjectStore,
  PutOutcome,
  StoreOptions,
} from "./object_store.ts";
import { putEach } from "./put_each.ts";
import { RetryAfter } from "./retry_after.ts";

/** How patient `withRetry` is. */
export interface RetryOptions {
  readonly clock: Clock;
  readonly random: Random;
  /**
   * How long the store may stay unreachable, over all calls together: counted from the start of the
   * first failed attempt since the last success. 0 means that nothing is retried.
   */
  readonly budgetMs: number;
  /** Attempts of one call, the first included. Default 8. */
  readonly attemptsMax?: number;
  /** Longest pause before the second attempt; doubles each time. Default 100. */
  readonly firstPauseMsMax?: number;
  /** Longest pause of all. Default 10,000. */
  readonly pauseMsMax?: number;
}

/**
 * Repeats calls that fail with `store-unreachable`, which every operation of the contract survives.
 * Pauses are random between 0 and their maximum, so that many machines do not come back at once; a
 * longer `RetryAfter` is honoured, and when it does not fit the budget the call fails at once.
 * Every other error, and an abort, passes through. A list goes on after the last name that it gave.
 */
export function withRetry(store: ObjectStore, options: RetryOptions): ObjectStore {
  const patience = new Patience(options);
  const retried: ObjectStore = {
    label: store.label,
    concurrency: store.concurrency,
    isBatching: store.isBatching,
    get: (name, callOptions) =>
      patience.repeat(callOptions, (): Promise<Bytes | null> => store.get(name, callOptions)),
    put: (name, body, callOptions) =>
      patience.repeat(callOptions, (): Promise<PutOutcome> => store.put(name, body, callOptions)),
    putAll: (items, callOptions) =>
      store.isBatching
        ? patience.repeat(callOptions, () => store.putAll(items, callOptions))
        : putEach(retried, items, callOptions),
    list: (prefix, callOptions) => retriedList(store, patience, prefix, callOptions ?? {}),
    delete: (name, callOptions) =>
      patience.repeat(callOptions, () => store.delete(name, callOptions)),
  };
  return retried;
}

async function* retriedList(
  store: ObjectStore,
  patience: Patience,
  prefix: string,
  options: ListOptions,
): AsyncIterable<ObjectInfo> {
  let after: ObjectName | undefined = options.after;
  for (let attempt = 1;; attempt++) {
    const startMs = patience.nowMs();
    try {
      for await (const info of store.list(prefix, { ...options, ...(after && { after }) })) {
        patience.succeeded();
        // A name that was given is progress: the count of attempts is for one place in the list.
        if (info.name !== after) attempt = 1;
        after = info.name;
        yield info;
      }
      return patience.succeeded();
    } catch (error) {
      await patience.pauseOrThrow(error, attempt, startMs, options.signal);
    }
  }
}

/** Decides whether and when to try again; one for all calls, so that they share the budget. */
class Patience {
  readonly #options: RetryOptions;
  #unreachableSinceMs: number | null = null;

  constructor(options: RetryOptions) {
    this.#options = options;
  }

  nowMs(): number {
    return this.#options.clock.monotonicMs();
  }

  succeeded(): void {
    this.#unreachableSinceMs = null;
  }

  async repeat<T>(options: StoreOptions | undefined, call: () => Promise<T>): Promise<T> {
    for (let attempt = 1;; attempt++) {
      const startMs = this.nowMs();
      try {
        const result = await call();
        this.succeeded();
        return result;
      } catch (error) {
        await this.pauseOrThrow(error, attempt, startMs, options?.signal);
      }
    }
  }

  /** Resolves when it is time for the next attempt; rethrows `error` when there is to be none. */
  async pauseOrThrow(
    error: unknown,
    attempt: number,
    startMs: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (!isClaudeSyncError(error, "store-unreachable")) throw error;
    signal?.throwIfAborted();
    const { attemptsMax = 8, budgetMs, clock } = this.#options;
    this.#unreachableSinceMs ??= startMs;
    const pauseMs = Math.max(this.#pauseMs(attempt), retryAfterMs(error));
    const spentMs = this.nowMs() - this.#unreachableSinceMs;
    if (attempt >= attemptsMax || spentMs + pauseMs > budgetMs || budgetMs <= 0) throw error;
    await clock.sleep(pauseMs, signal);
    signal?.throwIfAborted();
  }

  #pauseMs(attempt: number): number {
    const { firstPauseMsMax = 100, pauseMsMax = 10_000, random } = this.#options;
    const maxMs = Math.min(pauseMsMax, firstPauseMsMax * 2 ** (attempt - 1));
    const view = new DataView(random.bytes(4).buffer);
    return Math.floor((view.getUint32(0) / 2 ** 32) * maxMs);
  }
}

function retryAfterMs(error: Error): number {
  return error.cause instanceof RetryAfter ? error.cause.retryAfterMs : 0;
}
