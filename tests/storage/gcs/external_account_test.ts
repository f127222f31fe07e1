import assert from "node:assert/strict";
import { fromUtf8 } from "../../../src/base/bytes.ts";
import type { HttpRequest } from "../../../src/platform/types.ts";
import { SUBJECT_TOKEN_BYTES_MAX } from "../../../src/storage/gcs/external_account.ts";
import { TOKEN_ANSWER_BYTES_MAX } from "../../../src/storage/gcs/token_request.ts";
import { answer, failureOf } from "../../support/credential_world.ts";
import {
  ACT_AS,
  EXTERNAL,
  form,
  googleMachine,
  READ_WRITE,
  SECRETS,
  token,
  USER,
} from "../../support/google_world.ts";

Deno.test("googleCredentialSource acts as another account with the login's token", async () => {
  const adc = {
    type: "impersonated_service_account",
    service_account_impersonation_url: ACT_AS,
    delegates: ["projects/-/serviceAccounts/between@p.iam.gserviceaccount.com"],
    source_credentials: USER,
  };
  const expireTime = "2026-11-24T13:00:00Z";
  const http = (request: HttpRequest) =>
    request.url === ACT_AS ? answer(200, { accessToken: "ya29.two", expireTime }) : token();
  const { world, get } = googleMachine({ adc, http });
  const found = await get();
  assert.equal(found.value.dangerouslyReveal(), "ya29.two");
  assert.equal(found.expiresAtMs, Date.parse(expireTime));
  const request = world.requests[1]!;
  assert.equal(request.headers?.["authorization"], "Bearer ya29.one");
  assert.deepEqual(JSON.parse(fromUtf8(request.body!)), {
    scope: [READ_WRITE],
    lifetime: "3600s",
    delegates: adc.delegates,
  });
  const denied = googleMachine({
    adc,
    http: (request) =>
      request.url === ACT_AS ? answer(403, { error: { status: "PERMISSION_DENIED" } }) : token(),
  });
  const error = await failureOf(denied.get, SECRETS);
  assert.match(
    `${error.message} ${error.hint}`,
    /other@p.*not allowed.*serviceAccountTokenCreator/,
  );
});

Deno.test("googleCredentialSource exchanges foreign tokens of every form", async (t) => {
  const json = { type: "json", subject_token_field_name: "id_token" };
  const inJson = JSON.stringify({ id_token: "subject-secret", other: 1 });
  const url = "http://169.254.169.254/token";
  const cases: [string, object, string][] = [
    ["text in a file", { file: "/run/token" }, "subject-secret\n"],
    ["text, as said", { file: "/run/token", format: { type: "text" } }, "subject-secret"],
    ["JSON in a file", { file: "/run/token", format: json }, inJson],
    ["text of a server", { url, headers: { Metadata: "True" } }, "subject-secret"],
    ["JSON of a server", { url, headers: { Metadata: "True" }, format: json }, inJson],
  ];
  for (const [name, credential_source, content] of cases) {
    await t.step(name, async () => {
      const { world, get } = googleMachine({
        adc: { ...EXTERNAL, credential_source },
        files: { "/run/token": content },
        http: (request) => {
          if (request.url !== url) return token();
          assert.deepEqual(request.headers, { Metadata: "True" });
          return answer(200, content);
        },
      });
      await get();
      assert.deepEqual(form(world.requests.at(-1)!), {
        grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
        audience: EXTERNAL.audience,
        scope: READ_WRITE,
        requested_token_type: "urn:ietf:params:oauth:token-type:access_token",
        subject_token_type: EXTERNAL.subject_token_type,
        subject_token: "subject-secret",
      });
    });
  }
  for (const content of ["", "\n", "{}", "[]", "null", '{"id_token":1}', '{"id_token":""}', "x"]) {
    const adc = { ...EXTERNAL, credential_source: { file: "/run/token", format: json } };
    const { get } = googleMachine({ adc, files: { "/run/token": content } });
    assert.match((await failureOf(get)).message, /no identity token at "\/run\/token"/, content);
  }
});

Deno.test("googleCredentialSource takes foreign tokens at the limit and none past it", async () => {
  const get = (length: number) =>
    googleMachine({ adc: EXTERNAL, files: { "/run/token": "t".repeat(length) } }).get();
  await get(SUBJECT_TOKEN_BYTES_MAX);
  assert.equal((await failureOf(() => get(SUBJECT_TOKEN_BYTES_MAX + 1))).code, "too-large");
  const adc = { ...EXTERNAL, credential_source: { url: "https://tokens.example/" } };
  const { world, get: fetched } = googleMachine({ adc });
  await fetched();
  assert.deepEqual(world.requests.map(({ bodyBytesMax }) => bodyBytesMax), [
    SUBJECT_TOKEN_BYTES_MAX,
    TOKEN_ANSWER_BYTES_MAX,
  ]);
});

Deno.test("googleCredentialSource acts as another account with a foreign token", async () => {
  const adc = { ...EXTERNAL, service_account_impersonation_url: ACT_AS };
  const { world, get } = googleMachine({
    adc,
    files: { "/run/token": "subject-secret" },
    http: (request) =>
      request.url === ACT_AS
        ? answer(200, { accessToken: "ya29.two", expireTime: "2026-11-24T13:00:00Z" })
        : token(),
  });
  await get();
  const scopes = form(world.requests[0]!)["scope"];
  assert.equal(scopes, "https://www.googleapis.com/auth/cloud-platform");
  assert.equal(world.requests[1]!.headers?.["authorization"], "Bearer ya29.one");
});

Deno.test("googleCredentialSource refuses what it does not run, clearly", async () => {
  const sources: [object, RegExp][] = [
    [{ environment_id: "aws1", url: "http://169.254.169.254/x" }, /rest on AWS/],
    [{ executable: { command: "/bin/rm -rf /" } }, /rest on a program/],
    [{ certificate: { use_default_certificate_config: true } }, /rest on a certificate/],
  ];
  for (const [credential_source, expected] of sources) {
    const { world, get } = googleMachine({ adc: { ...EXTERNAL, credential_source } });
    assert.match((await failureOf(get)).message, expected);
    assert.deepEqual(world.ran, []);
    assert.deepEqual(world.requests, []);
  }
});
