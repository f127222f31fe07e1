/** S3, everything that speaks it, and Cloudflare R2. */
import { ClaudeSyncError } from "../../errors.ts";
import type { Platform } from "../../platform/types.ts";
import { probeCapabilities } from "../bucket/capabilities.ts";
import { bucketClient } from "../bucket/client.ts";
import { isLoopback, parseEndpoint } from "../bucket/endpoint.ts";
import { openRemembered, type Remembered } from "../bucket/remembered.ts";
import { type BucketStore, bucketStore } from "../bucket/store.ts";
import { formatStoreLocation, type LocationOf } from "../location.ts";
import type { StoreFact } from "../store_facts.ts";
import { awsHost, s3Address } from "./address.ts";
import type { AwsCredentialSource } from "./aws_credentials.ts";
import { createBucket } from "./create_bucket.ts";
import { type Addressing, addressingOfHost, regionOfHost } from "./providers.ts";
import { type RegionState, sigV4Signer } from "./sigv4_signer.ts";
import { awsWords, r2Words, s3Words } from "./words.ts";

/** Region of AWS for a bucket that nothing is known about: it redirects to any other. */
const FIRST_REGION = "us-east-1";

const PLAIN_NOTE =
  "The store is reached by plain http: what is stored is sealed and what is sent " +
  "is signed, but the network sees names, sizes and times";

/** A location of this driver. */
export type S3Location = LocationOf<"s3"> | LocationOf<"r2">;

/** What the driver needs besides the location. */
export interface OpenS3Options {
  readonly platform: Platform;
  /** Absolute path of a folder for what is remembered of the bucket. */
  readonly cacheDir: string;
  /** Takes a sentence that the user should see. */
  readonly note: (message: string) => void;
  /** Tries every operation, so that what is missing shows now. Default: sends nothing. */
  readonly create?: boolean;
  /** With `create`: makes the bucket when it is not there. Default: that is an error. */
  readonly createBucket?: boolean;
  readonly credentials: AwsCredentialSource;
  /** Region of the AWS profile or environment; null when it names none. */
  readonly defaultRegion: string | null;
  readonly signal?: AbortSignal;
}

/**
 * Opens a bucket. Without `create` nothing is sent, so a bucket that is not there is found out by
 * the first call. Errors: `usage` (an endpoint that is not allowed), and with `create` those of the
 * operations: `no-vault` without the bucket, `store-refused` with the permission that is missing.
 */
export async function openS3Store(
  location: S3Location,
  options: OpenS3Options,
): Promise<BucketStore> {
  const s3 = assembled(location, options);
  const { platform, note, create = false, signal } = options;
  if (!create) return s3.store;
  if (s3.isPlain) note(PLAIN_NOTE);
  if (options.createBucket) {
    if (location.kind === "r2") throw bucketOfR2(location.bucket);
    await createBucket({
      ...s3,
      bucket: location.bucket,
      region: s3.isAws ? s3.region.current : null,
      hasPublicAccessBlock: s3.isAws,
      note,
      ...(signal === undefined ? {} : { signal }),
    });
  }
  await probeCapabilities(s3.store, {
    random: platform.random,
    clock: platform.clock,
    note,
    ...(signal === undefined ? {} : { signal }),
  });
  return s3.store;
}

function assembled(location: S3Location, options: OpenS3Options) {
  const { bucket, prefix } = location;
  if (bucket.endsWith("--x-s3")) throw directoryBucket(bucket);
  const endpoint = location.endpoint === null
    ? null
    : parseEndpoint(location.endpoint, "local-network");
  const isAws = endpoint === null || /\.amazonaws\.(com|com\.cn|eu)$/.test(endpoint.hostname);
  const addressing = addressingOf(location, endpoint);
  const remembered = openRemembered({
    ...options.platform,
    cacheDir: options.cacheDir,
    identity: JSON.stringify([formatStoreLocation(location), addressing, regionOf(location)]),
  });
  const region = regionState(location, endpoint, remembered, options);
  const { http, clock } = options.platform;
  const client = bucketClient({
    http,
    address: s3Address({ bucket, endpoint, addressing, region: () => region.current }),
    signer: sigV4Signer({ ...options, clock, region }),
  });
  const words = location.kind === "r2"
    ? r2Words(location)
    : isAws
    ? awsWords({ bucket, prefix, region: () => region.current })
    : s3Words(location);
  const store = bucketStore({
    label: formatStoreLocation(location),
    bucket,
    prefix,
    client,
    words,
    remembered,
    createOnlyHeader: { "if-none-match": "*" },
    facts: () => [
      ...credentialFacts(options.credentials),
      { name: "region", value: region.current },
      { name: "bucket is", value: addressing === "path" ? "in the path" : "before the host" },
    ],
  });
  const isPlain = endpoint?.protocol === "http:" && !isLoopback(endpoint);
  return { store, client, words, region, isAws, isPlain };
}

function credentialFacts({ from }: AwsCredentialSource): StoreFact[] {
  return from === null ? [] : [{ name: "credentials", value: from }];
}

function addressingOf(location: S3Location, endpoint: URL | null): Addressing {
  if (location.kind === "r2" || location.pathStyle) return "path";
  return addressingOfHost(endpoint?.hostname ?? awsHost(FIRST_REGION));
}

/** The region as the user named it; null when it was left open. */
function regionOf(location: S3Location): string | null {
  return location.kind === "s3" ? location.region : null;
}

/**
 * What the bucket said itself comes first, then what the user said, the endpoint's name, and the
 * AWS configuration.
 */
function regionState(
  location: S3Location,
  endpoint: URL | null,
  remembered: Remembered,
  { defaultRegion, note }: OpenS3Options,
): RegionState {
  if (location.kind === "r2") return { current: "auto", isFixed: true, learn: () => {} };
  const fromHost = endpoint === null ? null : regionOfHost(endpoint.hostname);
  const assumed = location.region ?? fromHost ?? defaultRegion ?? FIRST_REGION;
  return {
    get current() {
      return remembered.facts.region ?? assumed;
    },
    isFixed: false,
    learn(region) {
      if (location.region !== null && region !== location.region) {
        note(
          `The bucket "${location.bucket}" is in the region ${region}, not ${location.region}: ` +
            "that is used from now on",
        );
      }
      remembered.set({ region });
    },
  };
}

function bucketOfR2(bucket: string): ClaudeSyncError {
  return new ClaudeSyncError("usage", `R2 buckets such as "${bucket}" are not made from here`, {
    hint: "Make it in the Cloudflare dashboard, then leave --create-bucket out: the tokens that " +
      "a vault needs may not make buckets",
  });
}

function directoryBucket(bucket: string): ClaudeSyncError {
  return new ClaudeSyncError("usage", `"${bucket}" is a directory bucket (S3 Express)`, {
    hint: "Its lists have no order, so it cannot hold a vault: use a general purpose bucket",
  });
}
