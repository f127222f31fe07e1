/** What `init` finds out about a bucket, and how it makes one. */
import assert from "node:assert/strict";
import { utf8 } from "../../../src/base/bytes.ts";
import { isClaudeSyncError } from "../../../src/errors.ts";
import { PROBE_ATTEMPTS_MAX } from "../../../src/storage/bucket/capabilities.ts";
import { objectName } from "../../../src/storage/object_name.ts";
import { testBucket } from "../../support/s3_bucket.ts";
import { TestClock } from "../../support/sync_machine.ts";
import { s3Error, strictS3 } from "../../support/strict_s3.ts";
import { onAws, placeIn, server } from "../../support/strict_s3_place.ts";

const nameA = objectName("a/one");
const one = utf8("one");
const create = { open: { create: true } };

Deno.test("openS3Store names the permission that is missing, with a policy to copy", async () => {
  for (
    const [action, permission] of [
      ["put", "s3:PutObject"],
      ["get", "s3:GetObject"],
      ["list", "s3:ListBucket"],
    ] as const
  ) {
    const { place, s3 } = onAws({ denied: [action] }, { location: { prefix: "team" } });
    await using _ = place;
    await assert.rejects(place.open(create), (error) => {
      assert.ok(isClaudeSyncError(error, "store-refused"));
      assert.ok(error.hint?.startsWith(`Allow ${permission}.`), error.hint);
      const policy = JSON.parse(error.hint!.slice(error.hint!.indexOf("{")));
      assert.equal(policy.Statement[0].Resource, "arn:aws:s3:::bucket/team/*");
      assert.equal(policy.Statement[1].Condition.StringLike["s3:prefix"], "team/*");
      return true;
    });
    assert.equal(s3.objects.size, 0, "the probe's object is gone");
  }
});

Deno.test("openS3Store takes a bucket whose objects may not be deleted, and says so", async () => {
  const { place } = onAws({ denied: ["delete"] });
  await using _ = place;
  const store = await place.open(create);
  assert.equal(place.notes.length, 1);
  assert.match(place.notes[0]!, /Not allowed to delete.*s3:DeleteObject/);
  await assert.rejects(store.delete(nameA), (error) => isClaudeSyncError(error, "store-refused"));
});

Deno.test("openS3Store makes a bucket only when asked", async () => {
  const { place, s3 } = onAws({ buckets: [] }, { location: { region: "us-east-1" } });
  await using _ = place;
  await assert.rejects(
    place.open(create),
    (error) => isClaudeSyncError(error, "no-vault") && /--create-bucket/.test(error.hint ?? ""),
  );
  await place.open({ open: { create: true, createBucket: true } });
  assert.deepEqual(s3.options.buckets, ["bucket"]);
  const made = s3.requests.filter(({ method, url }) =>
    method === "PUT" && new URL(url).pathname === "/"
  );
  assert.deepEqual(made.map(({ url }) => new URL(url).search), [
    "",
    "?publicAccessBlock=",
    "?versioning=",
  ]);
  assert.equal(made[0]?.body, undefined, "the first region must not be named");
  assert.match(place.notes.join(), /was made in the region us-east-1, private and with versions/);
  s3.requests.length = 0;
  await place.open({ open: { create: true, createBucket: true } });
  const again = s3.requests.filter(({ method, url }) =>
    method === "PUT" && new URL(url).pathname === "/"
  );
  assert.equal(again.length, 0, "what is there is left as it is");
});

Deno.test("openS3Store makes a bucket in its region, and takes no for an answer", async () => {
  const other = onAws({ buckets: [], region: "eu-west-1" }, { location: { region: "eu-west-1" } });
  await using _ = other.place;
  await other.place.open({ open: { create: true, createBucket: true } });
  const put = other.s3.requests.find(({ method }) => method === "PUT");
  assert.match(new TextDecoder().decode(put?.body), /<LocationConstraint>eu-west-1</);

  const taken = onAws({
    buckets: [],
    instead: ({ method }) => method === "PUT" ? s3Error(409, "BucketAlreadyExists") : null,
  });
  await using __ = taken.place;
  await assert.rejects(
    taken.place.open({ open: { create: true, createBucket: true } }),
    (error) => isClaudeSyncError(error, "already-set-up") && /taken/.test(error.message),
  );
});

Deno.test("openS3Store makes and lists no buckets of R2, speaks of jurisdictions", async () => {
  const s3 = strictS3({ region: "auto", buckets: [] });
  const endpoint = `https://${"a".repeat(32)}.r2.cloudflarestorage.com`;
  await using place = testBucket(server, {
    platform: { http: s3 },
    location: { kind: "r2", bucket: "bucket", endpoint },
  });
  await assert.rejects(
    place.open({ open: { create: true, createBucket: true } }),
    (error) => isClaudeSyncError(error, "usage"),
  );
  assert.equal(s3.requests.length, 0);
  await assert.rejects(
    place.open(create),
    (error) => isClaudeSyncError(error, "no-vault") && /jurisdiction/.test(error.hint ?? ""),
  );
  s3.options.buckets.push("bucket");
  await (await place.open(create)).put(nameA, one);
  assert.ok(s3.requests.every(({ url }) => new URL(url).pathname.startsWith("/bucket")));
});

Deno.test("openS3Store waits for a store that takes one write of an object a second", async () => {
  const clock = new TestClock(Date.now());
  const startMs = clock.nowMs();
  let writtenMs = 0;
  const s3 = strictS3({
    nowMs: () => clock.nowMs(),
    instead: ({ method }) => {
      if (method !== "PUT" && method !== "DELETE") return null;
      if (clock.nowMs() - writtenMs < 1000) return s3Error(429, "TooManyRequests");
      writtenMs = clock.nowMs();
      return null;
    },
  });
  await using place = placeIn(s3, { platform: { clock } });
  await place.open(create);
  assert.equal(s3.objects.size, 0);
  assert.ok(clock.nowMs() - startMs < 5000);

  s3.options.instead = () => s3Error(503, "SlowDown");
  s3.requests.length = 0;
  await assert.rejects(place.open(create), (e) => isClaudeSyncError(e, "store-unreachable"));
  assert.equal(s3.requests.length, PROBE_ATTEMPTS_MAX + 1, "the last one cleans up");
});
