import assert from "node:assert/strict";
import { verify } from "node:crypto";
import { assertShowsNone, failureOf, HOME } from "../../support/credential_world.ts";
import {
  form,
  googleMachine,
  KEY,
  NOW_S,
  PEM,
  PUBLIC_KEY,
  READ_WRITE,
  refusal,
  SECRETS,
  token,
} from "../../support/google_world.ts";

Deno.test("googleCredentialSource signs as node:crypto verifies", async () => {
  const { world, source, get } = googleMachine({
    env: { GOOGLE_APPLICATION_CREDENTIALS: "~/key.json" },
    files: { [`${HOME}/key.json`]: JSON.stringify(KEY) },
  });
  const found = await get();
  assert.equal(found.value.dangerouslyReveal(), "ya29.one");
  assert.equal(found.expiresAtMs, (NOW_S + 3599) * 1000);
  assert.equal(found.project, "key-project");
  assert.equal(found.quotaProject, null);
  assert.equal(source.from, `${KEY.client_email} (${HOME}/key.json)`);
  assertShowsNone(found, SECRETS);
  assertShowsNone(source, SECRETS);
  const [request] = world.requests;
  assert.equal(request?.url, KEY.token_uri);
  assert.equal(request.headers?.["content-type"], "application/x-www-form-urlencoded");
  const { grant_type, assertion = "" } = form(request);
  assert.equal(grant_type, "urn:ietf:params:oauth:grant-type:jwt-bearer");
  const [head = "", claims = "", signature = ""] = assertion.split(".");
  const decode = (part: string) => JSON.parse(atob(part.replaceAll("-", "+").replaceAll("_", "/")));
  assert.deepEqual(decode(head), { alg: "RS256", typ: "JWT", kid: "key-id" });
  assert.deepEqual(decode(claims), {
    iss: KEY.client_email,
    scope: READ_WRITE,
    aud: KEY.token_uri,
    iat: NOW_S,
    exp: NOW_S + 3600,
  });
  const signed = new TextEncoder().encode(`${head}.${claims}`);
  const bytes = new Uint8Array(
    atob(signature.replaceAll("-", "+").replaceAll("_", "/")).split("").map((c) => c.charCodeAt(0)),
  );
  assert(verify("RSA-SHA256", signed, PUBLIC_KEY, bytes));
});

Deno.test("googleCredentialSource shows nothing of a key that is damaged", async () => {
  const damaged = PEM.replace("PRIVATE KEY-----\n", "PRIVATE KEY-----\nAAAA");
  for (const private_key of [damaged, "refresh-secret", PEM.replaceAll("PRIVATE", "PUBLIC")]) {
    const error = await failureOf(googleMachine({ adc: { ...KEY, private_key } }).get, SECRETS);
    assert.match(error.message, /private key of writer@key-project\.\S+ is damaged/);
  }
});

Deno.test("googleCredentialSource corrects a wrong clock once, and says so", async () => {
  const ahead = new Date((NOW_S + 7200) * 1000).toUTCString();
  const { world, get } = googleMachine({
    adc: KEY,
    http: (request) => {
      const { assertion = "" } = form(request);
      const { iat } = JSON.parse(atob(assertion.split(".")[1]!));
      return iat === NOW_S + 7200 ? token() : refusal("invalid_grant", {}, { date: ahead });
    },
  });
  await get();
  assert.equal(world.requests.length, 2);
  assert.match(world.notes.join(), /clock is 120 minutes behind Google's/);
});

Deno.test("googleCredentialSource tries a refused key once", async () => {
  const date = new Date(NOW_S * 1000).toUTCString();
  const { world, get } = googleMachine({
    adc: KEY,
    http: () => refusal("invalid_grant", {}, { date }),
  });
  const error = await failureOf(get, SECRETS);
  assert.equal(error.message, `Google does not take the key of ${KEY.client_email}`);
  assert.equal(world.requests.length, 1);
});
