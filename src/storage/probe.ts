/** Trying a store out, one operation after the other, through the interface alone. */
import { type Bytes, equalBytes, toBase32 } from "../base/bytes.ts";
import { ClaudeSyncError, isClaudeSyncError } from "../errors.ts";
import type { Clock, Random } from "../platform/types.ts";
import { type ObjectName, objectName } from "./object_name.ts";
import type { ObjectStore, StoreOptions } from "./object_store.ts";

/** Bytes of the object that is put: more than one packet, less than anybody pays for. */
const PROBE_OBJECT_BYTES = 4096;
/** Folder of nothing: a list of it is the smallest question. No vault has it. */
const PROBE_FOLDER = "probe/";
/** How often a list is asked until it shows the object: lists may come late. */
export const PROBE_LISTS_MAX = 6;
const LIST_PAUSE_MS = 500;

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
 * Tries every operation on a small object of random bytes and a random name, beside whatever is
 * there, each even if another failed, and gives a result for each. The object does not stay, unless
 * the store permits no deleting. An abort passes through as the signal's reason, and so does every
 * error that is no `ClaudeSyncError`.
 */
export async function probeStore(
  store: ObjectStore,
  options: ProbeStoreOptions,
): Promise<ProbeResult[]> {
  const { clock, random, signal } = options;
  // No folder: one that a folder's store makes would stay there.
  const name = objectName(`claude-sync-probe-${toBase32(random.bytes(20))}`);
  const steps = stepsOf(store, name, random.bytes(PROBE_OBJECT_BYTES), options);
  const results: ProbeResult[] = [];
  try {
    for (const operation of Object.keys(steps) as ProbeOperation[]) {
      const needed = results.find((result) => result.operation === NEEDS[operation]);
      if (needed !== undefined && needed.outcome !== "ok") {
        results.push({ operation, outcome: "skipped", tookMs: 0, error: null });
        continue;
      }
      const startMs = clock.monotonicMs();
      const error = await caught(steps[operation]);
      signal?.throwIfAborted();
      const tookMs = clock.monotonicMs() - startMs;
      results.push({ operation, outcome: error === null ? "ok" : "failed", tookMs, error });
    }
  } finally {
    const wasPut = results.some(({ operation }) => operation === "list");
    const isDeleted = results.some(({ operation, outcome }) =>
      operation === "delete" && outcome === "ok"
    );
    // Interrupted, or a put whose answer was lost: without the signal, which would stop it.
    if (wasPut && !isDeleted) await caught(() => store.delete(name).then(() => null));
  }
  return results;
}

function stepsOf(
  store: ObjectStore,
  name: ObjectName,
  body: Bytes,
  { clock, random: _, ...options }: ProbeStoreOptions,
): Readonly<Record<ProbeOperation, () => Promise<ClaudeSyncError | null>>> {
  return {
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
    "list again": async () => {
      for (let asked = 1; !await isListed(store, name, options); asked++) {
        if (asked === PROBE_LISTS_MAX) {
          return changed(`A list of ${store.label} does not show what was put there`);
        }
        await clock.sleep(LIST_PAUSE_MS, options.signal);
      }
      return null;
    },
    "put again": async () => mustNotDiffer(store, await store.put(name, body, options)),
    "delete": async () => {
      await store.delete(name, options);
      let left: Bytes | null = null;
      // Where reading fails, that was said already.
      await caught(async () => {
        left = await store.get(name, options);
        return null;
      });
      return left === null ? null : changed(`${store.label} still gives what was deleted`);
    },
  };
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
  // From just before it: a vault may hold many others.
  const after = objectName(wanted.slice(0, -1));
  for await (const { name } of store.list("", { ...options, after })) {
    if (name >= wanted) return name === wanted;
  }
  return false;
}

function changed(message: string): ClaudeSyncError {
  return new ClaudeSyncError("store-invalid", message, {
    hint: "Something between here and the store changes or delays objects: a cache, a gateway, " +
      "a synced folder that is not ready",
  });
}
