import assert from "node:assert/strict";
import { generateKeyPairSync, verify } from "node:crypto";
import { fromUtf8 } from "../../../src/base/bytes.ts";
import { ClaudeSyncError } from "../../../src/errors.ts";
import type { HttpRequest } from "../../../src/platform/types.ts";
import { CREDENTIAL_FILE_BYTES_MAX } from "../../../src/storage/gcs/credential_file.ts";
import { SUBJECT_TOKEN_BYTES_MAX } from "../../../src/storage/gcs/external_account.ts";
import { TOKEN_ANSWER_BYTES_MAX } from "../../../src/storage/gcs/token_request.ts";
import { googleCredentialSource } from "../../../src/storage/gcs/google_credentials.ts";
import {
  answer,
  assertShowsNone,
  credentialWorld,
  type CredentialWorldOptions,
  failureOf,
  HOME,
} from "../../support/credential_world.ts";

const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const PEM = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
const ADC = `${HOME}/.config/gcloud/application_default_credentials.json`;
const NOW_S = Date.UTC(2026, 10, 24, 12) / 1000;
const READ_WRITE = "https://www.googleapis.com/auth/devstorage.read_write";

const KEY = {
  type: "service_account",
  project_id: "key-project",
  private_key_id: "key-id",
  private_key: PEM,
  client_email: "writer@key-project.iam.gserviceaccount.com",
  token_uri: "https://oauth2.googleapis.com/token",
};
const USER = {
  type: "authorized_user",
  client_id: "client",
  client_secret: "client-secret",
  refresh_token: "refresh-secret",
  quota_project_id: "payer",
};
const EXTERNAL = {
  type: "external_account",
  audience: "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
  subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
  token_url: "https://sts.googleapis.com/v1/token",
  credential_source: { file: "/run/token" },
};
const ACT_AS = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/" +
  "other@p.iam.gserviceaccount.com:generateAccessToken";

const SECRETS = [
  ...[PEM, PEM.split("\n")[2]!, "client-secret", "refresh-secret", "subject-secret"],
  ...["ya29.one", "ya29.two", "ya29.gcloud"],
];

const token = (access_token = "ya29.one") =>
  answer(200, { access_token, expires_in: 3599, token_type: "Bearer" });
const refusal = (error: string, more: object = {}, headers: Record<string, string> = {}) =>
  answer(400, { error, error_description: "refresh-secret subject-secret", ...more }, headers);

function form({ body }: HttpRequest): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(fromUtf8(body ?? new Uint8Array())));
}

interface Setup extends CredentialWorldOptions {
  /** Content of the file that gcloud leaves behind. */
  readonly adc?: object;
}

function setUp({ adc, files = {}, ...options }: Setup) {
  const all = adc === undefined ? files : { ...files, [ADC]: JSON.stringify(adc) };
  const world = credentialWorld({ http: () => token(), ...options, files: all });
  const source = googleCredentialSource(world);
  return { world, source, get: (refresh = false) => source.credentials({ refresh }) };
}

Deno.test("googleCredentialSource signs for a service account as node:crypto verifies", async () => {
  const { world, source, get } = setUp({
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
  assert(verify("RSA-SHA256", signed, publicKey, bytes));
});

Deno.test("googleCredentialSource shows nothing of a key that is damaged", async () => {
  const damaged = PEM.replace("PRIVATE KEY-----\n", "PRIVATE KEY-----\nAAAA");
  for (const private_key of [damaged, "refresh-secret", PEM.replaceAll("PRIVATE", "PUBLIC")]) {
    const error = await failureOf(setUp({ adc: { ...KEY, private_key } }).get, SECRETS);
    assert.match(error.message, /private key of writer@key-project\.\S+ is damaged/);
  }
});

Deno.test("googleCredentialSource corrects a wrong clock once, and says so", async () => {
  const ahead = new Date((NOW_S + 7200) * 1000).toUTCString();
  const { world, get } = setUp({
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

Deno.test("googleCredentialSource tries a refused key no second time when the clock is right", async () => {
  const date = new Date(NOW_S * 1000).toUTCString();
  const { world, get } = setUp({ adc: KEY, http: () => refusal("invalid_grant", {}, { date }) });
  const error = await failureOf(get, SECRETS);
  assert.equal(error.message, `Google does not take the key of ${KEY.client_email}`);
  assert.equal(world.requests.length, 1);
});

Deno.test("googleCredentialSource refreshes a gcloud login, five minutes before its end", async () => {
  const { world, source, get } = setUp({ adc: USER });
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

Deno.test("googleCredentialSource looks where gcloud keeps its files", async () => {
  const places: [Setup, string][] = [
    [{ env: { CLOUDSDK_CONFIG: "/gc" } }, "/gc/application_default_credentials.json"],
    [
      { os: "windows", env: { APPDATA: "/appdata" } },
      "/appdata/gcloud/" +
      "application_default_credentials.json",
    ],
    [{ os: "darwin" }, ADC],
  ];
  for (const [options, path] of places) {
    const { source, get } = setUp({ ...options, files: { [path]: JSON.stringify(USER) } });
    await get();
    assert.equal(source.from, `gcloud login (${path})`);
  }
});

Deno.test("googleCredentialSource lets the environment name projects", async () => {
  const env = { GOOGLE_CLOUD_QUOTA_PROJECT: "other-payer", GOOGLE_CLOUD_PROJECT: "mine" };
  const found = await setUp({ adc: USER, env }).get();
  assert.deepEqual([found.quotaProject, found.project], ["other-payer", "mine"]);
  const bad = { GOOGLE_CLOUD_QUOTA_PROJECT: "a\r\nx-evil: 1" };
  assert.equal((await setUp({ adc: USER, env: bad }).get()).quotaProject, "payer");
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
      const { get } = setUp({ adc, http: () => response as ReturnType<typeof answer> });
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
      (await failureOf(setUp({ adc: USER, http: () => response }).get, SECRETS)).code,
      code,
    );
  }
});

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
  const { world, get } = setUp({ adc, http });
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
  const denied = setUp({
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
      const { world, get } = setUp({
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
    const { get } = setUp({ adc, files: { "/run/token": content } });
    assert.match((await failureOf(get)).message, /no identity token at "\/run\/token"/, content);
  }
});

Deno.test("googleCredentialSource takes foreign tokens at the limit and none past it", async () => {
  const get = (length: number) =>
    setUp({ adc: EXTERNAL, files: { "/run/token": "t".repeat(length) } }).get();
  await get(SUBJECT_TOKEN_BYTES_MAX);
  assert.equal((await failureOf(() => get(SUBJECT_TOKEN_BYTES_MAX + 1))).code, "too-large");
  const adc = { ...EXTERNAL, credential_source: { url: "https://tokens.example/" } };
  const { world, get: fetched } = setUp({ adc });
  await fetched();
  assert.deepEqual(world.requests.map(({ bodyBytesMax }) => bodyBytesMax), [
    SUBJECT_TOKEN_BYTES_MAX,
    TOKEN_ANSWER_BYTES_MAX,
  ]);
});

Deno.test("googleCredentialSource acts as another account with a foreign token", async () => {
  const adc = { ...EXTERNAL, service_account_impersonation_url: ACT_AS };
  const { world, get } = setUp({
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

Deno.test("googleCredentialSource refreshes a workforce login with its client's name", async () => {
  const adc = {
    type: "external_account_authorized_user",
    client_id: "cl ient",
    client_secret: "client-secret",
    refresh_token: "refresh-secret",
    token_url: "https://sts.googleapis.com/v1/oauthtoken",
  };
  const { world, get } = setUp({ adc });
  await get();
  const [request] = world.requests;
  assert.equal(request?.headers?.["authorization"], `Basic ${btoa("cl%20ient:client-secret")}`);
  assert.deepEqual(form(request!), {
    grant_type: "refresh_token",
    refresh_token: "refresh-secret",
  });
});

Deno.test("googleCredentialSource refuses what it does not run, clearly", async () => {
  const sources: [object, RegExp][] = [
    [{ environment_id: "aws1", url: "http://169.254.169.254/x" }, /rest on AWS/],
    [{ executable: { command: "/bin/rm -rf /" } }, /rest on a program/],
    [{ certificate: { use_default_certificate_config: true } }, /rest on a certificate/],
  ];
  for (const [credential_source, expected] of sources) {
    const { world, get } = setUp({ adc: { ...EXTERNAL, credential_source } });
    assert.match((await failureOf(get)).message, expected);
    assert.deepEqual(world.ran, []);
    assert.deepEqual(world.requests, []);
  }
});

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
      const { world, get } = setUp({ adc });
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
      const error = await failureOf(setUp({ files: { [ADC]: content } }).get, SECRETS);
      assert.equal(error.code, "malformed-file");
      assert.doesNotMatch(`${error.message} ${error.hint}`, /\p{Cc}/u);
    });
  }
});

Deno.test("googleCredentialSource takes a file at the limit and none past it", async () => {
  const text = JSON.stringify(USER);
  const at = text.padEnd(CREDENTIAL_FILE_BYTES_MAX);
  await setUp({ files: { [ADC]: at } }).get();
  assert.equal((await failureOf(setUp({ files: { [ADC]: `${at} ` } }).get)).code, "too-large");
});

Deno.test("googleCredentialSource does not look further when a named file is not there", async () => {
  const env = { GOOGLE_APPLICATION_CREDENTIALS: "/gone.json" };
  const error = await failureOf(setUp({ adc: USER, env }).get);
  assert.match(`${error.message} ${error.hint}`, /"\/gone.json".*unset that variable/);
});

Deno.test("googleCredentialSource asks the metadata server on Google's machines only", async (t) => {
  const flavor = { "metadata-flavor": "Google" };
  const product = "/sys/class/dmi/id/product_name";
  const path = "/computeMetadata/v1/instance/service-accounts/default/token";
  const usual = `http://169.254.169.254${path}`;
  const body = { access_token: "ya29.one", expires_in: 3000, token_type: "Bearer" };
  const yes: [string, Setup, string][] = [
    ["named", { env: { GCE_METADATA_HOST: "meta.test:8080" } }, `http://meta.test:8080${path}`],
    ["a virtual machine", { files: { [product]: "Google Compute Engine\n" } }, usual],
    ["Cloud Run", { env: { K_SERVICE: "s" } }, usual],
  ];
  for (const [name, options, url] of yes) {
    await t.step(name, async () => {
      const { world, source, get } = setUp({ ...options, http: () => answer(200, body, flavor) });
      await get();
      assert.equal(world.requests[0]?.url, url);
      assert.equal(world.requests[0].headers?.["metadata-flavor"], "Google");
      assert.equal(source.from, "this machine's service account");
    });
  }
  const no: [string, Setup][] = [
    ["a laptop", { files: { [product]: "ThinkPad X1\n" } }],
    ["another system", { os: "darwin", files: { [product]: "Google Compute Engine\n" } }],
    ["not wanted", { env: { NO_GCE_CHECK: "true", GCE_METADATA_HOST: "meta.test" } }],
    ["a host that is none", { env: { GCE_METADATA_HOST: "evil/../x@y" } }],
  ];
  for (const [name, options] of no) {
    await t.step(name, async () => {
      const { world, get } = setUp({ ...options, http: () => answer(200, body, flavor) });
      assert.match((await failureOf(get)).message, /No Google credentials were found/);
      assert.deepEqual(world.requests, []);
    });
  }
  const env = { GCE_METADATA_HOST: "meta.test" };
  await t.step("an impostor", async () => {
    const error = await failureOf(setUp({ env, http: () => answer(200, body) }).get, SECRETS);
    assert.match(error.message, /at meta.test is not Google's metadata server/);
  });
  await t.step("no account", async () => {
    const error = await failureOf(setUp({ env, http: () => answer(404, "no", flavor) }).get);
    assert.match(error.message, /has no service account/);
  });
});

Deno.test("googleCredentialSource asks gcloud last, and says where it looked", async () => {
  const { world, source, get } = setUp({ run: () => ({ stdout: "ya29.gcloud\n" }) });
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
    const error = await failureOf(setUp({ run }).get, SECRETS);
    assert.equal(error.code, "store-refused");
    for (const place of ["GOOGLE_APPLICATION_CREDENTIALS", ADC, "gcloud", "--hmac"]) {
      assert(error.hint?.includes(place), place);
    }
  }
});
