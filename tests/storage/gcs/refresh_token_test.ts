import assert from "node:assert/strict";
import { answer, failureOf } from "../../support/credential_world.ts";
import { ADC, form, googleMachine, refusal, SECRETS, USER } from "../../support/google_world.ts";

Deno.test("googleCredentialSource refreshes a gcloud login before its end", async () => {
  const { world, source, get } = googleMachine({ adc: USER });
  const found = await get();
  assert.deepEqual(form(world.requests[0]!), {
    grant_type: "refresh_token",
    client_id: "client",
    client_secret: "client-secret",
    refresh_token: "refresh-secret",
  });
  assert.equal(found.quotaProject, "payer");
  assert.equal(source.from, `gcloud login (${ADC})`);
  world.clock.nowMsValue += (3599 - 300) * 1000 - 1;
  await get();
  assert.equal(world.requests.length, 1);
  world.clock.nowMsValue += 1;
  await get();
  assert.equal(world.requests.length, 2);
  await get(true);
  assert.equal(world.requests.length, 3);
});

Deno.test("googleCredentialSource says how to log in again, without a secret", async (t) => {
  const cases: [string, object, object, RegExp][] = [
    [
      "revoked",
      refusal("invalid_grant"),
      USER,
      /expired or was revoked.*application-default login$/,
    ],
    [
      "to be confirmed",
      refusal("invalid_grant", { error_subtype: "invalid_rapt" }),
      USER,
      /application-default login {3}\(invalid_rapt\)$/,
    ],
    [
      "client deleted",
      answer(401, { error: "invalid_client" }),
      USER,
      /\(invalid_client\).*login$/,
    ],
    ["no reason", answer(403, "<html>refresh-secret"), USER, /\(HTTP 403\)/],
    ["a redirect", answer(302, "", { location: "https://evil.example" }), USER, /\(HTTP 302\)/],
    ["hostile words", answer(400, { error: "a\u001b[31m" }), USER, /\(HTTP 400\)/],
  ];
  for (const [name, response, adc, expected] of cases) {
    await t.step(name, async () => {
      const { get } = googleMachine({ adc, http: () => response as ReturnType<typeof answer> });
      const error = await failureOf(get, SECRETS);
      assert.equal(error.code, "store-refused");
      assert.match(`${error.message} ${error.hint}`, expected);
    });
  }
});

Deno.test("googleCredentialSource tells a busy service and a stranger from a refusal", async () => {
  const cases: [ReturnType<typeof answer>, string][] = [
    [answer(503, "busy"), "store-unreachable"],
    [answer(429, { error: "quota" }), "store-unreachable"],
    [answer(200, "<html>"), "store-invalid"],
    [answer(200, { access_token: "with space" }), "store-invalid"],
    [answer(200, { access_token: "ya29.one", expires_in: "soon" }), "store-invalid"],
    [answer(200, { access_token: "ya29.one", expires_in: 1e9 }), "store-invalid"],
  ];
  for (const [response, code] of cases) {
    assert.equal(
      (await failureOf(googleMachine({ adc: USER, http: () => response }).get, SECRETS)).code,
      code,
    );
  }
});

Deno.test("googleCredentialSource refreshes a workforce login with its client's name", async () => {
  const adc = {
    type: "external_account_authorized_user",
    client_id: "cl ient",
    client_secret: "client-secret",
    refresh_token: "refresh-secret",
    token_url: "https://sts.googleapis.com/v1/oauthtoken",
  };
  const { world, get } = googleMachine({ adc });
  await get();
  const [request] = world.requests;
  assert.equal(request?.headers?.["authorization"], `Basic ${btoa("cl%20ient:client-secret")}`);
  assert.deepEqual(form(request!), {
    grant_type: "refresh_token",
    refresh_token: "refresh-secret",
  });
});

Deno.test("googleCredentialSource stands halves of characters in a login", async () => {
  const adc = {
    type: "external_account_authorized_user",
    client_id: "client\ud800",
    client_secret: "client-secret",
    refresh_token: "refresh-secret",
    token_url: "https://sts.googleapis.com/v1/oauthtoken",
  };
  const { world, get } = googleMachine({ adc });
  await get();
  const sent = world.requests[0]?.headers?.["authorization"];
  assert.equal(sent, `Basic ${btoa("client%EF%BF%BD:client-secret")}`);
});
