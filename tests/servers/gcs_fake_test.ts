import { AwsClient } from "aws4fetch";
import { importPKCS8, type JWTHeaderParameters, type JWTPayload, SignJWT } from "jose";
import assert from "node:assert/strict";
import { createHash, generateKeyPairSync } from "node:crypto";
import { crc32cBase64 } from "./gcs/crc32c.ts";
import {
  externalAccountFile,
  impersonationUrl,
  serviceAccountFile,
  STS_URI,
  SUBJECT_TOKEN_TYPE,
  TOKEN_URI,
} from "./gcs/identities.ts";
import { type GcsFake, startGcsFake } from "./gcs_fake.ts";

const SCOPE = "https://www.googleapis.com/auth/devstorage.read_write";
const CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform";
const BUCKET = "https://storage.googleapis.com/bucket";

async function withFake(body: (fake: GcsFake) => Promise<void>): Promise<void> {
  await using fake = await startGcsFake();
  fake.makeBucket("bucket");
  await body(fake);
}

interface Sent {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
}

async function ask(fake: GcsFake, url: string, { body, ...init }: Sent = {}) {
  const request = new Request(fake.reroute(url), {
    ...init,
    ...(body === undefined ? {} : { body }),
  });
  const response = await fetch(request);
  return { status: response.status, headers: response.headers, text: await response.text() };
}

async function post(fake: GcsFake, url: string, form: Record<string, string>) {
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const body = new URLSearchParams(form).toString();
  const { status, text } = await ask(fake, url, { method: "POST", headers, body });
  return { status, json: JSON.parse(text) as Record<string, string> };
}

interface JwtChanges {
  readonly header?: Partial<JWTHeaderParameters>;
  readonly claims?: JWTPayload & { scope?: string };
  readonly privateKeyPem?: string;
}

async function postAssertion(fake: GcsFake, changes: JwtChanges = {}) {
  const file = serviceAccountFile(fake.identities);
  const key = await importPKCS8(changes.privateKeyPem ?? file["private_key"]!, "RS256");
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: file["client_email"]!, scope: SCOPE, aud: TOKEN_URI, iat: now };
  const assertion = await new SignJWT({ ...claims, exp: now + 3600, ...changes.claims })
    .setProtectedHeader({
      alg: "RS256",
      typ: "JWT",
      kid: file["private_key_id"]!,
      ...changes.header,
    })
    .sign(key);
  const grant_type = "urn:ietf:params:oauth:grant-type:jwt-bearer";
  return await post(fake, TOKEN_URI, { grant_type, assertion });
}

async function bearer(fake: GcsFake, claims: JwtChanges["claims"] = {}) {
  const { status, json } = await postAssertion(fake, { claims });
  assert.equal(status, 200, JSON.stringify(json));
  return { authorization: `Bearer ${json["access_token"]}` };
}

Deno.test("crc32cBase64 gives the checksum of the standard's own example", () => {
  const expected = btoa("\xe3\x06\x92\x83");
  assert.equal(crc32cBase64(new TextEncoder().encode("123456789")), expected);
});

Deno.test("GcsFake gives a token for a right assertion only", async () => {
  await withFake(async (fake) => {
    const good = await postAssertion(fake);
    assert.equal(good.status, 200);
    assert.equal(good.json["token_type"], "Bearer");
    const now = Math.floor(Date.now() / 1000);
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const stranger = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
    const wrong: [string, JwtChanges, RegExp][] = [
      ["another key", { privateKeyPem: stranger }, /Signature/],
      ["another key's id", { header: { kid: "x" } }, /Signature/],
      ["no type", { header: { typ: "x" } }, /form/],
      ["another account", { claims: { iss: "x@example.com" } }, /account not found/],
      ["another audience", { claims: { aud: "https://oauth2.googleapis.com/" } }, /audience/],
      ["longer than an hour", { claims: { exp: now + 3700 } }, /short-lived/],
      ["over", { claims: { iat: now - 3700, exp: now - 100 } }, /short-lived/],
      ["of the future", { claims: { iat: now + 400, exp: now + 500 } }, /short-lived/],
      ["no scope", { claims: { scope: "" } }, /scope/],
      ["a strange scope", { claims: { scope: "devstorage.read_write" } }, /scope/],
    ];
    for (const [name, changes, expected] of wrong) {
      const { status, json } = await postAssertion(fake, changes);
      assert.equal(status, 400, name);
      assert.match(json["error_description"]!, expected, name);
    }
  });
});

Deno.test("GcsFake stores objects for the bearer of a token", async () => {
  await withFake(async (fake) => {
    const headers = await bearer(fake);
    const put = await ask(fake, `${BUCKET}/a/one`, { method: "PUT", headers, body: "hello" });
    assert.equal(put.status, 200, put.text);
    const got = await ask(fake, `${BUCKET}/a/one`, { headers });
    assert.equal(got.text, "hello");
    assert.match(got.headers.get("x-goog-hash")!, /^crc32c=mnG7TA==,md5=XUFAKrxLKna5cZ2REBfFkg==$/);
    const part = await ask(fake, `${BUCKET}/a/one`, {
      headers: { ...headers, range: "bytes=1-2" },
    });
    assert.deepEqual([part.status, part.text], [206, "el"]);

    const create = { ...headers, "x-goog-if-generation-match": "0" };
    const again = { method: "PUT", headers: create, body: "other" };
    assert.equal((await ask(fake, `${BUCKET}/a/one`, again)).status, 412);
    assert.equal((await ask(fake, `${BUCKET}/a/two`, again)).status, 200);
    const wrongHash = { ...headers, "x-goog-hash": "md5=AAAA" };
    const damaged = { method: "PUT", headers: wrongHash, body: "x" };
    assert.match((await ask(fake, `${BUCKET}/b`, damaged)).text, /BadDigest/);

    const remove = { method: "DELETE", headers };
    assert.equal((await ask(fake, `${BUCKET}/a/one`, remove)).status, 204);
    const absent = await ask(fake, `${BUCKET}/a/one`, remove);
    assert.equal(absent.status, 404);
    assert.match(absent.text, /NoSuchKey/);
    assert.match((await ask(fake, `${BUCKET}2/a`, { headers })).text, /NoSuchBucket/);
    assert.deepEqual(fake.namesIn("bucket"), ["a/two"]);
  });
});

Deno.test("GcsFake lists by pages, prefix, place and delimiter", async () => {
  await withFake(async (fake) => {
    const headers = await bearer(fake);
    for (const name of ["a-b", "a/1", "a/2/x", "a/2/y", "a/3", "b"]) {
      await ask(fake, `${BUCKET}/${name}`, { method: "PUT", headers, body: name });
    }
    const names = async (query: string) => {
      const { status, text } = await ask(fake, `${BUCKET}?${query}`, { headers });
      assert.equal(status, 200, text);
      const token = /<NextContinuationToken>(.*?)</.exec(text)?.[1];
      assert.equal(text.includes("<IsTruncated>true<"), token !== undefined);
      const found = [...text.matchAll(/<(?:Key|CommonPrefixes><Prefix)>(.*?)</g)];
      return { names: found.map(([, name]) => name), token };
    };
    const v2 = "list-type=2&";
    assert.equal((await names(v2)).names.length, 6);
    assert.deepEqual((await names(`${v2}prefix=a/`)).names, ["a/1", "a/2/x", "a/2/y", "a/3"]);
    const grouped = await names(`${v2}prefix=a/&delimiter=/`);
    assert.deepEqual(grouped.names.sort(), ["a/1", "a/2/", "a/3"]);
    assert.deepEqual((await names(`${v2}start-after=a/2/x`)).names, ["a/2/y", "a/3", "b"]);
    const all: (string | undefined)[] = [];
    let page = await names(`${v2}max-keys=2`);
    while (true) {
      all.push(...page.names);
      if (page.token === undefined) break;
      const token = encodeURIComponent(page.token);
      page = await names(`${v2}max-keys=2&continuation-token=${token}`);
    }
    assert.deepEqual(all, ["a-b", "a/1", "a/2/x", "a/2/y", "a/3", "b"]);
    assert.equal((await ask(fake, `${BUCKET}?list-type=2&x-id=List`, { headers })).status, 400);
  });
});

Deno.test("GcsFake refuses what Google's documentation forbids", async () => {
  await withFake(async (fake) => {
    const headers = await bearer(fake);
    const status = async (more: Record<string, string>, url = `${BUCKET}/a`) =>
      (await ask(fake, url, { method: "PUT", headers: { ...headers, ...more }, body: "x" })).status;
    assert.equal(await status({}), 200);
    assert.equal(await status({ "x-amz-date": "x" }), 400);
    assert.equal(await status({ "x-amz-acl": "x", "x-goog-acl": "y" }), 400);
    assert.equal(await status({ authorization: "Bearer ya29.strange" }), 401);
    assert.equal((await ask(fake, `${BUCKET}/a`)).status, 403, "anonymous");
    const readOnly = "https://www.googleapis.com/auth/devstorage.read_only";
    assert.equal(await status(await bearer(fake, { scope: readOnly })), 403);
    fake.readers.add(fake.identities.serviceAccount.email);
    assert.equal(await status({}), 403);
    fake.readers.clear();
    assert.equal(await status({}, "https://storage.googleapis.com/new-bucket"), 400, "no project");
    const project = { "x-goog-project-id": "p" };
    assert.equal(await status(project, "https://storage.googleapis.com/new-bucket"), 200);
    fake.makeBucket("paid-for", { requesterPays: true });
    const paid = "https://storage.googleapis.com/paid-for/a";
    assert.equal(await status({}, paid), 400);
    assert.equal(await status({ "x-goog-user-project": "p" }, paid), 200);
    fake.clockOffsetMs = 3_600_000;
    assert.equal(await status({}), 401, "the token's time is over");
    fake.clockOffsetMs = 0;
    fake.revokeTokens();
    assert.equal(await status({}), 401);
    assert.throws(() => fake.reroute("https://oauth2.example.com/token"), /none of Google's/);
    assert.throws(() => fake.reroute("https://storage.googleapis.com.example.com/"), /none of/);
    assert.throws(() => fake.reroute("http://oauth2.googleapis.com/token"), /none of/);
  });
});

Deno.test("GcsFake gives tokens to users, actors, strangers and machines", async (t) => {
  await withFake(async (fake) => {
    const { user, impersonated, external } = fake.identities;
    const works = async (token: string | undefined) => {
      const headers = { authorization: `Bearer ${token}` };
      const put = await ask(fake, `${BUCKET}/a`, { method: "PUT", headers, body: "x" });
      assert.equal(put.status, 200, put.text);
    };
    const refresh = {
      grant_type: "refresh_token",
      client_id: user.clientId,
      client_secret: user.clientSecret,
      refresh_token: user.refreshToken,
    };
    await t.step("a user's refresh token", async () => {
      await works((await post(fake, TOKEN_URI, refresh)).json["access_token"]);
      const wrong = await post(fake, TOKEN_URI, { ...refresh, client_secret: "no" });
      assert.equal(wrong.status, 401);
      const revoked = await post(fake, TOKEN_URI, { ...refresh, refresh_token: "no" });
      assert.equal(revoked.json["error"], "invalid_grant");
      fake.mustLogInAgain = true;
      assert.equal((await post(fake, TOKEN_URI, refresh)).json["error_subtype"], "invalid_rapt");
      fake.mustLogInAgain = false;
    });
    await t.step("acting as another account", async () => {
      const source = (await post(fake, TOKEN_URI, refresh)).json["access_token"];
      const act = async (token: string | undefined, body: unknown) => {
        const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
        const sent = { method: "POST", headers, body: JSON.stringify(body) };
        const { status, text } = await ask(fake, impersonationUrl(fake.identities), sent);
        return { status, token: JSON.parse(text)["accessToken"] as string };
      };
      const acted = await act(source, { scope: [SCOPE], lifetime: "3600s" });
      await works(acted.token);
      assert.equal((await act(source, { scope: [] })).status, 400);
      assert.equal((await act("no", { scope: [SCOPE] })).status, 401);
      const { json } = await postAssertion(fake);
      const narrow = await act(json["access_token"], { scope: [SCOPE] });
      assert.equal(narrow.status, 403, "its scope does not allow it");
      assert.equal(impersonated.email.startsWith("acted-as@"), true);
    });
    await t.step("a foreign token", async () => {
      const exchange = {
        grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
        requested_token_type: "urn:ietf:params:oauth:token-type:access_token",
        audience: external.audience,
        subject_token_type: SUBJECT_TOKEN_TYPE,
        subject_token: external.subjectToken,
        scope: CLOUD_PLATFORM,
      };
      await works((await post(fake, STS_URI, exchange)).json["access_token"]);
      for (const name of Object.keys(exchange)) {
        assert.equal((await post(fake, STS_URI, { ...exchange, [name]: "no" })).status, 400, name);
      }
      const file = externalAccountFile(fake.identities, { file: "/x" }, "impersonate");
      assert.equal(file["service_account_impersonation_url"], impersonationUrl(fake.identities));
    });
    await t.step("the metadata server", async () => {
      const path = "/computeMetadata/v1/instance/service-accounts/default/token";
      const headers = { "Metadata-Flavor": "Google" };
      for (const origin of ["http://169.254.169.254", fake.origin]) {
        const given = await ask(fake, origin + path, { headers });
        assert.equal(given.headers.get("metadata-flavor"), "Google");
        await works(JSON.parse(given.text)["access_token"]);
        assert.equal((await ask(fake, origin + path)).status, 403);
      }
      fake.isMetadataImpostor = true;
      const strange = await ask(fake, fake.origin + path, { headers });
      assert.equal(strange.headers.get("metadata-flavor"), null);
    });
  });
});

Deno.test("GcsFake verifies the signatures of HMAC keys", async () => {
  await withFake(async (fake) => {
    const { hmac } = fake.identities;
    const send = async (method: string, url: string, keys = hmac, headers = {}) => {
      const body = method === "PUT" ? new TextEncoder().encode("hello") : new Uint8Array(0);
      const hash = createHash("sha256").update(body).digest("hex");
      const client = new AwsClient({ ...keys, service: "s3", region: "auto", retries: 0 });
      const signed = await client.sign(url, {
        method,
        headers: { "x-amz-content-sha256": hash, ...headers },
        ...(method === "PUT" ? { body } : {}),
      });
      const sent = { method, headers: Object.fromEntries(signed.headers) };
      return await ask(fake, url, method === "PUT" ? { ...sent, body } : sent);
    };
    for (const bucket of [BUCKET, `${fake.origin}/bucket`]) {
      assert.equal((await send("PUT", `${bucket}/a/b`)).status, 200);
      assert.equal((await send("GET", `${bucket}/a/b`)).text, "hello");
      assert.match((await send("GET", `${bucket}?list-type=2&prefix=a%2F`)).text, /<Key>a\/b</);
      assert.equal((await send("DELETE", `${bucket}/a/b`)).status, 204);
      const wrong = await send("GET", bucket, { ...hmac, secretAccessKey: "no" });
      assert.match(wrong.text, /SignatureDoesNotMatch/);
      const mixed = await send("PUT", `${bucket}/a/b`, hmac, { "x-goog-if-generation-match": "0" });
      assert.equal(mixed.status, 400);
      assert.match(mixed.text, /both x-amz and x-goog/);
    }
    const ignored = { "if-none-match": "*" };
    assert.equal((await send("PUT", `${BUCKET}/a`, hmac, ignored)).status, 200);
    assert.equal((await send("PUT", `${BUCKET}/a`, hmac, ignored)).status, 200, "as documented");
  });
});
