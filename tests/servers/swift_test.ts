import assert from "node:assert/strict";
import { assertStrictS3 } from "./s3_probe.ts";
import { serverTest } from "./servers.ts";

serverTest("swift", "Swift stores, lists, and verifies signatures and hashes", async (swift) => {
  await assertStrictS3(swift, { conditionalPut: "refused" });
});

serverTest("swift", "Swift insists on its region", async (swift) => {
  const elsewhere = { ...swift, region: "us-east-1" };
  const probe = assertStrictS3(elsewhere, { conditionalPut: "refused" });
  await assert.rejects(probe, /400 !== 200/);
});
