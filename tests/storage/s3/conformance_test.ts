import { storeCases } from "../../conformance/store_cases.ts";
import { serverTest } from "../../servers/servers.ts";
import { noteTested } from "../../servers/stores.ts";
import { madeBucket, testBucket } from "../../support/s3_bucket.ts";

serverTest("rgw", "S3Store keeps the contract on Ceph RGW", async (server, t) => {
  await using place = await madeBucket(server);
  await place.open({ open: { create: true } });
  for (const [index, { name, run }] of storeCases().entries()) {
    await t.step(
      name,
      async () => run(await place.open({ location: { prefix: `case/${index}` } })),
    );
  }
  await noteTested("s3 on rgw");
});

serverTest("rgw", "S3Store keeps the contract in a bucket that it made", async (server, t) => {
  // Ceph ignores `If-None-Match` in buckets that keep versions.
  for (const { name, run } of storeCases({ skipLargest: true, differingPut: "replaces" })) {
    await t.step(name, async () => {
      await using place = testBucket(server);
      await run(await place.open({ open: { create: true, createBucket: true } }));
    });
  }
});

serverTest("swift", "S3Store keeps the contract on Swift", async (server, t) => {
  await using place = await madeBucket(server);
  // Swift answers 501 to conditional writes.
  const cases = storeCases({ differingPut: "replaces" });
  for (const [index, { name, run }] of cases.entries()) {
    await t.step(
      name,
      async () => run(await place.open({ location: { prefix: `case/${index}` } })),
    );
  }
  await noteTested("s3 on swift");
});
