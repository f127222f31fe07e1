/** Google Cloud Storage by its XML API. */
import { assert } from "../../base/assert.ts";
import type { Platform } from "../../platform/types.ts";
import { probeCapabilities } from "../bucket/capabilities.ts";
import { bucketClient } from "../bucket/client.ts";
import { parseEndpoint } from "../bucket/endpoint.ts";
import { openRemembered } from "../bucket/remembered.ts";
import type { RequestSigner } from "../bucket/signer.ts";
import { type BucketStore, bucketStore } from "../bucket/store.ts";
import { formatStoreLocation, type LocationOf } from "../location.ts";
import type { StoreOptions } from "../object_store.ts";
import { bearerSigner } from "./bearer_signer.ts";
import { createGcsBucket } from "./create_bucket.ts";
import { environmentProject, googleCredentialSource } from "./google_credentials.ts";
import { gcsWords } from "./words.ts";

const ENDPOINT = "https://storage.googleapis.com";

/** A location of this driver. */
export type GcsLocation = LocationOf<"gcs">;

/** What the driver needs besides the location. */
export interface OpenGcsOptions {
  readonly platform: Platform;
  /** Absolute path of a folder for what is remembered of the bucket. */
  readonly cacheDir: string;
  /** Takes a sentence that the user should see. */
  readonly note: (message: string) => void;
  /** Tries every operation, so that what is missing shows now. Default: sends nothing. */
  readonly create?: boolean;
  /** With `create`: makes the bucket when it is not there. Default: that is an error. */
  readonly createBucket?: boolean;
  /** For a location with `hmac`; null for others. */
  readonly hmac: HmacSigning | null;
  readonly signal?: AbortSignal;
}

/** How requests are signed with HMAC keys: the signer of S3, which is another driver's. */
export interface HmacSigning {
  readonly signer: RequestSigner;
  /** Where the keys in use were found; null before they were asked for. Holds no secret. */
  readonly from: string | null;
}

/**
 * Opens a bucket. Without `create` nothing is sent, so a bucket that is not there is found out by
 * the first call. Errors: `usage` (an endpoint that is not allowed), and with `create` those of the
 * operations: `no-vault` without the bucket, `store-refused` with the permission that is missing.
 */
export async function openGcsStore(
  location: GcsLocation,
  options: OpenGcsOptions,
): Promise<BucketStore> {
  const { bucket, auth } = location;
  const { platform, note, create = false, createBucket = false, signal } = options;
  const callOptions = signal === undefined ? {} : { signal };
  const proof = auth === "oauth" ? oauthProof(options) : hmacProof(options);
  // A token is as good as a password on an open line; a signature is not.
  const plainHttp = auth === "oauth" ? "loopback" : "local-network";
  const endpoint = parseEndpoint(location.endpoint ?? ENDPOINT, plainHttp);
  const client = bucketClient({
    http: platform.http,
    address: { url: (key) => `${endpoint.origin}/${bucket}${key === null ? "" : `/${key}`}` },
    signer: proof.signer,
  });
  const words = gcsWords(location);
  const store = bucketStore({
    label: formatStoreLocation(location),
    bucket,
    prefix: location.prefix,
    client,
    words,
    remembered: openRemembered({
      ...platform,
      cacheDir: options.cacheDir,
      identity: JSON.stringify([formatStoreLocation(location), auth]),
    }),
    createOnlyHeader: proof.createOnlyHeader,
    facts: () => {
      const from = proof.from();
      return from === null ? [] : [{ name: "credentials", value: from }];
    },
  });
  if (!create) return store;
  if (createBucket) {
    const project = await proof.project(callOptions);
    await createGcsBucket({ bucket, auth, client, words, project, note, ...callOptions });
  }
  await probeCapabilities(store, { ...platform, note, ...callOptions });
  return store;
}

/** What differs between the two ways of asking. */
interface Proof {
  readonly signer: RequestSigner;
  /** The header by which a put fails when the object exists; null where there is none. */
  readonly createOnlyHeader: Readonly<Record<string, string>> | null;
  from(): string | null;
  /** The project for a new bucket, as far as it is known. */
  project(options: StoreOptions): Promise<string | null>;
}

function oauthProof({ platform, note }: OpenGcsOptions): Proof {
  const source = googleCredentialSource({ ...platform, note });
  return {
    signer: bearerSigner(source, platform.clock),
    createOnlyHeader: { "x-goog-if-generation-match": "0" },
    from: () => source.from,
    project: async (options) => (await source.credentials({ ...options, refresh: false })).project,
  };
}

/** Google takes no condition beside a signature: `if-none-match` is for reading only there. */
function hmacProof({ platform, hmac }: OpenGcsOptions): Proof {
  assert(hmac !== null, "a location with hmac comes with its signer");
  return {
    signer: hmac.signer,
    createOnlyHeader: null,
    from: () => hmac.from,
    project: () => Promise.resolve(environmentProject(platform.host)),
  };
}
