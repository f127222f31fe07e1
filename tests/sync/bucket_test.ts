/** Two machines whose vault is in a bucket of a real server, and what that costs in round trips. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StoreLocation } from "../../src/storage/location.ts";
import { type FaultProxy, type FaultRule, startFaultProxy } from "../servers/fault_proxy.ts";
import type { S3Address } from "../servers/s3_address.ts";
import { serverTest } from "../servers/servers.ts";
import { freshBucketName, makeBucket } from "../support/s3_bucket.ts";
import { said, SyncMachine } from "../support/sync_machine.ts";

interface Pair {
  readonly one: SyncMachine;
  readonly two: SyncMachine;
  readonly proxy: FaultProxy;
}

/** Two machines behind a proxy, with one vault in a bucket of their own. */
async function withPair(server: S3Address, work: (pair: Pair) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "css-sync-bucket-"));
  const { endpoint: upstream, accessKeyId, secretAccessKey } = server;
  await using proxy = await startFaultProxy({ upstream, secretAccessKey });
  const location: StoreLocation = {
    kind: "s3",
    bucket: freshBucketName(),
    prefix: "team",
    region: null,
    endpoint: proxy.origin,
    pathStyle: false,
    awsProfile: null,
  };
  await makeBucket(server, location.bucket);
  const env = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
  const one = new SyncMachine({ name: "one", dir, location, env });
  const two = new SyncMachine({ name: "two", dir, location, env });
  try {
    await one.init();
    await two.join(one);
    await work({ one, two, proxy });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const SESSION = "22222222-2222-4222-8222-222222222222";

/** Somebody speaks and is answered. */
function talk(machine: SyncMachine, text: string): string {
  const facts = { session: SESSION, cwd: machine.project, atMs: Date.now() - 3_600_000 };
  return said("user", text, facts) + said("assistant", `echo ${text}`, facts);
}

async function roundTrips(proxy: FaultProxy, action: () => Promise<unknown>): Promise<string[]> {
  proxy.requests.length = 0;
  await action();
  return proxy.requests.map(({ method, target }) =>
    method === "GET" && target.includes("list-type") ? "LIST" : method
  );
}

/** Both machines speak in turn, one large text among it, and have the same at the end. */
async function mainJob({ one, two }: Pair): Promise<void> {
  let text = talk(one, "hello") + talk(one, randomBytes(600_000).toString("base64"));
  one.writeTranscript(SESSION, text);
  assert.equal((await one.push()).pushed, 1);
  await two.pull({ all: true });
  assert.equal(two.readTranscript(SESSION), text);
  text += talk(two, "and back");
  two.writeTranscript(SESSION, text);
  await two.push();
  await one.pull();
  assert.equal(one.readTranscript(SESSION), text);
  assert.deepEqual((await one.verify()).problems, []);
}

serverTest("rgw", "two machines share a session over a bucket", async (server) => {
  await withPair(server, mainJob);
});

serverTest(
  "rgw",
  "a pull of nothing new is one round trip, a small push one put",
  async (server) => {
    await withPair(server, async (pair) => {
      const { one, two, proxy } = pair;
      await mainJob(pair);
      assert.deepEqual(await roundTrips(proxy, () => one.pull()), ["LIST"]);
      assert.deepEqual(await roundTrips(proxy, () => one.push()), ["LIST"]);
      one.writeTranscript(SESSION, one.readTranscript(SESSION) + talk(one, "more"));
      const pushed = await roundTrips(proxy, () => one.push());
      assert.deepEqual(pushed.filter((request) => request === "PUT").length, 1);
      assert.ok(pushed.length <= 2, pushed.join());
      assert.deepEqual(await roundTrips(proxy, () => two.pull()), ["LIST", "GET"]);
    });
  },
);

const everyThird = (count: number) => count % 3 === 1;

const FAULTS: readonly (readonly [name: string, rule: FaultRule])[] = [
  ["latency", { fault: { kind: "latency", ms: 20 } }],
  ["lost uploads", { fault: { kind: "reset-request", afterBytes: 10 }, nth: everyThird }],
  ["lost answers", { fault: { kind: "reset-response", afterBytes: 0 }, nth: everyThird }],
  ["a busy store", { fault: { kind: "answer", status: 503 }, nth: everyThird }],
  ["lists that are cut", {
    fault: { kind: "truncate", share: 0.5 },
    target: /list-type/,
    nth: everyThird,
  }],
  ["requests that arrive twice", { fault: { kind: "duplicate" } }],
  ["a clock that is behind", {
    fault: { kind: "clock", offsetMs: -40 * 60_000, toleranceMs: 900_000 },
  }],
];

for (const [name, rule] of FAULTS) {
  serverTest(
    "rgw",
    `two machines share a session over a bucket through ${name}`,
    async (server) => {
      await withPair(server, async (pair) => {
        const fault = pair.proxy.inject(rule);
        await mainJob(pair);
        assert.ok(fault.hits > 0, "the fault was made");
      });
    },
  );
}
