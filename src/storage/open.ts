import { ClaudeSyncError } from "../errors.ts";
import type { Platform } from "../platform/types.ts";
import type { StoreLocation } from "./location.ts";
import type { ObjectStore } from "./object_store.ts";

/** A key pair for a bucket. */
export interface SavedKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** What opening a store needs. */
export interface OpenStoreOptions {
  readonly platform: Platform;
  /** Absolute path of a folder for what a driver remembers; it may be lost at any time. */
  readonly cacheDir: string;
  /** Takes a sentence that the user should see, e.g. that the clock is wrong. */
  readonly note: (message: string) => void;
  /** Makes the place when it is not there, and takes an empty one: for `init`. Default: neither. */
  readonly create?: boolean;
  /** Makes the bucket as well, private, when it is not there. Default: no. */
  readonly createBucket?: boolean;
  /**
   * Keys that the user had kept for this very place, or null; they are tried before any others.
   * Asked when the first request needs them. Secret: never printed. Errors: `unsafe-file`,
   * `malformed-file`. Default: there are none.
   */
  readonly savedKeys?: () => SavedKeys | null;
}

/**
 * Opens the store at `location`; the only place that knows the drivers, and loads just the one it
 * needs. Errors: `store-unreachable` when the place is not there or, without `create`, is empty;
 * `store-refused`, `store-invalid`.
 */
export async function openStore(
  location: StoreLocation,
  { platform, create = false }: OpenStoreOptions,
): Promise<ObjectStore> {
  switch (location.kind) {
    case "folder": {
      const { openFolderStore } = await import("./folder/store.ts");
      const { fs, random, clock } = platform;
      return openFolderStore(location.path, { fs, random, clock, create });
    }
    default:
      throw new ClaudeSyncError(
        "newer-format",
        `This version of claude-sync opens no vault of the kind "${location.kind}"`,
      );
  }
}
