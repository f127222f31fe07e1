/** Places in the S3 of `strict_s3.ts`. */
import { testBucket, type TestBucketOptions } from "./s3_bucket.ts";
import { type StrictS3, strictS3, type StrictS3Options } from "./strict_s3.ts";

/** What a test's machine knows of that S3. */
export const server = {
  endpoint: "https://s3.example.com",
  region: "us-east-1",
  accessKeyId: "AKID",
  secretAccessKey: "secret",
};
/** A place in a bucket of `s3`. */
export function placeIn(s3: StrictS3, options: TestBucketOptions = {}) {
  return testBucket(server, {
    ...options,
    location: { bucket: "bucket", ...options.location },
    platform: { http: s3, ...options.platform },
  });
}

/** On AWS itself: no endpoint, the bucket before the host. */
export function onAws(changes: Partial<StrictS3Options> = {}, options: TestBucketOptions = {}) {
  const s3 = strictS3({ addressing: "virtual-host", ...changes });
  return {
    s3,
    place: placeIn(s3, { ...options, location: { endpoint: null, ...options.location } }),
  };
}
