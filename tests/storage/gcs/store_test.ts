import assert from "node:assert/strict";
import { utf8 } from "../../../src/base/bytes.ts";
import { objectName } from "../../../src/storage/object_name.ts";
import {
  authorizedUserFile,
  externalAccountFile,
  impersonatedFile,
  serviceAccountFile,
} from "../../servers/gcs/identities.ts";
import { type GcsFake, startGcsFake } from "../../servers/gcs_fake.ts";
import { failureOf } from "../../support/credential_world.ts";
import { type GcsPlace, gcsPlace } from "../../support/gcs_bucket.ts";

const NAME = objectName("log/one");
const CREATE = { create: true };

/** A fake with a bucket, and a place whose home holds the user's login. */
async function withLogin(
  body: (fake: GcsFake, place: GcsPlace, env: Record<string, string>) => Promise<void>,
): Promise<void> {
  await using fake = await startGcsFake();
  fake.makeBucket("bucket");
  await using place = gcsPlace(fake);
  const adc = place.writeFile("adc.json", authorizedUserFile(fake.identities));
  await body(fake, place, { GOOGLE_APPLICATION_CREDENTIALS: adc });
}

Deno.test("GcsStore gets in with every kind of Google's credentials", async (t) => {
  await using fake = await startGcsFake();
  fake.makeBucket("bucket");
  await using place = gcsPlace(fake);
  const { identities } = fake;
  const subject = place.writeFile("subject.json", { token: identities.external.subjectToken });
  const format = { type: "json", subject_token_field_name: "token" };
  const files: [string, object][] = [
    ["service account", serviceAccountFile(identities)],
    ["login", authorizedUserFile(identities)],
    ["impersonation by a login", impersonatedFile(identities)],
    ["impersonation by a key", {
      ...impersonatedFile(identities),
      source_credentials: serviceAccountFile(identities),
    }],
    ["federation", externalAccountFile(identities, { file: subject, format })],
    ["federation and impersonation", {
      ...externalAccountFile(identities, { file: subject, format }, "impersonate"),
    }],
  ];
  for (const [name, file] of files) {
    await t.step(name, async () => {
      const path = place.writeFile("credentials.json", file);
      const env = { GOOGLE_APPLICATION_CREDENTIALS: path };
      await place.open({ env, open: CREATE, location: { prefix: name.replaceAll(" ", "-") } });
    });
  }
  await t.step("metadata server", async () => {
    const env = { NO_GCE_CHECK: "", GCE_METADATA_HOST: new URL(fake.origin).host };
    await place.open({ env, open: CREATE });
  });
  await t.step("an impostor of the metadata server", async () => {
    fake.isMetadataImpostor = true;
    const env = { NO_GCE_CHECK: "", GCE_METADATA_HOST: new URL(fake.origin).host };
    const error = await failureOf(() => place.open({ env, open: CREATE }));
    assert.match(error.message, /is not Google's metadata server/);
  });
});

Deno.test("GcsStore renews a token that was revoked, with one more request", async () => {
  await withLogin(async (fake, place, env) => {
    const store = await place.open({ env });
    await store.put(NAME, utf8("bytes"));
    fake.revokeTokens();
    fake.requests.length = 0;
    const got = await Promise.all(Array.from({ length: 8 }, () => store.get(NAME)));
    for (const bytes of got) assert.deepEqual(bytes, utf8("bytes"));
    const asked = fake.requests.filter(({ host }) => host === "oauth2.googleapis.com");
    assert.equal(asked.length, 1);
  });
});

Deno.test("GcsStore says how to log in again, and leaves the store alone", async () => {
  await withLogin(async (fake, place, env) => {
    fake.mustLogInAgain = true;
    const secrets = Object.values(fake.identities.user).filter((text) => !/@|-project/.test(text));
    const store = await place.open({ env });
    const error = await failureOf(() => store.put(NAME, utf8("bytes")), secrets);
    assert.equal(error.code, "store-refused");
    assert.match(error.hint ?? "", /gcloud auth application-default login {3}\(invalid_rapt\)/);
    assert(fake.requests.every(({ host }) => host !== "storage.googleapis.com"));
  });
});

Deno.test("GcsStore names the missing permission and the role that has all", async () => {
  await withLogin(async (fake, place, env) => {
    fake.readers.add(fake.identities.user.email);
    const error = await failureOf(() => place.open({ env, open: CREATE }));
    assert.equal(error.code, "store-refused");
    assert.match(error.message, /Not allowed to write to the bucket "bucket"/);
    assert.match(error.hint ?? "", /storage\.objects\.create.*roles\/storage\.objectUser/);
  });
});

Deno.test("GcsStore explains a bucket that is not there, and one that has to be paid for", async () => {
  await withLogin(async (fake, place, env) => {
    const gone = await failureOf(() =>
      place.open({ env, open: CREATE, location: { bucket: "gone" } })
    );
    assert.equal(gone.code, "no-vault");
    fake.makeBucket("paid", { requesterPays: true });
    const location = { bucket: "paid" };
    // A login names a project that pays, a key does not.
    await place.open({ env, open: CREATE, location });
    const key = place.writeFile("key.json", serviceAccountFile(fake.identities));
    const byKey = { GOOGLE_APPLICATION_CREDENTIALS: key };
    const unpaid = await failureOf(() => place.open({ env: byKey, open: CREATE, location }));
    assert.match(unpaid.hint ?? "", /GOOGLE_CLOUD_QUOTA_PROJECT/);
    const paid = { ...byKey, GOOGLE_CLOUD_QUOTA_PROJECT: "payer" };
    await place.open({ env: paid, open: CREATE, location });
  });
});

Deno.test("GcsStore refuses to overwrite with a token, and knows it for the next time", async () => {
  await withLogin(async (fake, place, env) => {
    const store = await place.open({ env, open: CREATE });
    assert.equal(await store.put(NAME, utf8("one")), "created");
    assert.equal(await store.put(NAME, utf8("one")), "exists");
    assert.equal(await store.put(NAME, utf8("two")), "differs");
    const puts = fake.requests.filter(({ method }) => method === "PUT");
    assert(
      puts.every(({ headers }) =>
        headers.some(([name, value]) => /^x-goog-if-generation-match$/i.test(name) && value === "0")
      ),
    );
  });
});

Deno.test("GcsStore sends tokens over open lines to this machine only", async () => {
  await withLogin(async (_fake, place, env) => {
    for (const endpoint of ["http://10.0.0.1:9000", "http://nas", "http://example.com"]) {
      const error = await failureOf(() => place.open({ env, location: { endpoint } }));
      assert.equal(error.code, "usage", endpoint);
    }
    // Signatures may go to a server in the own network.
    await place.open({ location: { endpoint: "http://10.0.0.1:9000", auth: "hmac" } });
    const open = { location: { endpoint: "http://example.com", auth: "hmac" as const } };
    assert.equal((await failureOf(() => place.open(open))).code, "usage");
  });
});

Deno.test("GcsStore takes HMAC keys that were kept before those of the environment", async () => {
  await using fake = await startGcsFake();
  fake.makeBucket("bucket");
  await using place = gcsPlace(fake);
  const { accessKeyId, secretAccessKey } = fake.identities.hmac;
  const env = { AWS_ACCESS_KEY_ID: "AKIAOTHER", AWS_SECRET_ACCESS_KEY: "other-secret" };
  const location = { auth: "hmac" as const };
  const savedKeys = () => ({ accessKeyId, secretAccessKey });
  await place.open({ env, location, open: { create: true, savedKeys } });
  const wrong = await failureOf(
    () => place.open({ env, location, open: CREATE }),
    ["other-secret", secretAccessKey],
  );
  assert.equal(wrong.code, "store-refused");
  assert.match(wrong.hint ?? "", /HMAC keys \(their ids begin with GOOG\)/);
});

Deno.test("GcsStore makes a bucket with HMAC keys where a project is named", async () => {
  await using fake = await startGcsFake();
  await using place = gcsPlace(fake);
  const { accessKeyId, secretAccessKey } = fake.identities.hmac;
  const env = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
  const location = { auth: "hmac" as const, bucket: "made" };
  const open = { create: true, createBucket: true };
  const error = await failureOf(() => place.open({ env, location, open }));
  assert.match(`${error.message} ${error.hint}`, /No project.*GOOGLE_CLOUD_PROJECT/);
  await place.open({ env: { ...env, GOOGLE_CLOUD_PROJECT: "mine" }, location, open });
  await place.open({ env: { ...env, GOOGLE_CLOUD_PROJECT: "mine" }, location, open });
  assert.equal(place.notes.length, 1, "what is there is left as it is");
});
