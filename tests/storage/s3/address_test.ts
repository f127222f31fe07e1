import assert from "node:assert/strict";
import { awsPartition, s3Address } from "../../../src/storage/s3/address.ts";
import { addressingOfHost, regionOfHost } from "../../../src/storage/s3/providers.ts";

const ADDRESSES: readonly (readonly [
  bucket: string,
  endpoint: string | null,
  region: string,
  expected: string,
])[] = [
  ["bucket", null, "us-east-1", "https://bucket.s3.us-east-1.amazonaws.com/a/b"],
  ["bucket", null, "eu-west-1", "https://bucket.s3.eu-west-1.amazonaws.com/a/b"],
  ["bucket", null, "cn-north-1", "https://bucket.s3.cn-north-1.amazonaws.com.cn/a/b"],
  ["bucket", null, "eusc-de-east-1", "https://bucket.s3.eusc-de-east-1.amazonaws.eu/a/b"],
  ["my.bucket", null, "eu-west-1", "https://s3.eu-west-1.amazonaws.com/my.bucket/a/b"],
  ["My_Bucket", null, "us-east-1", "https://s3.us-east-1.amazonaws.com/My_Bucket/a/b"],
  ["bucket", "https://minio.example:9000", "x", "https://minio.example:9000/bucket/a/b"],
  ["bucket", "http://127.0.0.1:9000", "x", "http://127.0.0.1:9000/bucket/a/b"],
  ["bucket", "https://[::1]:9000", "x", "https://[::1]:9000/bucket/a/b"],
  ["bucket", "https://s3.eu-1.wasabisys.com", "x", "https://s3.eu-1.wasabisys.com/bucket/a/b"],
  [
    "bucket",
    "https://fra1.digitaloceanspaces.com",
    "x",
    "https://bucket.fra1.digitaloceanspaces.com/a/b",
  ],
  ["bucket", "https://t3.storage.dev", "x", "https://bucket.t3.storage.dev/a/b"],
];

Deno.test("s3Address puts the bucket where the service wants it", async (t) => {
  for (const [bucket, endpoint, region, expected] of ADDRESSES) {
    await t.step(expected, () => {
      const url = endpoint === null ? null : new URL(endpoint);
      const addressing = addressingOfHost(url?.hostname ?? "s3.us-east-1.amazonaws.com");
      const address = s3Address({ bucket, endpoint: url, addressing, region: () => region });
      assert.equal(address.url("a/b"), expected);
      assert.equal(address.url(null), expected.slice(0, -"/a/b".length));
    });
  }
  const pathStyle = { bucket: "bucket", endpoint: null, addressing: "path" as const };
  assert.equal(
    s3Address({ ...pathStyle, region: () => "us-east-1" }).url("a"),
    "https://s3.us-east-1.amazonaws.com/bucket/a",
  );
});

Deno.test("regionOfHost reads the region from hosts that have it", () => {
  const regions = {
    "s3.eu-central-003.backblazeb2.com": "eu-central-003",
    "s3.eu-central-1.wasabisys.com": "eu-central-1",
    "s3.wasabisys.com": "us-east-1",
    "s3.fr-par.scw.cloud": "fr-par",
    "fsn1.your-objectstorage.com": "fsn1",
    "nyc3.digitaloceanspaces.com": "nyc3",
    "s3.gra.io.cloud.ovh.net": "gra",
    "fly.storage.tigris.dev": "auto",
    "storage.googleapis.com": "auto",
    "s3.dualstack.eu-west-1.amazonaws.com": "eu-west-1",
    "s3.cn-north-1.amazonaws.com.cn": "cn-north-1",
    [`${"0".repeat(32)}.eu.r2.cloudflarestorage.com`]: "auto",
    "minio.example.com": null,
    "s3.eu-west-1.amazonaws.com.evil.example": null,
  };
  for (const [host, region] of Object.entries(regions)) {
    assert.equal(regionOfHost(host), region, host);
  }
});

Deno.test("awsPartition knows the partitions of AWS", () => {
  const regions = ["us-east-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1"];
  assert.deepEqual(regions.map(awsPartition), ["aws", "aws-cn", "aws-us-gov", "aws-eusc"]);
});
