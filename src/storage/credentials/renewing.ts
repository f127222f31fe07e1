/** Keeping what expires: credentials and tokens, in memory only. */
import { isClaudeSyncError } from "../../errors.ts";
import type { Clock } from "../../platform/types.ts";
import type { StoreOptions } from "../object_store.ts";

/** How long before their end credentials are renewed. */
export const RENEW_EARLY_MS = 5 * 60 * 1000;
/** How long a renewal that failed is not tried again while what is there still works. */
export const RENEW_PAUSE_MS = 30 * 1000;

/** Something that may have an end. */
export interface Expiring {
  /** Milliseconds since the epoch; null when it has no end or none that is known. */
  readonly expiresAtMs: number | null;
}

/** How a value is asked for. */
export interface RenewingOptions extends StoreOptions {
  /** True: the one given before was refused; get another. */
  readonly refresh: boolean;
}

/** Gives the value that is good now. */
export type Renewing<Value> = (options: RenewingOptions) => Promise<Value>;

interface Held<Value> {
  readonly value: Value;
  /** From when on it is to be renewed; Infinity: never. */
  readonly renewAtMs: number;
}

interface Load<Value> {
  readonly result: Promise<Value>;
  readonly controller: AbortController;
  /** Callers that wait for it. */
  waiting: number;
}

/**
 * Calls `load` for the first value and whenever one is near its end: five minutes before, or
 * halfway there for what lasts less than ten. Of many callers at once the first one's load serves
 * all; it is aborted when none of them waits any more. A renewal that fails while the old value
 * still holds is no failure yet. Errors: those of `load`; the signal's reason.
 */
export function renewing<Value extends Expiring>(
  load: (options: { readonly signal: AbortSignal }) => Promise<Value>,
  clock: Pick<Clock, "nowMs">,
): Renewing<Value> {
  let held: Held<Value> | null = null;
  let running: Load<Value> | null = null;

  function start(): Load<Value> {
    const controller = new AbortController();
    const result = load({ signal: controller.signal }).then((value) => {
      held = { value, renewAtMs: renewAtMs(value, clock.nowMs()) };
      return value;
    }).finally(() => {
      if (running === started) running = null;
    });
    const started: Load<Value> = { result, controller, waiting: 0 };
    return started;
  }

  return async ({ refresh, signal }) => {
    signal?.throwIfAborted();
    const before: Held<Value> | null = held;
    if (before !== null && !refresh && clock.nowMs() < before.renewAtMs) return before.value;
    running ??= start();
    try {
      return await waitFor(running, signal, () => running = null);
    } catch (error) {
      signal?.throwIfAborted();
      if (before === null || refresh || !isStillGood(before.value, clock)) throw error;
      if (!isClaudeSyncError(error)) throw error;
      if (held === before) held = { ...before, renewAtMs: clock.nowMs() + RENEW_PAUSE_MS };
      return before.value;
    }
  };
}

function renewAtMs({ expiresAtMs }: Expiring, nowMs: number): number {
  if (expiresAtMs === null) return Infinity;
  return expiresAtMs - Math.min(RENEW_EARLY_MS, Math.max(0, (expiresAtMs - nowMs) / 2));
}

function isStillGood({ expiresAtMs }: Expiring, clock: Pick<Clock, "nowMs">): boolean {
  return expiresAtMs === null || clock.nowMs() < expiresAtMs;
}

/** Waits for a load as long as `signal` lets; `onAbandoned` when nobody waits for it any more. */
async function waitFor<Value>(
  load: Load<Value>,
  signal: AbortSignal | undefined,
  onAbandoned: () => void,
): Promise<Value> {
  load.waiting++;
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([load.result, aborted]);
  } finally {
    signal?.removeEventListener("abort", onAbort);
    load.waiting--;
    if (load.waiting === 0 && signal?.aborted) {
      onAbandoned();
      load.controller.abort(signal.reason);
    }
  }
}
