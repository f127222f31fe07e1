/** What is known about the store: how far it is, what it holds, what it costs, what works. */
import { toHex } from "../base/bytes.ts";
import { ClaudeSyncError } from "../errors.ts";
import { formatStoreLocation } from "../storage/location.ts";
import type { ObjectInfo } from "../storage/object_store.ts";
import { estimateCost, pricesAt } from "../storage/prices.ts";
import { measureLatency, type ProbeResult, probeStore } from "../storage/probe.ts";
import { objectKindOf, parseLogEntryName } from "../vault/names.ts";
import type { SyncContext } from "./api.ts";
import type { ObjectCount, StoreInfo, StoreTest, StoreTestStep } from "./store_api.ts";
import { type OpenedStore, openMeteredStore, readHeader, requireConfig } from "./vault_access.ts";

/** How often a round trip is measured; the quickest counts, as the first also connects. */
const LATENCY_TRIES = 3;

/** See `SyncService.storeInfo`. Errors: `not-set-up`, `no-vault`, the store's own. */
export async function storeInfo(context: SyncContext): Promise<StoreInfo> {
  const config = requireConfig(context);
  const { clock } = context.platform;
  const startMs = clock.monotonicMs();
  const store = await openMeteredStore(context, config);
  const latencyMs = await latencyOf(context, store);
  const header = await readHeader(store, context.signal);
  if (header === null || toHex(header.vaultId) !== config.vaultId) {
    throw new ClaudeSyncError(
      "no-vault",
      header === null
        ? `There is no vault at ${store.label} any more`
        : `Another vault stands at ${store.label} now`,
    );
  }
  const { counts, machines } = await countObjects(context, store);
  const prices = pricesAt(config.store);
  const storedBytes = Object.values(counts).reduce((sum, { bytes }) => sum + bytes, 0);
  return {
    store: formatStoreLocation(config.store),
    kind: config.store.kind,
    vaultId: config.vaultId,
    latencyMs,
    concurrency: store.concurrency,
    batching: store.isBatching,
    facts: store.facts(),
    machines,
    ...counts,
    cost: prices === null ? null : estimateCost(prices, { storedBytes, machines }),
    requests: requestsOf(store),
    ms: Math.round(clock.monotonicMs() - startMs),
  };
}

/** One round trip to the store, in milliseconds. Errors: the store's own. */
export async function latencyOf(context: SyncContext, store: OpenedStore): Promise<number> {
  const { signal, platform: { clock } } = context;
  let bestMs = Infinity;
  for (let attempt = 0; attempt < LATENCY_TRIES; attempt++) {
    bestMs = Math.min(bestMs, await measureLatency(store, { clock, signal }));
  }
  return Math.round(bestMs);
}

type Counts = Record<"entries" | "packs" | "others" | "strangers", ObjectCount>;

async function countObjects(
  context: SyncContext,
  store: OpenedStore,
): Promise<{ counts: Counts; machines: number }> {
  const none: ObjectCount = { objects: 0, bytes: 0 };
  const counts: Counts = { entries: none, packs: none, others: none, strangers: none };
  const tags = new Set<string>();
  for await (const info of store.list("", { signal: context.signal })) {
    const group = groupOf(info);
    const { objects, bytes } = counts[group];
    counts[group] = { objects: objects + 1, bytes: bytes + info.sizeBytes };
    const tag = parseLogEntryName(info.name)?.tag;
    if (tag !== undefined) tags.add(tag);
  }
  return { counts, machines: tags.size };
}

function groupOf({ name }: ObjectInfo): keyof Counts {
  switch (objectKindOf(name)) {
    case "entry":
      return "entries";
    case "pack":
      return "packs";
    case null:
      return "strangers";
    default:
      return "others";
  }
}

/** See `SyncService.storeTest`. Errors: `not-set-up`, and why the store cannot be opened. */
export async function storeTest(context: SyncContext): Promise<StoreTest> {
  const config = requireConfig(context);
  const { clock, random } = context.platform;
  const startMs = clock.monotonicMs();
  const store = await openMeteredStore(context, config);
  const steps = await probeStore(store, { clock, random, signal: context.signal });
  return {
    store: formatStoreLocation(config.store),
    facts: store.facts(),
    steps: steps.map(testStep),
    requests: requestsOf(store),
    ms: Math.round(clock.monotonicMs() - startMs),
  };
}

function testStep({ operation, outcome, tookMs, error }: ProbeResult): StoreTestStep {
  return {
    operation,
    outcome,
    ms: Math.round(tookMs),
    code: error?.code ?? null,
    message: error?.message ?? null,
    hint: error?.hint ?? null,
  };
}

/** All requests that went to a store. */
export function requestsOf(store: OpenedStore): number {
  const { get, put, list, delete: deleted } = store.traffic().requests;
  return get + put + list + deleted;
}
