import assert from "node:assert/strict";
import { ClaudeSyncError } from "../../../src/errors.ts";
import {
  assertShowsNone,
  type CredentialWorldOptions,
  failureOf,
} from "../../support/credential_world.ts";
import { ADC, googleMachine, type GoogleSetup, SECRETS, USER } from "../../support/google_world.ts";

Deno.test("googleCredentialSource looks where gcloud keeps its files", async () => {
  const places: [GoogleSetup, string][] = [
    [{ env: { CLOUDSDK_CONFIG: "/gc" } }, "/gc/application_default_credentials.json"],
    [
      { os: "windows", env: { APPDATA: "/appdata" } },
      "/appdata/gcloud/" +
      "application_default_credentials.json",
    ],
    [{ os: "darwin" }, ADC],
  ];
  for (const [options, path] of places) {
    const { source, get } = googleMachine({ ...options, files: { [path]: JSON.stringify(USER) } });
    await get();
    assert.equal(source.from, `gcloud login (${path})`);
  }
});

Deno.test("googleCredentialSource lets the environment name projects", async () => {
  const env = { GOOGLE_CLOUD_QUOTA_PROJECT: "other-payer", GOOGLE_CLOUD_PROJECT: "mine" };
  const found = await googleMachine({ adc: USER, env }).get();
  assert.deepEqual([found.quotaProject, found.project], ["other-payer", "mine"]);
  const bad = { GOOGLE_CLOUD_QUOTA_PROJECT: "a\r\nx-evil: 1" };
  assert.equal((await googleMachine({ adc: USER, env: bad }).get()).quotaProject, "payer");
});

Deno.test("googleCredentialSource looks no further when a named file is not there", async () => {
  const env = { GOOGLE_APPLICATION_CREDENTIALS: "/gone.json" };
  const error = await failureOf(googleMachine({ adc: USER, env }).get);
  assert.match(`${error.message} ${error.hint}`, /"\/gone.json".*unset that variable/);
});

Deno.test("googleCredentialSource asks gcloud last, and says where it looked", async () => {
  const { world, source, get } = googleMachine({ run: () => ({ stdout: "ya29.gcloud\n" }) });
  const found = await get();
  assert.equal(found.value.dangerouslyReveal(), "ya29.gcloud");
  assert.equal(found.expiresAtMs, null);
  assert.deepEqual(world.ran, [["gcloud", "auth", "print-access-token"]]);
  assert.equal(source.from, "gcloud");
  assertShowsNone(found, SECRETS);
  const ends: NonNullable<CredentialWorldOptions["run"]>[] = [
    () => null,
    () => ({ code: 1, stdout: "ya29.gcloud" }),
    () => ({ stdout: "" }),
    () => ({ stdout: "ya29.gcloud and more" }),
    () => ({ stdout: new Uint8Array([0xff]) }),
    () => {
      throw new ClaudeSyncError("local-io", `"gcloud" is a batch file, which needs a shell`);
    },
  ];
  for (const run of ends) {
    const error = await failureOf(googleMachine({ run }).get, SECRETS);
    assert.equal(error.code, "store-refused");
    for (const place of ["GOOGLE_APPLICATION_CREDENTIALS", ADC, "gcloud", "--hmac"]) {
      assert(error.hint?.includes(place), place);
    }
  }
});
