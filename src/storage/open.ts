import type { Platform } from "../platform/types.ts";
import type { LocationOf, StoreLocation } from "./location.ts";
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
  /**
   * Makes the place when it is not there, takes an empty one, and tries what a vault needs: for
   * `init`. Default: none of it. A bucket is made with `createBucket` only.
   */
  readonly create?: boolean;
  /** With `create`: makes the bucket when it is not there, private. Default: that is an error. */
  readonly createBucket?: boolean;
  /** Ends what `create` does on the way. */
  readonly signal?: AbortSignal;
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
    case "s3":
    case "r2": {
      const { openS3Store } = await import("./s3/store.ts");
      return await openS3Store(location, {
        ...options,
        credentials: await awsKeysFor(location.awsProfile, serviceOf(location), options),
        defaultRegion: (await awsPlaceDefaults(platform, location.awsProfile)).region,
      });
    }
    case "gcs": {
      const { openGcsStore } = await import("./gcs/store.ts");
      return await openGcsStore(location, {
        ...options,
        hmac: location.auth === "hmac" ? await hmacSigning(options) : null,
      });
    }
    case "git": {
      const { openGitStore } = await import("./git/store.ts");
      const { parseGitUrl } = await import("./git/git_url.ts");
      return await openGitStore(parseGitUrl(location.url, platform.host.os), options);
    }
  }
}

/** What the user's AWS configuration says of the place of a bucket; nothing of it is secret. */
export interface AwsPlaceDefaults {
  readonly region: string | null;
  /** As it was written there, unchecked; null: AWS itself. */
  readonly endpoint: string | null;
}

/**
 * Region and endpoint for S3 by the environment and the profile (null: the one in force there), for
 * `init`: what it finds belongs into the location, as hooks may run in another environment. Errors:
 * `malformed-file`, `too-large`, `local-io`.
 */
export async function awsPlaceDefaults(
  { fs, host }: Pick<Platform, "fs" | "host">,
  profile: string | null,
): Promise<AwsPlaceDefaults> {
  const { awsSettings } = await import("./s3/credentials/aws_settings.ts");
  return awsSettings({ fs, host }, profile);
}

function serviceOf(location: LocationOf<"s3"> | LocationOf<"r2">): "aws" | "other" {
  return location.endpoint === null ? "aws" : "other";
}

async function awsKeysFor(
  profile: string | null,
  service: "aws" | "other",
  { platform, savedKeys }: OpenStoreOptions,
) {
  const { awsCredentialSource } = await import("./s3/credentials/source.ts");
  const { officialCredentials } = await import("./s3/credentials/official_provider.ts");
  return awsCredentialSource({
    platform,
    profile,
    service,
    savedKeys: savedKeys ?? (() => null),
    official: officialCredentials,
  });
}

/** Google takes the signature of S3; its keys are found where AWS's are. */
async function hmacSigning(options: OpenStoreOptions) {
  const { sigV4Signer } = await import("./s3/sigv4_signer.ts");
  const credentials = await awsKeysFor(null, "other", options);
  const region = { current: "auto", isFixed: true, learn: () => {} };
  const { platform: { clock }, note } = options;
  return {
    signer: sigV4Signer({ credentials, region, clock, note }),
    get from() {
      return credentials.from;
    },
  };
}
