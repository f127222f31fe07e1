import { assertStrictS3 } from "./s3_probe.ts";
import { serverTest } from "./servers.ts";

serverTest(
  "rgw",
  "Ceph's gateway stores, lists, and verifies signatures and hashes",
  async (rgw) => {
    await assertStrictS3(rgw, { conditionalPut: "supported" });
  },
);
