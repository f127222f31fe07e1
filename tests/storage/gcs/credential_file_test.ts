import assert from "node:assert/strict";
import { CREDENTIAL_FILE_BYTES_MAX } from "../../../src/storage/gcs/credential_file.ts";
import { failureOf } from "../../support/credential_world.ts";
import {
  ACT_AS,
  ADC,
  EXTERNAL,
  googleMachine,
  KEY,
  SECRETS,
  USER,
} from "../../support/google_world.ts";

Deno.test("googleCredentialSource sends nothing to servers that are not Google's", async (t) => {
  const evil = "https://oauth2.googleapis.com.evil.example/token";
  const cases: [string, object][] = [
    ["a key's", { ...KEY, token_uri: evil }],
    ["a login's", { ...USER, token_uri: evil }],
    ["an exchange's", { ...EXTERNAL, token_url: evil }],
    ["an exchange's, plain", { ...EXTERNAL, token_url: "http://sts.googleapis.com/v1/token" }],
    ["an impersonation's", { ...EXTERNAL, service_account_impersonation_url: evil }],
    ["a foreign token's, plain", {
      ...EXTERNAL,
      credential_source: { url: "http://evil.example/" },
    }],
    ["one inside", {
      type: "impersonated_service_account",
      service_account_impersonation_url: ACT_AS,
      source_credentials: { ...USER, token_uri: evil },
    }],
    ["another cloud's", { ...KEY, universe_domain: "evil.example" }],
  ];
  for (const [name, adc] of cases) {
    await t.step(name, async () => {
      const { world, get } = googleMachine({ adc });
      const error = await failureOf(get, SECRETS);
      assert.equal(error.code, "malformed-file");
      assert.equal(error.path, ADC);
      assert.deepEqual(world.requests, []);
    });
  }
});

Deno.test("googleCredentialSource refuses files that are none, quoting nothing", async (t) => {
  const cases: [string, string][] = [
    ["no JSON", `{"refresh_token": "refresh-secret"`],
    ["empty", ""],
    ["no object", `"refresh-secret"`],
    ["no type", `{"refresh_token": "refresh-secret"}`],
    ["another type", `{"type": "gdch_service_account", "private_key": "refresh-secret"}`],
    ["a hostile type", `{"type": "\\u001b[31m", "private_key": "refresh-secret"}`],
    ["missing members", `{"type": "authorized_user", "refresh_token": "refresh-secret"}`],
    ["wrong members", `{"type":"authorized_user","client_id":["refresh-secret"]}`],
    ["a secret that is too long", JSON.stringify({ ...USER, refresh_token: "s".repeat(20_000) })],
    ["NUL", JSON.stringify(USER) + "\0"],
    [
      "a header that is none",
      JSON.stringify({
        ...EXTERNAL,
        credential_source: { url: "https://a.example", headers: { "a": "x\r\nrefresh-secret: 1" } },
      }),
    ],
  ];
  for (const [name, content] of cases) {
    await t.step(name, async () => {
      const error = await failureOf(googleMachine({ files: { [ADC]: content } }).get, SECRETS);
      assert.equal(error.code, "malformed-file");
      assert.doesNotMatch(`${error.message} ${error.hint}`, /\p{Cc}/u);
    });
  }
});

Deno.test("googleCredentialSource takes a file at the limit and none past it", async () => {
  const text = JSON.stringify(USER);
  const at = text.padEnd(CREDENTIAL_FILE_BYTES_MAX);
  await googleMachine({ files: { [ADC]: at } }).get();
  assert.equal(
    (await failureOf(googleMachine({ files: { [ADC]: `${at} ` } }).get)).code,
    "too-large",
  );
});
