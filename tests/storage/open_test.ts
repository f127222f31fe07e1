/** How buckets get their credentials, from the configuration to the request. */
import assert from "node:assert/strict";
import { utf8 } from "../../src/base/bytes.ts";
import { objectName } from "../../src/storage/object_name.ts";
import type { StoreLocation } from "../../src/storage/location.ts";
import { awsPlaceDefaults, openStore, type OpenStoreOptions } from "../../src/storage/open.ts";
import { factsOf } from "../../src/storage/store_facts.ts";
import {
  credentialWorld,
  type CredentialWorldOptions,
  failureOf,
  HOME,
} from "../support/credential_world.ts";
import { strictS3, type StrictS3Options } from "../support/strict_s3.ts";

const NAME = objectName("log/one");
const LOCATION: StoreLocation = {
  kind: "s3",
  bucket: "bucket",
  prefix: "",
  region: null,
  endpoint: null,
  pathStyle: false,
  awsProfile: null,
};

interface Setup extends CredentialWorldOptions {
  readonly s3?: Partial<StrictS3Options>;
  readonly location?: object;
  readonly open?: Partial<OpenStoreOptions>;
}

function setUp({ s3: changes = {}, location = {}, open = {}, ...options }: Setup) {
  const world = credentialWorld(options);
  const nowMs = () => world.clock.nowMs();
  const s3 = strictS3({ addressing: "virtual-host", nowMs, ...changes });
  const random = { bytes: (length: number) => new Uint8Array(length) };
  const opened = () =>
    openStore({ ...LOCATION, ...location } as StoreLocation, {
      platform: { ...world, http: s3, random, memory: { passed: () => {} } },
      cacheDir: "/cache",
      note: world.note,
      ...open,
    });
  return { world, s3, opened };
}

const profiles = (text: string) => ({ [`${HOME}/.aws/config`]: text });

Deno.test("openStore signs with the profile's keys, in the profile's region", async () => {
  const { s3, opened } = setUp({
    files: profiles(
      "[profile work]\naws_access_key_id = AKID\naws_secret_access_key = secret\n" +
        "region = eu-west-2\n",
    ),
    location: { awsProfile: "work" },
    env: { AWS_ACCESS_KEY_ID: "OTHER", AWS_SECRET_ACCESS_KEY: "other" },
    s3: { region: "eu-west-2" },
  });
  const store = await opened();
  assert.deepEqual(factsOf(store).filter(({ name }) => name === "credentials"), []);
  assert.equal(await store.put(NAME, utf8("bytes")), "created");
  assert.equal(s3.requests.length, 1, "no detour to another region");
  assert.match(s3.requests[0]!.url, /^https:\/\/bucket\.s3\.eu-west-2\.amazonaws\.com\//);
  assert.deepEqual(factsOf(store).filter(({ name }) => name === "credentials"), [
    { name: "credentials", value: "profile work" },
  ]);
});

Deno.test("openStore signs with kept keys, however half the configuration is", async () => {
  const { opened } = setUp({
    files: profiles("[default]\naws_access_key_id = half"),
    open: { savedKeys: () => ({ accessKeyId: "AKID", secretAccessKey: "secret" }) },
  });
  const store = await opened();
  assert.equal(await store.put(NAME, utf8("bytes")), "created");
});

Deno.test("openStore gets other credentials when they have expired", async () => {
  const tokens = ["old", "new"];
  const { world, s3, opened } = setUp({
    files: profiles("[default]\ncredential_process = tool"),
    s3: { expiredTokens: ["old"] },
    run: () => ({
      stdout: JSON.stringify({
        Version: 1,
        AccessKeyId: "AKID",
        SecretAccessKey: "secret",
        SessionToken: tokens.shift(),
      }),
    }),
  });
  const store = await opened();
  assert.equal(await store.put(NAME, utf8("bytes")), "created");
  assert.deepEqual(world.ran, [["tool"], ["tool"]]);
  assert.equal(s3.requests.length, 2);
  assert.equal(s3.requests[1]!.headers?.["x-amz-security-token"], "new");
});

Deno.test("openStore fails a request, and not itself, when there are no credentials", async () => {
  const { s3, opened } = setUp({});
  const store = await opened();
  const error = await failureOf(() => store.get(NAME));
  assert.equal(error.message, "No AWS credentials were found");
  assert.match(error.hint ?? "", /aws configure/);
  assert.deepEqual(s3.requests, []);
  const elsewhere = setUp({ location: { endpoint: "https://nas.example" } });
  const missing = await failureOf(async () => (await elsewhere.opened()).get(NAME));
  assert.equal(missing.message, "No access keys were found");
  assert.match(missing.hint ?? "", /--save-credentials/);
});

Deno.test("openStore takes no endpoint from the environment", async () => {
  const { s3, opened } = setUp({
    env: {
      AWS_ACCESS_KEY_ID: "AKID",
      AWS_SECRET_ACCESS_KEY: "secret",
      AWS_ENDPOINT_URL: "https://elsewhere.example",
    },
  });
  await (await opened()).put(NAME, utf8("bytes"));
  assert.equal(new URL(s3.requests[0]!.url).host, "bucket.s3.us-east-1.amazonaws.com");
});

Deno.test("awsPlaceDefaults tells init what the environment and the profile say", async () => {
  const world = credentialWorld({
    env: { AWS_PROFILE: "nas" },
    files: profiles("[profile nas]\nendpoint_url = https://nas.example:9000\nregion = home\n"),
  });
  const expected = { region: "home", endpoint: "https://nas.example:9000" };
  assert.deepEqual(await awsPlaceDefaults(world, null), expected);
  assert.deepEqual(await awsPlaceDefaults(world, "other"), { region: null, endpoint: null });
});
