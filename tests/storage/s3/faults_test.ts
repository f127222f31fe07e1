/** The driver on a real server with a line to it that fails in every way. */
import assert from "node:assert/strict";
import { utf8 } from "../../../src/base/bytes.ts";
import { isClaudeSyncError } from "../../../src/errors.ts";
import { nodePlatform } from "../../../src/platform/node.ts";
import { objectName } from "../../../src/storage/object_name.ts";
import type { ObjectStore } from "../../../src/storage/object_store.ts";
import { withRetry } from "../../../src/storage/with_retry.ts";
import { itemsOf, listNames, patterned } from "../../conformance/objects.ts";
import {
  type Fault,
  type FaultProxy,
  type FaultRule,
  type RecordedRequest,
  startFaultProxy,
} from "../../servers/fault_proxy.ts";
import type { S3Address } from "../../servers/s3_address.ts";
import { serverTest } from "../../servers/servers.ts";
import { madeBucket, makeBucket, type TestBucket, testBucket } from "../../support/s3_bucket.ts";

const platform = nodePlatform();
const body = patterned(200_000);

/** A bucket behind a proxy. */
async function behindProxy(
  server: S3Address,
  work: (place: TestBucket, proxy: FaultProxy) => Promise<void>,
): Promise<void> {
  const { endpoint: upstream, secretAccessKey } = server;
  await using proxy = await startFaultProxy({ upstream, secretAccessKey });
  await using place = testBucket({ ...server, endpoint: proxy.origin });
  await makeBucket(server, place.location.bucket);
  await work(place, proxy);
}

/** As `sync` has it, with short pauses. */
function patient(store: ObjectStore): ObjectStore {
  const { random } = platform;
  const clock = { ...platform.clock, sleep: () => Promise.resolve() };
  return withRetry(store, { clock, random, budgetMs: 60_000 });
}

/** What a push and a pull do to a store. */
async function job(store: ObjectStore): Promise<void> {
  const items = itemsOf(["packs/1", body], ["packs/2", utf8("2")], ["log/1", utf8("log")]);
  assert.equal(await store.putAll(items), null);
  assert.deepEqual(await listNames(store, "packs/"), ["packs/1", "packs/2"]);
  assert.deepEqual(await store.get(objectName("log/1")), utf8("log"));
  const got = await store.get(objectName("packs/1"));
  assert.ok(got !== null && got.length === body.length && got.every((b, i) => b === body[i]));
  assert.equal(await store.get(objectName("log/2")), null);
  await store.delete(objectName("packs/2"));
  await store.delete(objectName("packs/2"));
  assert.deepEqual(await listNames(store), ["log/1", "packs/1"]);
}

/** Each request is hit the first time it is made: in the order sent, every other one. */
const everyOther = (count: number) => count % 2 === 1;

const SURVIVED: readonly (readonly [name: string, rule: FaultRule])[] = [
  ["latency", { fault: { kind: "latency", ms: 30 } }],
  ["uploads cut on the way", {
    fault: { kind: "reset-request", afterBytes: 1 },
    method: "PUT",
    nth: everyOther,
  }],
  ["answers to puts lost", {
    fault: { kind: "reset-response", afterBytes: 0 },
    method: "PUT",
    nth: everyOther,
  }],
  ["downloads cut on the way", {
    fault: { kind: "reset-response", afterBytes: 2 },
    method: "GET",
    nth: everyOther,
  }],
  ["a busy store", { fault: { kind: "answer", status: 503 }, nth: everyOther }],
  ["a store that names a pause", {
    fault: { kind: "answer", status: 429, headers: [["Retry-After", "1"]] },
    nth: everyOther,
  }],
  ["a gateway that fails", {
    fault: { kind: "answer", status: 502, body: "<html>Bad Gateway</html>" },
    nth: everyOther,
  }],
  ["lists that are cut", {
    fault: { kind: "truncate", share: 0.5 },
    target: /list-type/,
    nth: everyOther,
  }],
  ["requests that arrive twice", { fault: { kind: "duplicate" } }],
  ["a slow drip", { fault: { kind: "drip", bytes: 20_000, everyMs: 5 }, method: "GET" }],
  ["a clock that is ahead", {
    fault: { kind: "clock", offsetMs: 5 * 3_600_000, toleranceMs: 900_000 },
  }],
  ["a proxy that drops conditions", { fault: { kind: "drop-header", name: "if-none-match" } }],
];

for (const [name, rule] of SURVIVED) {
  serverTest("rgw", `S3Store does its job through ${name}`, async (server) => {
    await behindProxy(server, async (place, proxy) => {
      const fault = proxy.inject(rule);
      await job(patient(await place.open()));
      assert.ok(fault.hits > 0, "the fault was made");
      if (rule.fault.kind === "clock") assert.match(place.notes.join(), /5 hours behind/);
    });
  });
}

const FATAL: readonly (readonly [name: string, fault: Fault, code: string, text: RegExp])[] = [
  [
    "that is always busy",
    { kind: "answer", status: 503, headers: [["Retry-After", "600"]] },
    "store-unreachable",
    /busy/,
  ],
  [
    "that is a web server",
    { kind: "answer", status: 404, body: "<html>Not found</html>" },
    "store-invalid",
    /no S3 service/,
  ],
  [
    "that is full",
    { kind: "answer", status: 507, body: "<Error><Code>XMinioStorageFull</Code></Error>" },
    "no-space",
    /No space/,
  ],
];

for (const [name, fault, code, text] of FATAL) {
  serverTest("rgw", `S3Store says what is wrong with a store ${name}`, async (server) => {
    await behindProxy(server, async (place, proxy) => {
      const store = patient(await place.open());
      proxy.inject({ fault });
      const isRight = (error: unknown) => {
        assert.ok(isClaudeSyncError(error), String(error));
        assert.equal(error.code, code);
        assert.match(error.message, text);
        assert.ok(error.hint);
        return true;
      };
      await assert.rejects(store.put(objectName("a"), body), isRight);
      await assert.rejects(store.get(objectName("a")), isRight);
      await assert.rejects(listNames(store), isRight);
      await assert.rejects(store.delete(objectName("a")), isRight);
    });
  });
}

serverTest("rgw", "S3Store sends nothing to where it is redirected", async (server) => {
  await behindProxy(server, async (place, proxy) => {
    await using other = await startFaultProxy({ upstream: null });
    const store = await place.open();
    for (const status of [301, 302, 307, 308]) {
      const fault = proxy.inject({ fault: { kind: "redirect", status, origin: other.origin } });
      for (const call of [() => store.put(objectName("a"), body), () => listNames(store)]) {
        await assert.rejects(call(), (error) => {
          assert.ok(isClaudeSyncError(error, "store-invalid"));
          return error.message.includes(new URL(other.origin).host);
        });
      }
      fault.remove();
    }
    assert.equal(other.requests.length, 0);
  });
});

serverTest(
  "rgw",
  "S3Store gives bytes that were changed on the way as they came",
  async (server) => {
    // Nothing but the vault's own seal can tell; a shorter or longer object must not be "absent".
    await behindProxy(server, async (place, proxy) => {
      const store = await place.open();
      await store.put(objectName("a"), body);
      proxy.inject({ fault: { kind: "truncate", share: 0.5 }, method: "GET", nth: 1 });
      assert.equal((await store.get(objectName("a")))?.length, body.length / 2);
      proxy.inject({
        fault: { kind: "oversized", extraBytes: 10, length: "chunked" },
        method: "GET",
        nth: 1,
      });
      assert.equal((await store.get(objectName("a")))?.length, body.length + 10);
    });
  },
);

/** What fetch adds by itself and no signature covers. */
const OF_FETCH =
  /^(host|connection|user-agent|accept|accept-encoding|accept-language|content-length)$/;

function assertAllSigned({ headers }: RecordedRequest): void {
  const value = (name: string) => headers.find(([n]) => n.toLowerCase() === name)?.[1] ?? "";
  const signed = /SignedHeaders=([^,]+)/.exec(value("authorization"))?.[1]?.split(";") ?? [];
  const names = headers.map(([name]) => name.toLowerCase());
  const unsigned = names.filter((name) => !signed.includes(name) && !OF_FETCH.test(name));
  assert.deepEqual(unsigned, ["authorization"]);
  assert.ok(signed.includes("host"));
  assert.match(value("x-amz-content-sha256"), /^[0-9a-f]{64}$/);
}

serverTest("rgw", "S3Store lets no unsigned header leave the process", async (server) => {
  await behindProxy(server, async (place, proxy) => {
    await job(await place.open({ open: { create: true, createBucket: true } }));
    assert.ok(proxy.requests.length > 10);
    for (const request of proxy.requests) assertAllSigned(request);
    const bodies = proxy.requests.filter(({ bodyBytes }) => bodyBytes > 0);
    assert.ok(bodies.length >= 3 && bodies.every(({ method }) => method === "PUT"));
  });
});

for (const kind of ["rgw", "swift"] as const) {
  serverTest(
    kind,
    `S3Store tells a wrong secret from an unknown key on ${kind}`,
    async (server) => {
      await using place = await madeBucket(server);
      const secret = await place.open({ keys: { secretAccessKey: "not the secret" } });
      await assert.rejects(
        secret.put(objectName("a"), body),
        (error) => isClaudeSyncError(error, "store-refused") && /secret key/.test(error.message),
      );
      const key = await place.open({ keys: { accessKeyId: "NOBODY" } });
      await assert.rejects(listNames(key), (error) => {
        assert.ok(isClaudeSyncError(error, "store-refused"));
        assert.match(error.message, /does not know the access key|secret key/);
        assert.doesNotMatch(`${error.message}${error.hint}`, /not the secret/);
        return true;
      });
    },
  );

  serverTest(
    kind,
    `openS3Store offers to make a bucket that is not there on ${kind}`,
    async (server) => {
      await using place = testBucket(server);
      await assert.rejects(
        place.open({ open: { create: true } }),
        (error) => isClaudeSyncError(error, "no-vault") && /--create-bucket/.test(error.hint ?? ""),
      );
      await place.open({ open: { create: true, createBucket: true } });
      assert.match(place.notes.join(), /was made, private/);
      await job(await place.open());
    },
  );
}

serverTest("swift", "S3Store learns the region of a strict server once", async (server) => {
  await using place = await madeBucket(server);
  const store = await place.open();
  await store.put(objectName("a"), utf8("a"));
  // The region, then that conditions are refused, then the put.
  assert.equal(store.traffic().requests.put, 3);
  const next = await place.open();
  await next.put(objectName("b"), utf8("b"));
  assert.equal(next.traffic().requests.put, 1);
});
