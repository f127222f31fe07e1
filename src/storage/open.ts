import { ClaudeSyncError } from "../errors.ts";
import type { Platform } from "../platform/types.ts";
import type { StoreLocation } from "./location.ts";
import type { ObjectStore } from "./object_store.ts";

/** What opening a store needs. */
export interface OpenStoreOptions {
  readonly platform: Platform;
  /** Absolute path of a folder for what a driver remembers; it may be lost at any time. */
  readonly cacheDir: string;
  /** Takes a sentence that the user should see, e.g. that the clock is wrong. */
  readonly note: (message: string) => void;
  /**
   * Makes the place when it is not there, takes an empty one, and tries what a vault needs: for
   * `init`. Default: none of it. A bucket is made with `createBucket` only.
   */
  readonly create?: boolean;
  /** With `create`: makes the bucket when it is not there, private. Default: that is an error. */
  readonly createBucket?: boolean;
  /** Ends what `create` does on the way. */
  readonly signal?: AbortSignal;
}

/**
 * Opens the store at `location`; the only place that knows the drivers, and loads just the one it
 * needs. Errors: `store-unreachable` when the place is not there or, without `create`, is empty;
 * `no-vault` without the bucket; `usage` for a place that no driver takes; `store-refused`,
 * `store-invalid`.
 */
export async function openStore(
  location: StoreLocation,
  options: OpenStoreOptions,
): Promise<ObjectStore> {
  const { platform, create = false } = options;
  switch (location.kind) {
    case "folder": {
      const { openFolderStore } = await import("./folder/store.ts");
      const { fs, random, clock } = platform;
      return openFolderStore(location.path, { fs, random, clock, create });
    }
    case "git": {
      const { openGitStore } = await import("./git/store.ts");
      const { parseGitUrl } = await import("./git/git_url.ts");
      return await openGitStore(parseGitUrl(location.url, platform.host.os), options);
    }
    case "s3":
    case "r2": {
      const { openS3Store } = await import("./s3/store.ts");
      const { environmentCredentials } = await import("./s3/environment_credentials.ts");
      const { host } = platform;
      return await openS3Store(location, {
        ...options,
        credentials: environmentCredentials(host),
        defaultRegion: host.env("AWS_REGION") ?? host.env("AWS_DEFAULT_REGION") ?? null,
      });
    }
    default:
      throw new ClaudeSyncError(
        "newer-format",
        `This version of claude-sync opens no vault of the kind "${location.kind}"`,
      );
  }
}
