/** Trying a store out, one operation after the other, through the interface alone. */
import { equalBytes, toBase32 } from "../base/bytes.ts";
import { ClaudeSyncError, isClaudeSyncError } from "../errors.ts";
import type { Clock, Random } from "../platform/types.ts";
import { type ObjectName, objectName } from "./object_name.ts";
import type { ObjectStore, StoreOptions } from "./object_store.ts";

/** Bytes of the object that is put: more than one packet, less than anybody pays for. */
export const PROBE_OBJECT_BYTES = 4096;
/** Folder of the objects that are put; nothing in a vault is there. */
export const PROBE_FOLDER = "probe/";

/** What is tried, in this order. */
export type ProbeOperation =
  /** Listing: the place is there and may be looked at. */
  | "list"
  /** Writing a new object. */
  | "put"
  /** Reading it back, byte for byte. */
  | "get"
  /** Finding it in a list. */
  | "list again"
  /** Writing it once more, as after a lost answer. */
  | "put again"
  /** Removing it. */
  | "delete";

/** How one operation went. */
export interface ProbeResult {
  readonly operation: ProbeOperation;
  /** `skipped`: cannot be tried, because an earlier one failed. */
  readonly outcome: "ok" | "failed" | "skipped";
  /** How long it took; 0 when skipped. */
  readonly tookMs: number;
  /** Why it failed and how to fix it; null otherwise. */
  readonly error: ClaudeSyncError | null;
}

/** What `probeStore` needs besides the store. */
export interface ProbeStoreOptions extends StoreOptions {
  readonly clock: Clock;
  readonly random: Random;
}

/** Which operations make no sense when the key failed. */
const NEEDS: Readonly<Record<ProbeOperation, ProbeOperation | null>> = {
  "list": null,
  "put": null,
  "get": "put",
  "list again": "put",
  "put again": "put",
  "delete": "put",
};

/**
 * Tries every operation on a small object of random bytes and a random name, each even if another
 * failed, and gives a result for each. A store without permission to delete keeps the object. An
 * abort passes through as the signal's reason, and so does every error that is no
 * `ClaudeSyncError`.
 */
export async function probeStore(
  store: ObjectStore,
  { clock, random, ...options }: ProbeStoreOptions,
): Promise<ProbeResult[]> {
  const name = objectName(PROBE_FOLDER + toBase32(random.bytes(20)));
  const body = random.bytes(PROBE_OBJECT_BYTES);
  const steps: Readonly<Record<ProbeOperation, () => Promise<ClaudeSyncError | null>>> = {
    "list": async () => {
      for await (const _ of store.list("", options)) break;
      return null;
    },
    "put": async () => mustNotDiffer(store, await store.put(name, body, options)),
    "get": async () => {
      const got = await store.get(name, options);
      return got !== null && equalBytes(got, body)
        ? null
        : changed(`${store.label} does not give back what was put there`);
    },
    "list again": async () =>
      await isListed(store, name, options)
        ? null
        : changed(`A list of ${store.label} does not show what was put there`),
    "put again": async () => mustNotDiffer(store, await store.put(name, body, options)),
    "delete": async () => {
      await store.delete(name, options);
      return await store.get(name, options) === null
        ? null
        : changed(`${store.label} still gives what was deleted`);
    },
  };
  const results: ProbeResult[] = [];
  for (const operation of Object.keys(steps) as ProbeOperation[]) {
    const needed = results.find((result) => result.operation === NEEDS[operation]);
    if (needed !== undefined && needed.outcome !== "ok") {
      results.push({ operation, outcome: "skipped", tookMs: 0, error: null });
      continue;
    }
    const startMs = clock.monotonicMs();
    const error = await caught(steps[operation]);
    const tookMs = clock.monotonicMs() - startMs;
    results.push({ operation, outcome: error === null ? "ok" : "failed", tookMs, error });
  }
  return results;
}

/**
 * How long the store takes for the smallest question, a list of nothing, in milliseconds. Errors:
 * those of the store, when it cannot be reached.
 */
export async function measureLatency(
  store: ObjectStore,
  { clock, ...options }: StoreOptions & { readonly clock: Clock },
): Promise<number> {
  const startMs = clock.monotonicMs();
  for await (const _ of store.list(PROBE_FOLDER, options)) break;
  return clock.monotonicMs() - startMs;
}

async function caught(
  step: () => Promise<ClaudeSyncError | null>,
): Promise<ClaudeSyncError | null> {
  try {
    return await step();
  } catch (error) {
    if (isClaudeSyncError(error)) return error;
    throw error;
  }
}

function mustNotDiffer(store: ObjectStore, outcome: string): ClaudeSyncError | null {
  return outcome === "differs"
    ? changed(`${store.label} says that other bytes are where nothing was put before`)
    : null;
}

async function isListed(
  store: ObjectStore,
  wanted: ObjectName,
  options: StoreOptions,
): Promise<boolean> {
  for await (const { name } of store.list(PROBE_FOLDER, options)) {
    if (name === wanted) return true;
  }
  return false;
}

function changed(message: string): ClaudeSyncError {
  return new ClaudeSyncError("store-invalid", message, {
    hint: "Something between here and the store changes or delays objects: a cache, a gateway, " +
      "a synced folder that is not ready",
  });
}
