/** What the use cases about the store take and give; plain data for `cli`. */
import type { ErrorCode } from "../errors.ts";
import type { StoreLocation } from "../storage/location.ts";
import type { CostEstimate } from "../storage/prices.ts";
import type { ProbeOperation } from "../storage/probe.ts";
import type { StoreFact } from "../storage/store_facts.ts";

/** How much may go over the line. */
export interface TransferLimits {
  /** Bytes a second on average; null: no limit. */
  readonly uploadBytesPerSecond: number | null;
  readonly downloadBytesPerSecond: number | null;
  /** Requests side by side; null: what the store's driver has chosen. */
  readonly concurrency: number | null;
}

/** Limits of one run: what is left out is as the configuration has it. */
export type TransferLimitChanges = Partial<TransferLimits>;

/** A key pair that the user wants kept. Secret: never printed. */
export interface KeyPair {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** How a store is opened. */
export interface OpenStoreRequest {
  /** Makes the place when it is not there, and takes an empty one. */
  readonly create: boolean;
  /** Makes the bucket, too. */
  readonly createBucket?: boolean;
  /** Keys that are to be tried before any others. */
  readonly keys?: KeyPair;
}

/** Objects of one kind, and their bytes. */
export interface ObjectCount {
  readonly objects: number;
  readonly bytes: number;
}

/** What `store info` tells. */
export interface StoreInfo {
  readonly store: string;
  readonly kind: StoreLocation["kind"];
  readonly vaultId: string;
  /** One round trip. */
  readonly latencyMs: number;
  /** Requests side by side. */
  readonly concurrency: number;
  /** Whether several objects go there in one step, as in Git's commits. */
  readonly batching: boolean;
  readonly facts: readonly StoreFact[];
  /** Machines that have a log. */
  readonly machines: number;
  readonly entries: ObjectCount;
  readonly packs: ObjectCount;
  /** The header, keychains and wraps. */
  readonly others: ObjectCount;
  /** Objects that no vault has; they are left alone. */
  readonly strangers: ObjectCount;
  /** Null where no list of prices is known. */
  readonly cost: CostEstimate | null;
  readonly requests: number;
  readonly ms: number;
}

/** One line of `store test`. */
export interface StoreTestStep {
  readonly operation: ProbeOperation;
  /** `skipped`: makes no sense after what has failed. */
  readonly outcome: "ok" | "failed" | "skipped";
  readonly ms: number;
  /** Why it failed and what to do; null when it did not. */
  readonly code: ErrorCode | null;
  readonly message: string | null;
  readonly hint: string | null;
}

/** What `store test` found. */
export interface StoreTest {
  readonly store: string;
  readonly facts: readonly StoreFact[];
  readonly steps: readonly StoreTestStep[];
  readonly requests: number;
  readonly ms: number;
}

/** Where `store move` is to go. */
export interface MoveRequest {
  readonly location: StoreLocation;
  readonly createBucket: boolean;
  readonly keys: KeyPair | null;
  readonly dryRun: boolean;
}

/** What `store move` did. */
export interface MoveResult {
  readonly from: string;
  readonly store: string;
  readonly vaultId: string;
  /** Objects of the vault in the old place. */
  readonly objects: number;
  /** Of these, sent now (or to be sent); the others were there already. */
  readonly copied: number;
  readonly copiedBytes: number;
  /** Of these, read back and found to be the same. */
  readonly verified: number;
  /** Machines that have a log, this one included. */
  readonly machines: number;
  /** Whether the new place is a part of the old one, which must not be deleted as a whole then. */
  readonly inside: boolean;
  readonly dryRun: boolean;
  readonly requests: number;
  readonly ms: number;
}
