/** Eight machines at once; `deno task bench crowd` lets them go on for a minute. */
import assert from "node:assert/strict";
import { serverTest } from "../servers/servers.ts";
import { crowd } from "../support/crowd.ts";
import { storePlace } from "../support/store_place.ts";
import { inTempDir } from "../support/sync_machine.ts";

const MACHINES = 8;
const ROUNDS = 2;

for (const name of ["rgw", "git-http"] as const) {
  serverTest(
    name,
    `eight machines pushing at once to ${name} lose nothing and converge`,
    () =>
      inTempDir(async (dir) => {
        await using place = await storePlace(name);
        const report = await crowd(dir, place, MACHINES, (rounds) => rounds === ROUNDS);
        assert.deepEqual(report.failures, []);
        assert.equal(report.pushes, MACHINES * ROUNDS);
      }),
  );
}
