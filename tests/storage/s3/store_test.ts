import assert from "node:assert/strict";
import { type Bytes, utf8 } from "../../../src/base/bytes.ts";
import { isClaudeSyncError } from "../../../src/errors.ts";
import { objectName } from "../../../src/storage/object_name.ts";
import type { AwsCredentials } from "../../../src/storage/s3/aws_credentials.ts";
import { factsOf } from "../../../src/storage/store_facts.ts";
import { storeCases } from "../../conformance/store_cases.ts";
import { listNames } from "../../conformance/objects.ts";
import { s3Error, strictS3, type StrictS3Options } from "../../support/strict_s3.ts";
import { onAws, placeIn } from "../../support/strict_s3_place.ts";
import { TestClock } from "../../support/sync_machine.ts";

const nameA = objectName("a/one");
const one = utf8("one");
const create = { open: { create: true } };

const KINDS: readonly [name: string, options: Partial<StrictS3Options>][] = [
  ["as S3 is today", { pageNames: 3 }],
  ["that takes version 2 of lists for version 1", { lists: 1, pageNames: 3 }],
  ["that refuses version 2 of lists", { lists: "refused", pageNames: 3 }],
  ["that wants Content-MD5", { wantsMd5: true }],
  ["that tells who may not list what is absent", { hidesAbsence: true }],
];

for (const [kind, options] of KINDS) {
  Deno.test(`S3Store keeps the contract on a store ${kind}`, async (t) => {
    for (const { name, run } of storeCases({ skipLargest: true })) {
      await t.step(name, async () => {
        await using place = placeIn(strictS3(options));
        await run(await place.open());
      });
    }
  });
}

for (const createOnly of ["ignored", "refused", "invalid"] as const) {
  Deno.test(`S3Store keeps the contract where conditional puts are ${createOnly}`, async (t) => {
    for (const { name, run } of storeCases({ skipLargest: true, differingPut: "replaces" })) {
      await t.step(name, async () => {
        await using place = placeIn(strictS3({ createOnly }), { location: { prefix: "team/c" } });
        await run(await place.open(create));
      });
    }
  });
}

Deno.test("openS3Store sends nothing unless it is to create", async () => {
  const s3 = strictS3();
  await using place = placeIn(s3);
  await place.open();
  assert.equal(s3.requests.length, 0);
  const store = await place.open(create);
  assert.ok(s3.requests.length <= 6);
  assert.deepEqual(await listNames(store), [], "the probe's object is gone");
});

Deno.test("openS3Store finds out whether a bucket can refuse to overwrite", async () => {
  for (const createOnly of ["works", "ignored", "refused"] as const) {
    const s3 = strictS3({ createOnly });
    await using place = placeIn(s3);
    await place.open(create);
    s3.requests.length = 0;
    const store = await place.open();
    await store.put(nameA, one);
    assert.equal(s3.requests.length, 1, "one round trip, whatever the store can do");
    const sent = s3.requests[0]?.headers?.["if-none-match"];
    assert.equal(sent, createOnly === "works" ? "*" : undefined);
    const fact = factsOf(store).find(({ name }) => name === "refuses to overwrite");
    assert.equal(fact?.value, createOnly === "works" ? "yes" : "no");
  }
});

Deno.test("S3Store sends no header besides those that it signs", async () => {
  const s3 = strictS3({ wantsMd5: true });
  await using place = placeIn(s3);
  const store = await place.open(create);
  await store.get(nameA);
  await store.delete(nameA);
  for (const { headers = {}, body } of s3.requests) {
    const signed = /SignedHeaders=([^,]+)/.exec(headers["authorization"] ?? "")?.[1]?.split(";");
    const others = Object.keys(headers).filter((name) => !signed?.includes(name));
    assert.deepEqual(others, ["authorization"]);
    assert.match(headers["x-amz-content-sha256"] ?? "", /^[0-9a-f]{64}$/);
    assert.ok(body === undefined || body instanceof Uint8Array);
  }
});

Deno.test("S3Store finds a bucket's region on AWS once, and keeps it", async () => {
  const { s3, place } = onAws({ region: "eu-west-1" });
  await using _ = place;
  const store = await place.open();
  assert.equal(await store.get(nameA), null);
  assert.deepEqual(s3.requests.map(({ url }) => new URL(url).host), [
    "bucket.s3.us-east-1.amazonaws.com",
    "bucket.s3.eu-west-1.amazonaws.com",
  ]);
  assert.equal(store.traffic().requests.get, 2, "both round trips count");
  assert.equal(await store.get(nameA), null);
  assert.equal(await (await place.open()).get(nameA), null);
  assert.equal(s3.requests.length, 4);
  assert.deepEqual(place.notes, [], "nothing was wrong, so nothing is said");
});

Deno.test("S3Store corrects a region that the user named wrongly, and says so", async () => {
  const { place } = onAws({ region: "eu-west-1" }, { location: { region: "eu-west-3" } });
  await using _ = place;
  assert.equal(await (await place.open()).get(nameA), null);
  assert.equal(place.notes.length, 1);
  assert.match(place.notes[0]!, /eu-west-1, not eu-west-3/);
});

Deno.test("S3Store takes the region from a 400 of servers with one address", async () => {
  const s3 = strictS3({ region: "garage" });
  await using place = placeIn(s3);
  await Promise.all([1, 2, 3].map(async () => (await place.open()).get(nameA)));
  const store = await place.open();
  assert.equal(await store.get(nameA), null);
  assert.deepEqual(factsOf(store).find(({ name }) => name === "region")?.value, "garage");
});

Deno.test("S3Store gives up on a store that changes its region all the time", async () => {
  let count = 0;
  const s3 = strictS3({
    instead: () => s3Error(400, "AuthorizationHeaderMalformed", `<Region>r-${count++}</Region>`),
  });
  await using place = placeIn(s3);
  await assert.rejects(
    (await place.open()).get(nameA),
    (error) => isClaudeSyncError(error, "store-refused") && /--region/.test(error.hint ?? ""),
  );
  assert.ok(s3.requests.length <= 4);
});

Deno.test("S3Store uses the store's time when ours is wrong, and says it once", async () => {
  for (
    const [offMs, said] of [[-3 * 3_600_000, /3 hours behind/], [
      2 * 86_400_000,
      /2 days ahead/,
    ]] as const
  ) {
    const clock = new TestClock(Date.now() + offMs);
    const s3 = strictS3();
    await using place = placeIn(s3, { platform: { clock } });
    const store = await place.open();
    await store.put(nameA, one);
    assert.deepEqual(await store.get(nameA), one);
    assert.equal(s3.requests.length, 3, "only the first request is repeated");
    assert.equal(place.notes.length, 1);
    assert.match(place.notes[0]!, said);
  }
});

Deno.test("S3Store tells when the time cannot be why a request is too late", async () => {
  const s3 = strictS3({ instead: () => s3Error(403, "RequestTimeTooSkewed") });
  await using place = placeIn(s3);
  await assert.rejects(
    (await place.open()).get(nameA),
    (error) => isClaudeSyncError(error, "store-refused") && /clock/.test(error.message),
  );
  assert.equal(s3.requests.length, 1);
});

/** Credentials that change when they are to be fresh. */
function renewable(...tokens: string[]) {
  const asked: boolean[] = [];
  let at = 0;
  return {
    asked,
    from: null,
    credentials({ refresh }: { refresh: boolean }): Promise<AwsCredentials> {
      asked.push(refresh);
      if (refresh && at < tokens.length - 1) at++;
      const keys = { accessKeyId: "AKID", secretAccessKey: "secret", expiresAtMs: null };
      return Promise.resolve({ ...keys, sessionToken: tokens[at]!, from: "test" });
    },
  };
}

Deno.test("S3Store gets fresh credentials once when the store says that they expired", async () => {
  const s3 = strictS3({ expiredTokens: ["old"] });
  const credentials = renewable("old", "new");
  await using place = placeIn(s3, { open: { credentials } });
  const store = await place.open();
  await store.put(nameA, one);
  assert.deepEqual(await store.get(nameA), one);
  assert.equal(credentials.asked.filter(Boolean).length, 1);
  assert.equal(s3.requests.length, 3);
});

Deno.test("S3Store says that credentials expired when there are no others", async () => {
  const s3 = strictS3({ expiredTokens: ["old"] });
  await using place = placeIn(s3, { open: { credentials: renewable("old") } });
  await assert.rejects(
    (await place.open()).get(nameA),
    (error) => isClaudeSyncError(error, "store-refused") && /expired/.test(error.message),
  );
  assert.equal(s3.requests.length, 1);
});

Deno.test("S3Store tells whether a put met the same bytes or others", async () => {
  await using place = placeIn(strictS3());
  const store = await place.open();
  assert.equal(await store.put(nameA, one), "created");
  assert.equal(await store.put(nameA, one), "exists");
  assert.equal(await store.put(nameA, utf8("two")), "differs");
  assert.deepEqual(store.traffic().requests, { get: 2, put: 3, list: 0, delete: 0 });
});

Deno.test("S3Store ignores what others keep in the bucket", async () => {
  const s3 = strictS3({ pageNames: 2 });
  const strangers = [
    "team/UPPER",
    "team/a//b",
    "team/.x",
    "team/a b",
    "team/",
    "team-x/a",
    "z",
    "team/ü",
  ];
  for (const key of strangers) s3.objects.set(`bucket/${key}`, one);
  await using place = placeIn(s3, { location: { prefix: "team" } });
  const store = await place.open();
  await store.put(nameA, one);
  await store.put(objectName("z"), one);
  assert.deepEqual(await listNames(store), ["a/one", "z"]);
  assert.ok(s3.objects.has("bucket/team/a/one"));
});

Deno.test("S3Store refuses a bucket that lists without order", async () => {
  const contents = ["b/1", "a/1"].map((key) =>
    `<Contents><Key>${key}</Key><Size>1</Size></Contents>`
  );
  const list = `<ListBucketResult><IsTruncated>false</IsTruncated>${contents.join("")}` +
    "</ListBucketResult>";
  const s3 = strictS3({ instead: () => ({ body: utf8(list) }) });
  await using place = placeIn(s3);
  await assert.rejects(
    listNames(await place.open()),
    (error) => isClaudeSyncError(error, "store-invalid") && /not in order/.test(error.message),
  );
});

Deno.test("S3Store refuses an object that is larger than any may be", async () => {
  const s3 = strictS3();
  let limit = 0;
  s3.options.instead = ({ bodyBytesMax }) => {
    limit = bodyBytesMax;
    return { body: new Uint8Array(0) as Bytes };
  };
  await using place = placeIn(s3);
  await (await place.open()).get(nameA);
  assert.equal(limit, 64 * 1024 * 1024);
});

Deno.test("openS3Store says what plain http shows to the network", async () => {
  for (
    const [endpoint, said] of [["http://nas.local:9000", 1], ["http://127.0.0.1:9000", 0]] as const
  ) {
    await using place = placeIn(strictS3(), { location: { endpoint } });
    await place.open(create);
    assert.equal(place.notes.length, said, endpoint);
    await place.open();
    assert.equal(place.notes.length, said, "only when it is set up");
  }
});

Deno.test("openS3Store refuses endpoints and buckets that cannot be", async () => {
  const s3 = strictS3();
  for (
    const location of [
      { endpoint: "http://s3.example.com" },
      { endpoint: "http://169.254.169.254" },
      { bucket: "x--use1-az4--x-s3", endpoint: null },
    ]
  ) {
    await using place = placeIn(s3, { location });
    await assert.rejects(place.open(), (error) => isClaudeSyncError(error, "usage"));
  }
  assert.equal(s3.requests.length, 0);
});
