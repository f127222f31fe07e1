/**
 * The one thing every backend must do. A store holds opaque bytes under names; it knows no vault
 * and no crypto. Whole objects only, at most `OBJECT_BYTES_MAX`.
 *
 * The portable contract (nothing more may be relied on):
 * 1. `put` is atomic: readers see the whole object or none.
 * 2. After `put` resolved, `get` of that name gives those bytes.
 * 3. `list` shows an object eventually and never shows anything that was not put (drivers hide
 *    temporary files and everything whose name is not a valid object name).
 * 4. A name is written once, with bytes that never change; a retry sends the same bytes.
 * 5. `delete` is idempotent. NOT promised: conditional writes, overwrites, several objects at once,
 *    times, "absent from a list" meaning "deleted".
 */
import type { Bytes } from "../base/bytes.ts";
import type { ObjectName } from "./object_name.ts";

/** Largest object any driver must take: 64 MiB. Longer puts and gets throw `too-large`. */
export const OBJECT_BYTES_MAX = 64 * 1024 * 1024;

/** Passed to every operation. */
export interface StoreOptions {
  /** Aborting rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Which names `list` gives. */
export interface ListOptions extends StoreOptions {
  /** Only names that sort after this one (by UTF-8 bytes). */
  readonly after?: ObjectName;
}

/** One listed object. */
export interface ObjectInfo {
  readonly name: ObjectName;
  readonly sizeBytes: number;
}

/**
 * What became of a `put`. `created`: the object is there now. `exists`: an object with this name
 * and these very bytes was there already (a retry). `differs`: another object has the name; nothing
 * was changed. A driver that cannot tell without a second request may answer `created` after
 * overwriting with identical bytes.
 */
export type PutOutcome = "created" | "exists" | "differs";

/** One object of a `putAll`; its bytes are read in their turn: all may not fit in memory. */
export interface PutItem {
  readonly name: ObjectName;
  /** The bytes, the same at every call. */
  read(): Promise<Bytes>;
}

/**
 * See the file's comment. Errors: `store-refused`, `store-unreachable`, `store-invalid`,
 * `no-space`, `too-large`.
 */
export interface ObjectStore {
  /** For messages, e.g. `/mnt/nas/vault`. Holds no secret. */
  readonly label: string;
  /** How many calls side by side are of use; 1 where they would only wait for each other. */
  readonly concurrency: number;
  /**
   * Whether `putAll` is one step for the store (a commit) that is repeated as a whole, and not a
   * series of puts.
   */
  readonly isBatching: boolean;
  /** The object's bytes, or null when absent. */
  get(name: ObjectName, options?: StoreOptions): Promise<Bytes | null>;
  put(name: ObjectName, body: Bytes, options?: StoreOptions): Promise<PutOutcome>;
  /**
   * Puts several objects, the last one not before all others are there. Gives the name of one that
   * `differs` (then the last is not put), or null when all are there. When it rejects, any of them
   * may be there.
   */
  putAll(items: readonly PutItem[], options?: StoreOptions): Promise<ObjectName | null>;
  /** Names under `prefix` (a folder such as `log/`, or `""` for all), sorted by UTF-8 bytes. */
  list(prefix: string, options?: ListOptions): AsyncIterable<ObjectInfo>;
  delete(name: ObjectName, options?: StoreOptions): Promise<void>;
}
