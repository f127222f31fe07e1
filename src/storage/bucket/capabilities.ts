/** Finding out, before a vault is put into a bucket, whether it can live there. */
import { equalBytes, toBase32 } from "../../base/bytes.ts";
import { ClaudeSyncError, isClaudeSyncError } from "../../errors.ts";
import type { Clock, Random } from "../../platform/types.ts";
import { objectName } from "../object_name.ts";
import type { StoreOptions } from "../object_store.ts";
import { RetryAfter } from "../retry_after.ts";
import { BucketAnswerError } from "./failure.ts";
import type { BucketStore } from "./store.ts";

/** How often one operation of the probe is tried while the store is busy. */
export const PROBE_ATTEMPTS_MAX = 4;
/** Some stores take one write of an object in a second, and the probe makes three. */
const PROBE_PAUSE_MS = 1100;

/** What `probeCapabilities` needs besides the store. */
export interface ProbeOptions extends StoreOptions {
  readonly random: Random;
  readonly clock: Clock;
  /** Takes a sentence that the user should see. */
  readonly note: (message: string) => void;
}

/**
 * Puts, reads, lists and deletes an object of a random name, so that a missing permission shows now
 * and not in the middle of a push, and remembers whether the bucket can refuse to overwrite. May
 * not delete: said, but no failure, as whoever guards against blackmail allows no deleting. Errors:
 * those of the failing operation; `store-invalid` when the bucket gives back something else. The
 * probe's object does not stay, where that can be helped.
 */
export async function probeCapabilities(store: BucketStore, options: ProbeOptions): Promise<void> {
  const { random, clock, note, ...callOptions } = options;
  const patiently = <T>(call: () => Promise<T>) => repeated(call, clock, callOptions.signal);
  const name = objectName(`probe/${toBase32(random.bytes(20))}`);
  const body = random.bytes(64);
  // Told to try, whatever was known before: the bucket may have been made anew.
  store.remembered.set({ createOnly: null });
  try {
    await patiently(() => store.put(name, body, callOptions));
    const got = await patiently(() => store.get(name, callOptions));
    if (got === null || !equalBytes(got, body)) throw unfaithful(store.label);
    // The second put tells whether the first one's object stands in its way.
    const again = await patiently(() => store.put(name, body, callOptions));
    if (store.remembered.facts.createOnly === null && again === "created") {
      store.remembered.set({ createOnly: "ignored" });
    }
    await patiently(async () => {
      for await (const _ of store.list("probe/", callOptions)) break;
    });
  } catch (error) {
    await removeQuietly(store, name, callOptions);
    throw isClaudeSyncError(error) ? withoutName(error) : error;
  }
  try {
    await patiently(() => store.delete(name, callOptions));
  } catch (error) {
    if (!isClaudeSyncError(error, "store-refused")) throw error;
    note(
      `${error.message}: vaults there grow, as nothing that is replaced can be removed. ` +
        (error.hint ?? ""),
    );
  }
}

async function repeated<T>(
  call: () => Promise<T>,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<T> {
  for (let attempt = 1;; attempt++) {
    try {
      return await call();
    } catch (error) {
      // Only an answer: where nobody answers, waiting for an answer four times is too long.
      const isBusy = isClaudeSyncError(error, "store-unreachable") && isAnswer(error.cause);
      if (!isBusy || attempt === PROBE_ATTEMPTS_MAX) throw error;
      await clock.sleep(PROBE_PAUSE_MS, signal);
    }
  }
}

function isAnswer(cause: unknown): boolean {
  return cause instanceof BucketAnswerError || cause instanceof RetryAfter;
}

/** The probe's random name tells nobody anything. */
function withoutName({ code, message, hint, cause }: ClaudeSyncError): ClaudeSyncError {
  return new ClaudeSyncError(code, message, { cause, ...(hint === undefined ? {} : { hint }) });
}

async function removeQuietly(
  store: BucketStore,
  name: ReturnType<typeof objectName>,
  options: StoreOptions,
): Promise<void> {
  try {
    await store.delete(name, options);
  } catch (error) {
    // What failed before says more than that it could not be cleaned up.
    if (!isClaudeSyncError(error) && !options.signal?.aborted) throw error;
  }
}

function unfaithful(label: string): ClaudeSyncError {
  const message = `${label} does not give back what was put there`;
  return new ClaudeSyncError("store-invalid", message, {
    hint: "Something between here and the store changes or delays objects: a cache, a gateway",
  });
}
