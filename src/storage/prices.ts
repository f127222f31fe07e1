/**
 * What a vault costs a month, roughly: published list prices in US dollars, as they were on
 * `PRICES_AS_OF`, of the providers' cheapest big regions and their ordinary storage class.
 */
import type { StoreLocation } from "./location.ts";

/** When the table was last compared with the providers' pages. */
const PRICES_AS_OF = "2026-11";

/** One provider's prices. */
export interface PriceList {
  readonly provider: string;
  /** Page with the prices. */
  readonly source: string;
  readonly storageGbMonth: number;
  /** Per million puts and lists. */
  readonly writesMillion: number;
  /** Per million gets. */
  readonly readsMillion: number;
  /** Per gigabyte that leaves the provider. */
  readonly egressGb: number;
  /** What of these a month is free for every account. */
  readonly free: {
    readonly storageGb: number;
    readonly writes: number;
    readonly reads: number;
    readonly egressGb: number;
  };
}

const NOTHING_FREE = { storageGb: 0, writes: 0, reads: 0, egressGb: 0 };

const AWS: PriceList = {
  provider: "AWS S3 Standard, us-east-1",
  source: "https://aws.amazon.com/s3/pricing/",
  storageGbMonth: 0.023,
  writesMillion: 5,
  readsMillion: 0.4,
  egressGb: 0.09,
  free: { ...NOTHING_FREE, egressGb: 100 },
};
const R2: PriceList = {
  provider: "Cloudflare R2 Standard",
  source: "https://developers.cloudflare.com/r2/pricing/",
  storageGbMonth: 0.015,
  writesMillion: 4.5,
  readsMillion: 0.36,
  egressGb: 0,
  free: { storageGb: 10, writes: 1e6, reads: 1e7, egressGb: 0 },
};
const GCS: PriceList = {
  provider: "Google Cloud Storage Standard, us-east1",
  source: "https://cloud.google.com/storage/pricing",
  storageGbMonth: 0.02,
  writesMillion: 5,
  readsMillion: 0.4,
  egressGb: 0.12,
  free: NOTHING_FREE,
};

/** The prices at a place; null where nobody's list says them. */
export function pricesAt(location: StoreLocation): PriceList | null {
  switch (location.kind) {
    case "s3":
      return location.endpoint === null || isHost(location.endpoint, "amazonaws.com") ? AWS : null;
    case "r2":
      return isHost(location.endpoint, "r2.cloudflarestorage.com") ? R2 : null;
    case "gcs":
      return location.endpoint === null || isHost(location.endpoint, "googleapis.com") ? GCS : null;
    default:
      return null;
  }
}

function isHost(endpoint: string, domain: string): boolean {
  const { hostname } = new URL(endpoint);
  return hostname === domain || hostname.endsWith(`.${domain}`);
}

/** A month's work: what a machine is taken to do. */
export interface MonthlyUse {
  readonly storedBytes: number;
  readonly machines: number;
}

/** Pushes with something new, of each machine a day. */
export const PUSHES_A_DAY = 50;
/** Looks at the store, of each machine a day, whether or not there is something new. */
export const LOOKS_A_DAY = 100;
const DAYS_A_MONTH = 30;
/** A push is a put or two and a list; what it brings is read by the others. */
const PUTS_A_PUSH = 2;
/** What a push brings on average, as it travels. */
const PUSH_BYTES = 16 * 1024;

/** An estimate in US dollars. */
export interface CostEstimate {
  readonly provider: string;
  readonly storageUsd: number;
  readonly requestsUsd: number;
  readonly egressUsd: number;
  readonly totalUsd: number;
  readonly asOf: string;
  readonly source: string;
}

/** What `use` costs a month by `prices`, less what is free. */
export function estimateCost(prices: PriceList, use: MonthlyUse): CostEstimate {
  const pushes = use.machines * PUSHES_A_DAY * DAYS_A_MONTH;
  const looks = use.machines * LOOKS_A_DAY * DAYS_A_MONTH;
  const reads = pushes * Math.max(0, use.machines - 1);
  const paid = (amount: number, free: number) => Math.max(0, amount - free);
  const { free } = prices;
  const storageUsd = paid(use.storedBytes / 1e9, free.storageGb) * prices.storageGbMonth;
  const writes = pushes * PUTS_A_PUSH + pushes + looks;
  const requestsUsd = paid(writes, free.writes) / 1e6 * prices.writesMillion +
    paid(reads, free.reads) / 1e6 * prices.readsMillion;
  const egressUsd = paid(reads * PUSH_BYTES / 1e9, free.egressGb) * prices.egressGb;
  return {
    provider: prices.provider,
    storageUsd,
    requestsUsd,
    egressUsd,
    totalUsd: storageUsd + requestsUsd + egressUsd,
    asOf: PRICES_AS_OF,
    source: prices.source,
  };
}
