import assert from "node:assert/strict";
import { gcsLocationOf, r2LocationOf, s3LocationOf } from "../../src/storage/place.ts";
import { estimateCost, LOOKS_A_DAY, pricesAt, PUSHES_A_DAY } from "../../src/storage/prices.ts";

function s3(endpoint: string | null) {
  return s3LocationOf({
    bucket: "acme",
    region: null,
    endpoint,
    pathStyle: false,
    awsProfile: null,
  });
}

const R2 = r2LocationOf({
  bucket: "acme",
  account: "0".repeat(32),
  endpoint: null,
  jurisdiction: null,
  awsProfile: null,
});
const GCS = gcsLocationOf({ bucket: "acme", auth: "oauth", endpoint: null });

Deno.test("pricesAt knows the providers by their own hosts only", () => {
  assert.match(pricesAt(s3(null))!.provider, /AWS/);
  assert.match(pricesAt(s3("https://s3.eu-central-1.amazonaws.com"))!.provider, /AWS/);
  for (const other of ["https://minio.example", "https://amazonaws.com.example"]) {
    assert.equal(pricesAt(s3(other)), null, other);
  }
  assert.match(pricesAt(R2)!.provider, /R2/);
  assert.match(pricesAt(GCS)!.provider, /Google/);
  assert.equal(pricesAt({ kind: "folder", path: "/x" }), null);
});

Deno.test("estimateCost takes storage, requests and downloads, less what is free", () => {
  const one = { storedBytes: 1e9, machines: 1 };
  const aws = estimateCost(pricesAt(s3(null))!, one);
  assert.equal(aws.storageUsd, 0.023);
  const writes = 30 * (3 * PUSHES_A_DAY + LOOKS_A_DAY);
  assert.ok(Math.abs(aws.requestsUsd - writes / 1e6 * 5) < 1e-9);
  assert.equal(aws.egressUsd, 0, "nobody else reads");
  assert.equal(aws.totalUsd, aws.storageUsd + aws.requestsUsd);
  assert.equal(estimateCost(pricesAt(R2)!, { storedBytes: 10e9, machines: 3 }).totalUsd, 0);
  const more = estimateCost(pricesAt(R2)!, { storedBytes: 110e9, machines: 3 });
  assert.ok(Math.abs(more.totalUsd - 1.5) < 1e-9);
  // Google's own example: 50 GB in us-east1 for a dollar.
  assert.equal(estimateCost(pricesAt(GCS)!, { storedBytes: 50e9, machines: 0 }).totalUsd, 1);
  assert.ok(estimateCost(pricesAt(GCS)!, { storedBytes: 0, machines: 3 }).egressUsd > 0);
});
