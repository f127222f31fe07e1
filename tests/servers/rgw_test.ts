import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { startFaultProxy } from "./fault_proxy.ts";
import { assertStrictS3, signedSender } from "./s3_probe.ts";
import { serverTest } from "./servers.ts";

serverTest(
  "rgw",
  "Ceph's gateway stores, lists, and verifies signatures and hashes",
  async (rgw) => {
    await assertStrictS3(rgw, { conditionalPut: "supported" });
  },
);

serverTest(
  "rgw",
  "signatures hold behind the fault proxy, also where it changes requests",
  async (rgw) => {
    const { secretAccessKey } = rgw;
    await using proxy = await startFaultProxy({ upstream: rgw.endpoint, secretAccessKey });
    const behind = { ...rgw, endpoint: proxy.origin };
    await assertStrictS3(behind, { conditionalPut: "supported" });

    const send = signedSender(behind);
    const bucket = `${proxy.origin}/faults-${randomBytes(6).toString("hex")}`;
    await send("PUT", bucket);
    const create = { headers: { "if-none-match": "*" }, body: new Uint8Array(1) };
    const statuses = async () => [
      (await send("PUT", `${bucket}/a`, create)).status,
      (await send("PUT", `${bucket}/a`, create)).status,
    ];
    const ignoring = proxy.inject({ fault: { kind: "drop-header", name: "if-none-match" } });
    assert.deepEqual(await statuses(), [200, 200], "a server that ignores the condition");
    ignoring.remove();
    assert.deepEqual(await statuses(), [412, 412]);

    const anHour = 3_600_000;
    proxy.inject({ fault: { kind: "clock", offsetMs: anHour, toleranceMs: 900_000 } });
    assert.match((await send("GET", `${bucket}/a`)).text, /RequestTimeTooSkewed/);
    const datetime = new Date(Date.now() + anHour).toISOString().replace(/[-:]|\.\d+/g, "");
    assert.equal((await signedSender(behind, datetime)("GET", `${bucket}/a`)).status, 200);
  },
);
