import assert from "node:assert/strict";
import { resolve } from "node:path";
import { isClaudeSyncError } from "../../src/errors.ts";
import {
  formatStoreLocation,
  isSamePlace,
  LOCATION_PREFIX_LENGTH_MAX,
  LOCATION_URL_LENGTH_MAX,
} from "../../src/storage/location.ts";
import {
  gcsLocationOf,
  type GcsPlace,
  gitLocationOf,
  r2LocationOf,
  type R2Place,
  s3LocationOf,
  type S3Place,
} from "../../src/storage/place.ts";

const ACCOUNT = "0123456789abcdef0123456789ABCDEF";

function s3(bucket: string, more: Partial<S3Place> = {}) {
  const none = { region: null, endpoint: null, pathStyle: false, awsProfile: null };
  return s3LocationOf({ bucket, ...none, ...more });
}

function r2(bucket: string, more: Partial<R2Place> = {}) {
  const place = { account: ACCOUNT, endpoint: null, jurisdiction: null, awsProfile: null };
  return r2LocationOf({ bucket, ...place, ...more });
}

function gcs(bucket: string, more: Partial<GcsPlace> = {}) {
  return gcsLocationOf({ bucket, auth: "oauth", endpoint: null, ...more });
}

function assertUsage(call: () => unknown, label: string, secret?: string): void {
  assert.throws(call, (error) => {
    assert.ok(isClaudeSyncError(error, "usage"), `${label}: ${error}`);
    assert.ok(error.hint !== undefined, `${label} has a hint`);
    if (secret !== undefined) assert.ok(!`${error.message}${error.hint}`.includes(secret), label);
    return true;
  }, label);
}

Deno.test("s3LocationOf takes a bucket, a prefix and s3:// addresses", () => {
  for (
    const [text, bucket, prefix] of [
      ["acme", "acme", ""],
      ["acme/", "acme", ""],
      ["acme/team/claude", "acme", "team/claude"],
      ["acme/team/claude/", "acme", "team/claude"],
      ["s3://acme", "acme", ""],
      ["s3://acme/Team_1/a.b", "acme", "Team_1/a.b"],
      ["my.dotted-bucket.9", "my.dotted-bucket.9", ""],
      ["a".repeat(63), "a".repeat(63), ""],
      [`acme/${"p".repeat(LOCATION_PREFIX_LENGTH_MAX)}`, "acme", "p".repeat(512)],
    ] as const
  ) {
    const location = s3(text);
    assert.deepEqual([location.bucket, location.prefix], [bucket, prefix], text);
  }
  assert.equal(formatStoreLocation(s3("s3://acme/x")), "s3://acme/x");
});

Deno.test("s3LocationOf refuses what AWS would, and says so with what is right", () => {
  const bad = [
    "",
    "ab",
    "a".repeat(64),
    "Acme",
    "a_b",
    "-acme",
    "acme-",
    "ac..me",
    "192.168.5.4",
    "xn--acme",
    "sthree-acme",
    "acme-s3alias",
    "acme--ol-s3",
    "acme.mrap",
    "acme--euc1-az1--x-s3",
    "ac me",
    "acme\n",
    "gs://acme",
    "https://acme.s3.amazonaws.com",
    "acme/x//y",
    "acme/../y",
    "acme/.hidden",
    "acme/a b",
    "acme/ü",
    "acme/a%2fb",
    `acme/${"p".repeat(LOCATION_PREFIX_LENGTH_MAX + 1)}`,
  ];
  for (const text of bad) assertUsage(() => s3(text), JSON.stringify(text));
  assertUsage(() => s3("acme", { region: "eu central" }), "region");
  assertUsage(() => s3("acme", { awsProfile: "a]b" }), "profile");
  assertUsage(() => s3("acme", { awsProfile: "x".repeat(129) }), "long profile");
  assert.equal(s3("acme", { awsProfile: "x".repeat(128) }).awsProfile?.length, 128);
});

Deno.test("s3LocationOf brings endpoints into one form, with wider names there", () => {
  for (
    const [text, origin] of [
      ["https://minio.example:9000", "https://minio.example:9000"],
      ["https://MinIO.example:443/", "https://minio.example"],
      ["minio.example", "https://minio.example"],
      ["http://127.0.0.1:9000", "http://127.0.0.1:9000"],
      ["http://[::1]:9000", "http://[::1]:9000"],
      ["https://minio.example/My_Bucket", "https://minio.example"],
    ] as const
  ) {
    const location = s3("My_Bucket/x", { endpoint: text, pathStyle: true });
    assert.deepEqual([location.endpoint, location.pathStyle], [origin, true], text);
  }
  for (
    const text of [
      "",
      "ftp://minio.example",
      "https://minio.example/other",
      "https://minio.example?x=1",
      "https://minio.example#x",
      "https://:9000",
      "https://a b",
      `https://${"h".repeat(LOCATION_URL_LENGTH_MAX)}`,
    ]
  ) {
    assertUsage(() => s3("My_Bucket", { endpoint: text }), text.slice(0, 80));
  }
  assertUsage(() => s3("acme", { endpoint: "https://anna:hush@m" }), "password", "hush");
});

Deno.test("r2LocationOf finds the endpoint from account and jurisdiction", () => {
  const lower = ACCOUNT.toLowerCase();
  assert.equal(r2("acme").endpoint, `https://${lower}.r2.cloudflarestorage.com`);
  assert.equal(
    r2("r2://acme/x", { jurisdiction: "eu" }).endpoint,
    `https://${lower}.eu.r2.cloudflarestorage.com`,
  );
  // What Cloudflare's dashboard shows to copy.
  const shown = `https://${lower}.fedramp.r2.cloudflarestorage.com/acme`;
  const copied = r2("acme", { account: null, endpoint: shown });
  assert.equal(copied.endpoint, `https://${lower}.fedramp.r2.cloudflarestorage.com`);
  for (const account of [null, "", "abc", `${ACCOUNT}0`, ACCOUNT.replace("0", "g")]) {
    assertUsage(() => r2("acme", { account }), String(account));
  }
  for (const bucket of ["a.b.c", "ab", "A-b", "gs://acme"]) assertUsage(() => r2(bucket), bucket);
});

Deno.test("gcsLocationOf takes Google's names", () => {
  for (const bucket of ["acme_1", "gs://acme", "acme.example.com", `${"a".repeat(63)}.b`]) {
    assert.equal(gcs(bucket).bucket, bucket.replace("gs://", ""));
  }
  for (const bucket of ["Acme", "google-x", "goog-x", "10.0.0.1", "a".repeat(64), "s3://acme"]) {
    assertUsage(() => gcs(bucket), bucket);
  }
});

Deno.test("gitLocationOf leaves addresses as they are and makes paths absolute", () => {
  const absolute = (path: string) => resolve("/home/anna/code", path);
  for (
    const url of [
      "https://github.com/acme/sessions.git",
      "ssh://git@example.com:2222/x.git",
      "git@github.com:acme/sessions.git",
      "file:///srv/git/x.git",
      "nas:git/x",
    ]
  ) assert.equal(gitLocationOf(url, absolute, "linux").url, url);
  assert.equal(gitLocationOf("x.git", absolute, "linux").url, "/home/anna/code/x.git");
  assert.equal(gitLocationOf("../x:y.git", absolute, "linux").url, "/home/anna/x:y.git");
  assert.equal(gitLocationOf("/srv/x.git", absolute, "linux").url, "/srv/x.git");
  assert.equal(gitLocationOf("C:\\x.git", (path) => path, "windows").url, "C:\\x.git");
  for (const url of ["", "-x", "--upload-pack=x"]) {
    assertUsage(() => gitLocationOf(url, absolute, "linux"), url);
  }
  const tooLong = `https://${"h".repeat(LOCATION_URL_LENGTH_MAX)}`;
  assertUsage(() => gitLocationOf(tooLong, absolute, "linux"), "too long");
  const withPassword = "https://anna:hush@example.com/x";
  const withToken = "https://ghp_hush@example.com/x.git";
  assertUsage(() => gitLocationOf(withToken, absolute, "linux"), "address", "hush");
  assertUsage(() => gitLocationOf("ext::sh -c x", absolute, "linux"), "ext");
  assertUsage(() => gitLocationOf(withPassword, absolute, "linux"), "password", "hush");
});

Deno.test("another prefix, bucket or endpoint is another place; how it is reached is not", () => {
  const place = s3("acme/a");
  assert.ok(isSamePlace(place, s3("s3://acme/a/", { region: "eu-central-1", awsProfile: "w" })));
  assert.ok(isSamePlace(place, s3("acme/a", { pathStyle: true })));
  assert.ok(!isSamePlace(place, s3("acme/b")));
  assert.ok(!isSamePlace(place, s3("acme")));
  assert.ok(!isSamePlace(place, s3("acme/a", { endpoint: "https://minio.example" })));
  assert.ok(!isSamePlace(r2("acme"), r2("acme", { jurisdiction: "eu" })));
  assert.ok(isSamePlace(gcs("acme"), gcs("acme", { auth: "hmac" })));
});
