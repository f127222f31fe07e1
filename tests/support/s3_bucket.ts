/** Buckets of their own for tests, on a real server or behind a proxy. */
import { AwsClient } from "aws4fetch";
import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodePlatform } from "../../src/platform/node.ts";
import type { Platform } from "../../src/platform/types.ts";
import type { BucketStore } from "../../src/storage/bucket/store.ts";
import type { AwsCredentialSource } from "../../src/storage/s3/aws_credentials.ts";
import { type OpenS3Options, openS3Store, type S3Location } from "../../src/storage/s3/store.ts";
import type { S3Address } from "../servers/s3_address.ts";

/** Fields of a location, of either kind. */
export interface LocationChanges {
  readonly kind?: "s3" | "r2";
  readonly bucket?: string;
  readonly prefix?: string;
  readonly region?: string | null;
  readonly endpoint?: string | null;
  readonly pathStyle?: boolean;
}

/** How a test's bucket differs from the usual. */
export interface TestBucketOptions {
  readonly location?: LocationChanges;
  readonly open?: Partial<OpenS3Options>;
  readonly keys?: Partial<Pick<S3Address, "accessKeyId" | "secretAccessKey">>;
  /** Replaces parts of the real platform. */
  readonly platform?: Partial<Platform>;
}

/** A bucket that a test opens as often as it likes. */
export interface TestBucket extends AsyncDisposable {
  readonly location: S3Location;
  /** Everything that was noted by stores opened here. */
  readonly notes: string[];
  readonly cacheDir: string;
  open(options?: TestBucketOptions): Promise<BucketStore>;
}

/** Credentials that last. */
function fixedCredentials(
  { accessKeyId, secretAccessKey }: Pick<S3Address, "accessKeyId" | "secretAccessKey">,
): AwsCredentialSource {
  const keys = { accessKeyId, secretAccessKey, sessionToken: null, expiresAtMs: null };
  return { from: null, credentials: () => Promise.resolve({ ...keys, from: "test" }) };
}

/** A name for a bucket that nobody has. */
export function freshBucketName(): string {
  return `test-${randomUUID()}`;
}

/** A place on `server` whose bucket is not there yet. */
export function testBucket(server: S3Address, options: TestBucketOptions = {}): TestBucket {
  const cacheDir = mkdtempSync(join(tmpdir(), "css-bucket-"));
  const notes: string[] = [];
  const location = {
    kind: "s3",
    bucket: freshBucketName(),
    prefix: "",
    region: null,
    endpoint: server.endpoint,
    pathStyle: false,
    awsProfile: null,
    ...options.location,
  } as S3Location;
  return {
    location,
    notes,
    cacheDir,
    open(changes = {}) {
      return openS3Store({ ...location, ...changes.location } as S3Location, {
        platform: { ...nodePlatform(), ...options.platform, ...changes.platform },
        cacheDir,
        note: (message) => void notes.push(message),
        credentials: fixedCredentials({ ...server, ...options.keys, ...changes.keys }),
        defaultRegion: null,
        ...options.open,
        ...changes.open,
      });
    },
    [Symbol.asyncDispose]() {
      rmSync(cacheDir, { recursive: true, force: true });
      return Promise.resolve();
    },
  };
}

/** A place whose bucket is there, as anybody may have made it: without versions. */
export async function madeBucket(
  server: S3Address,
  options: TestBucketOptions = {},
): Promise<TestBucket> {
  const place = testBucket(server, options);
  await makeBucket(server, place.location.bucket);
  return place;
}

/** Makes a bucket by other means than the program's. */
export async function makeBucket(server: S3Address, bucket: string): Promise<void> {
  const client = new AwsClient({ ...server, service: "s3", retries: 0 });
  const emptyHash = createHash("sha256").digest("hex");
  const response = await client.fetch(`${server.endpoint}/${bucket}`, {
    method: "PUT",
    headers: { "x-amz-content-sha256": emptyHash },
  });
  assert.equal(response.status, 200, await response.text());
}
