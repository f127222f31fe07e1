import assert from "node:assert/strict";
import { factsOf } from "../../../src/storage/store_facts.ts";
import { storeCases } from "../../conformance/store_cases.ts";
import { authorizedUserFile, serviceAccountFile } from "../../servers/gcs/identities.ts";
import { startGcsFake } from "../../servers/gcs_fake.ts";
import { noteTested } from "../../servers/stores.ts";
import { gcsPlace } from "../../support/gcs_bucket.ts";

Deno.test("GcsStore keeps the contract with a service account's token", async (t) => {
  await using fake = await startGcsFake();
  fake.makeBucket("bucket");
  await using place = gcsPlace(fake);
  const key = place.writeFile("key.json", serviceAccountFile(fake.identities));
  const env = { GOOGLE_APPLICATION_CREDENTIALS: key };
  for (const [index, { name, run }] of storeCases().entries()) {
    const location = { prefix: `case/${index}` };
    await t.step(name, async () => run(await place.open({ env, location })));
  }
  const names = fake.requests.flatMap(({ headers }) => headers.map(([name]) => name));
  assert.deepEqual(names.filter((name) => /^x-amz-/i.test(name)), []);
  await noteTested("gcs by token");
});

Deno.test("GcsStore keeps the contract with HMAC keys", async (t) => {
  await using fake = await startGcsFake();
  fake.makeBucket("bucket");
  await using place = gcsPlace(fake);
  const { accessKeyId, secretAccessKey } = fake.identities.hmac;
  const env = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
  // Google has no conditional puts beside a signature.
  const cases = storeCases({ differingPut: "replaces" });
  for (const [index, { name, run }] of cases.entries()) {
    const location = { prefix: `case/${index}`, auth: "hmac" as const };
    await t.step(name, async () => run(await place.open({ env, location })));
  }
  const names = fake.requests.flatMap(({ headers }) => headers.map(([name]) => name));
  assert.deepEqual(names.filter((name) => /^x-goog-/i.test(name)), []);
  await noteTested("gcs by hmac");
});

Deno.test("GcsStore makes a bucket when told to", async () => {
  await using fake = await startGcsFake();
  await using place = gcsPlace(fake);
  const adc = place.writeFile("adc.json", authorizedUserFile(fake.identities));
  const env = { GOOGLE_APPLICATION_CREDENTIALS: adc };
  const open = { create: true, createBucket: true };
  const store = await place.open({ env, open, location: { bucket: "made" } });
  await storeCases()[0]!.run(store);
  assert.deepEqual(factsOf(store).find(({ name }) => name === "credentials"), {
    name: "credentials",
    value: `gcloud login (${adc})`,
  });
  assert.match(place.notes.join("\n"), /was made in the project test-project, private/);
});
