import assert from "node:assert/strict";
import type { HttpRequest } from "../../../../src/platform/types.ts";
import { fromUtf8 } from "../../../../src/base/bytes.ts";
import { ClaudeSyncError } from "../../../../src/errors.ts";
import type { OfficialProvider } from "../../../../src/storage/s3/credentials/official_provider.ts";
import { awsKeys, SESSION_TOKEN_LENGTH_MAX } from "../../../../src/storage/s3/credentials/keys.ts";
import {
  awsCredentialSource,
  type KeyPair,
} from "../../../../src/storage/s3/credentials/source.ts";
import { PROCESS_OUTPUT_BYTES_MAX } from "../../../../src/storage/s3/credentials/process_credentials.ts";
import { WEB_IDENTITY_TOKEN_BYTES_MAX } from "../../../../src/storage/s3/credentials/web_identity.ts";
import {
  answer,
  assertShowsNone,
  credentialWorld,
  type CredentialWorldOptions,
  failureOf,
  HOME,
} from "../../../support/credential_world.ts";

const CONFIG = `${HOME}/.aws/config`;
const unwanted: OfficialProvider = () => Promise.reject(new Error("the library was not wanted"));

interface Setup extends CredentialWorldOptions {
  readonly profile?: string;
  readonly saved?: KeyPair;
  readonly official?: OfficialProvider;
}

function setUp({ profile = null as never, saved, official = unwanted, ...options }: Setup) {
  const world = credentialWorld(options);
  const source = awsCredentialSource({
    platform: world,
    profile: profile ?? null,
    savedKeys: () => saved ?? null,
    official,
  });
  return { world, source, get: (refresh = false) => source.credentials({ refresh }) };
}

const ENV = { AWS_ACCESS_KEY_ID: "AKIAENV", AWS_SECRET_ACCESS_KEY: "env+secret" };

Deno.test("awsCredentialSource takes the environment's keys, and shows nothing of them", async () => {
  const { source, get } = setUp({ env: { ...ENV, AWS_SESSION_TOKEN: "env+token" } });
  assert.equal(source.from, null);
  const keys = await get();
  assert.equal(keys.accessKeyId, "AKIAENV");
  assert.equal(keys.secretAccessKey, "env+secret");
  assert.equal(keys.sessionToken, "env+token");
  assert.equal(keys.expiresAtMs, null);
  assert.equal(source.from, "environment");
  assertShowsNone(keys, ["AKIAENV", "env+secret", "env+token"]);
  assertShowsNone(source, ["AKIAENV", "env+secret", "env+token"]);
});

Deno.test("awsCredentialSource knows when the environment's keys end", async () => {
  const { get } = setUp({ env: { ...ENV, AWS_CREDENTIAL_EXPIRATION: "2026-11-24T13:00:00Z" } });
  assert.equal((await get()).expiresAtMs, Date.UTC(2026, 10, 24, 13));
});

Deno.test("awsCredentialSource takes kept keys before all others, without a look at files", async () => {
  const { get, world } = setUp({
    env: ENV,
    profile: "broken",
    files: { [CONFIG]: "\0" },
    saved: { accessKeyId: "AKIAKEPT", secretAccessKey: "kept" },
  });
  assert.equal((await get()).accessKeyId, "AKIAKEPT");
  assert.deepEqual(world.ran, []);
});

Deno.test("awsCredentialSource says where it looked when it finds nothing", async () => {
  const { get, world } = setUp({});
  const error = await failureOf(get);
  assert.equal(error.code, "store-refused");
  assert.equal(error.message, "No AWS credentials were found");
  for (const place of ["AWS_ACCESS_KEY_ID", `${HOME}/.aws/credentials`, CONFIG, '"default"']) {
    assert(error.hint?.includes(place), place);
  }
  assert.deepEqual(world.requests, [], "the instance's metadata is not asked");
  assert.deepEqual(world.ran, []);
});

Deno.test("awsCredentialSource names the profiles when one is not there", async () => {
  const files = { [CONFIG]: "[profile a]\nregion=r\n[lost]\nregion=r" };
  const wrong = await failureOf(setUp({ files, profile: "b" }).get);
  assert.match(`${wrong.message} ${wrong.hint}`, /no AWS profile "b".*there are: a$/);
  const lost = await failureOf(setUp({ files, profile: "lost" }).get);
  assert.match(lost.hint ?? "", /must be called \[profile lost\]/);
});

Deno.test("awsCredentialSource refuses keys that no header can carry, without showing them", async () => {
  for (const secret of ["with space", "line\nend", "ümlaut", "x".repeat(1025)]) {
    const env = { AWS_ACCESS_KEY_ID: "AKIAENV", AWS_SECRET_ACCESS_KEY: secret };
    assert.equal((await failureOf(setUp({ env }).get, [secret])).code, "store-refused");
  }
  const env = { AWS_ACCESS_KEY_ID: "AKIAENV", AWS_SECRET_ACCESS_KEY: "x".repeat(1024) };
  assert.equal((await setUp({ env }).get()).secretAccessKey.length, 1024);
  const withToken = (length: number) =>
    setUp({ env: { ...ENV, AWS_SESSION_TOKEN: "t".repeat(length) } }).get();
  await withToken(SESSION_TOKEN_LENGTH_MAX);
  const past = await failureOf(() => withToken(SESSION_TOKEN_LENGTH_MAX + 1));
  assert.equal(past.code, "store-refused");
});

const PROCESS = {
  [CONFIG]: `[profile tool]\ncredential_process = "/opt/my tool" --user 'a b' s3cr3t-argument`,
};
const printed = (more: object = {}) => ({
  stdout: JSON.stringify({
    Version: 1,
    AccessKeyId: "ASIATOOL",
    SecretAccessKey: "tool-secret",
    SessionToken: "tool-token",
    Expiration: "2026-11-24T13:00:00Z",
    ...more,
  }),
});

Deno.test("awsCredentialSource runs a credential_process without a shell, and again in time", async () => {
  const { world, source, get } = setUp({
    files: PROCESS,
    profile: "tool",
    run: (_argv, options) => {
      assert.equal(options.timeoutMs, 10_000);
      assert.equal(options.stdin, undefined);
      return printed();
    },
  });
  const keys = await get();
  assert.deepEqual(world.ran, [["/opt/my tool", "--user", "a b", "s3cr3t-argument"]]);
  assert.equal(keys.secretAccessKey, "tool-secret");
  assert.equal(keys.sessionToken, "tool-token");
  assert.equal(source.from, "profile tool, my tool".replace("my tool", "my?tool"));
  await get();
  assert.equal(world.ran.length, 1);
  world.clock.nowMsValue = Date.UTC(2026, 10, 24, 12, 55);
  await get();
  assert.equal(world.ran.length, 2);
  await get(true);
  assert.equal(world.ran.length, 3);
});

const SECRETS = ["tool-secret", "tool-token", "s3cr3t-argument", "stderr-secret"];

Deno.test("awsCredentialSource explains a credential_process that fails, without its secrets", async (t) => {
  const cases: [string, NonNullable<CredentialWorldOptions["run"]>, RegExp][] = [
    ["not there", () => null, /no such program/],
    ["exit code", () => ({ code: 3, stderr: "stderr-secret" }), /exit code 3/],
    ["other version", () => printed({ Version: 2 }), /form of version 1/],
    ["no secret", () => printed({ SecretAccessKey: undefined }), /form of version 1/],
    ["no JSON", () => ({ stdout: "tool-secret" }), /form of version 1/],
    ["no text", () => ({ stdout: new Uint8Array([0xff]) }), /form of version 1/],
    ["expired", () => printed({ Expiration: "2026-11-24T11:59:59Z" }), /have expired/],
    ["no date", () => printed({ Expiration: "tomorrow" }), /cannot be any/],
    ["bad key", () => printed({ SecretAccessKey: "tool-secret\n" }), /cannot be any/],
    ["timeout", () => {
      throw new ClaudeSyncError("local-io", `"/opt/my tool" did not end within 10000 ms`);
    }, /does not end/],
    ["too long", (_, { outputBytesMax }) => {
      assert.equal(outputBytesMax, PROCESS_OUTPUT_BYTES_MAX);
      throw new ClaudeSyncError("too-large", "printed more");
    }, /prints too much/],
  ];
  for (const [name, run, expected] of cases) {
    await t.step(name, async () => {
      const error = await failureOf(setUp({ files: PROCESS, profile: "tool", run }).get, SECRETS);
      assert.equal(error.code, "store-refused");
      assert.match(error.message, expected);
      assert.match(error.message, /^The credential_process of the profile "tool"/);
    });
  }
  const files = { [CONFIG]: "[profile tool]\ncredential_process = a 's3cr3t-argument" };
  assert.match(
    (await failureOf(setUp({ files, profile: "tool" }).get, SECRETS)).message,
    /a quote without an end/,
  );
});

const WEB_ENV = {
  AWS_WEB_IDENTITY_TOKEN_FILE: "/var/run/token",
  AWS_ROLE_ARN: "arn:aws:iam::123456789012:role/r",
};
const STS_ANSWER =
  `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult><Credentials><SessionToken>sts-token</SessionToken>
  <SecretAccessKey>sts-secret</SecretAccessKey><Expiration>2026-11-24T13:00:00Z</Expiration>
  <AccessKeyId>ASIASTS</AccessKeyId></Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>`;
const stsError = (code: string) =>
  `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>jwt-token</Message></Error></ErrorResponse>`;

function form(request: HttpRequest | undefined): URLSearchParams {
  return new URLSearchParams(fromUtf8(request?.body ?? new Uint8Array()));
}

Deno.test("awsCredentialSource exchanges a web identity at the token service, unsigned", async () => {
  const { world, source, get } = setUp({
    env: { ...WEB_ENV, AWS_ROLE_SESSION_NAME: "pod", AWS_REGION: "eu-west-1" },
    files: { "/var/run/token": "jwt-token\n" },
    http: () => answer(200, STS_ANSWER),
  });
  const keys = await get();
  assert.equal(keys.accessKeyId, "ASIASTS");
  assert.equal(keys.secretAccessKey, "sts-secret");
  assert.equal(keys.sessionToken, "sts-token");
  assert.equal(keys.expiresAtMs, Date.UTC(2026, 10, 24, 13));
  assert.equal(source.from, "web identity");
  const [request] = world.requests;
  assert.equal(request?.url, "https://sts.eu-west-1.amazonaws.com/");
  assert.equal(request.method, "POST");
  assert.equal(request.headers?.["authorization"], undefined);
  assert.deepEqual(Object.fromEntries(form(request)), {
    Action: "AssumeRoleWithWebIdentity",
    Version: "2011-06-15",
    RoleArn: WEB_ENV.AWS_ROLE_ARN,
    RoleSessionName: "pod",
    WebIdentityToken: "jwt-token",
  });
  world.write("/var/run/token", "renewed-token");
  await get(true);
  assert.equal(form(world.requests[1]).get("WebIdentityToken"), "renewed-token");
});

Deno.test("awsCredentialSource finds the token service of its region and of the environment", async () => {
  const places: [Record<string, string>, string][] = [
    [{}, "https://sts.amazonaws.com/"],
    [{ AWS_REGION: "cn-north-1" }, "https://sts.cn-north-1.amazonaws.com.cn/"],
    [{ AWS_ENDPOINT_URL_STS: "https://minio.example" }, "https://minio.example/"],
  ];
  for (const [env, url] of places) {
    const { world, get } = setUp({
      env: { ...WEB_ENV, ...env },
      files: { "/var/run/token": "jwt-token" },
      http: () => answer(200, STS_ANSWER),
    });
    await get();
    assert.equal(world.requests[0]?.url, url);
    assert.match(form(world.requests[0]).get("RoleSessionName") ?? "", /^claude-sync-\d+$/);
  }
  const env = { ...WEB_ENV, AWS_ENDPOINT_URL_STS: "http://10.0.0.1" };
  const open = setUp({ env, files: { "/var/run/token": "jwt-token" } });
  assert.equal((await failureOf(open.get, ["jwt-token"])).code, "usage");
});

Deno.test("awsCredentialSource explains what the token service refuses, without the token", async (t) => {
  const cases: [string, number, string, string, RegExp][] = [
    ["expired", 400, stsError("ExpiredTokenException"), "store-refused", /must renew it/],
    ["not trusted", 403, stsError("AccessDenied"), "store-refused", /must trust/],
    ["its own source", 400, stsError("IDPCommunicationError"), "store-unreachable", /later/],
    ["busy", 503, "busy", "store-unreachable", /later/],
    ["nonsense", 200, "<html></html>", "store-invalid", /proxy/],
    ["no keys", 200, STS_ANSWER.replace("ASIASTS", ""), "store-invalid", /proxy/],
    ["no end", 200, STS_ANSWER.replace("2026-11-24T13:00:00Z", "never"), "store-invalid", /proxy/],
  ];
  for (const [name, status, body, code, hint] of cases) {
    await t.step(name, async () => {
      const { get } = setUp({
        env: WEB_ENV,
        files: { "/var/run/token": "jwt-token" },
        http: () => answer(status, body),
      });
      const error = await failureOf(get, ["jwt-token", "sts-secret", "sts-token"]);
      assert.equal(error.code, code);
      assert.match(error.hint ?? "", hint);
    });
  }
});

Deno.test("awsCredentialSource takes a token at the limit, none past it, none without text", async () => {
  const get = (token: string) =>
    setUp({
      env: WEB_ENV,
      files: { "/var/run/token": token },
      http: () => answer(200, STS_ANSWER),
    }).get();
  await get("t".repeat(WEB_IDENTITY_TOKEN_BYTES_MAX));
  const past = await failureOf(() => get("t".repeat(WEB_IDENTITY_TOKEN_BYTES_MAX + 1)));
  assert.equal(past.code, "too-large");
  assert.equal((await failureOf(() => get(" \n"))).code, "store-refused");
  const absent = setUp({ env: WEB_ENV });
  assert.match((await failureOf(absent.get)).message, /no identity token in "\/var\/run\/token"/);
});

const SSO = { [CONFIG]: "[profile s]\nsso_session = c\nregion = eu-north-1\n[sso-session c]\n" };
const offered: OfficialProvider = (_request, { from }) =>
  Promise.resolve(
    awsKeys({
      accessKeyId: "ASIASSO",
      secretAccessKey: "sso-secret",
      sessionToken: "sso-token",
      expiresAtMs: Date.UTC(2026, 10, 24, 13),
    }, from),
  );
const failing: OfficialProvider = () =>
  Promise.reject(Object.assign(new Error("sso-secret"), { name: "CredentialsProviderError" }));

Deno.test("awsCredentialSource leaves single sign-on to AWS's library", async () => {
  const asked: unknown[] = [];
  const { source, get, world } = setUp({
    files: SSO,
    profile: "s",
    official: (request, options) => {
      asked.push(request);
      return offered(request, options);
    },
  });
  assert.equal((await get()).secretAccessKey, "sso-secret");
  assert.equal(source.from, "profile s, single sign-on");
  assert.deepEqual(asked, [{
    kind: "profile",
    profile: "s",
    region: "eu-north-1",
    configPath: CONFIG,
    credentialsPath: `${HOME}/.aws/credentials`,
  }]);
  assert.deepEqual(world.ran, []);
});

Deno.test("awsCredentialSource asks the AWS CLI when the library fails", async () => {
  const { source, get, world } = setUp({
    files: SSO,
    profile: "s",
    official: failing,
    run: () => printed(),
  });
  assert.equal((await get()).secretAccessKey, "tool-secret");
  assert.deepEqual(world.ran, [
    ["aws", "configure", "export-credentials", "--profile=s", "--format=process"],
  ]);
  assert.equal(source.from, "profile s, single sign-on");
});

Deno.test("awsCredentialSource says how to sign in again, and nothing of the library's words", async (t) => {
  const config = `[profile s]\nsso_session = c\n[profile l]\nlogin_session = x\n` +
    `[profile r]\nrole_arn = a\nsource_profile = s\n` +
    `[profile k]\nrole_arn = a\nsource_profile = keys\n` +
    `[profile m]\nrole_arn = a\nsource_profile = keys\nmfa_serial = x\n`;
  const cases: [string, RegExp][] = [
    ["s", /aws sso login --profile s$/],
    ["l", /aws login --profile l$/],
    ["r", /aws sso login --profile s /],
    ["k", /aws sts get-caller-identity/],
    ["m", /aws configure export-credentials --format env/],
  ];
  for (const [profile, hint] of cases) {
    for (const run of [() => null, () => ({ code: 255, stderr: "expired sso-secret" })]) {
      await t.step(profile, async () => {
        const { get } = setUp({ files: { [CONFIG]: config }, profile, official: failing, run });
        const error = await failureOf(get, ["sso-secret"]);
        assert.equal(error.code, "store-refused");
        assert.match(error.hint ?? "", hint);
      });
    }
  }
});

Deno.test("awsCredentialSource takes an unreachable sign-in for what it is", async () => {
  const { get, world } = setUp({
    files: SSO,
    profile: "s",
    official: () => Promise.reject(new ClaudeSyncError("store-unreachable", "no network")),
  });
  assert.equal((await failureOf(get)).code, "store-unreachable");
  assert.deepEqual(world.ran, [], "the AWS CLI would wait for the network as well");
});

Deno.test("awsCredentialSource keeps the old credentials while a sign-in cannot be renewed", async () => {
  let official = offered;
  const { get, world } = setUp({
    files: SSO,
    profile: "s",
    official: (request, options) => official(request, options),
  });
  await get();
  official = failing;
  world.clock.nowMsValue = Date.UTC(2026, 10, 24, 12, 58);
  assert.equal((await get()).accessKeyId, "ASIASSO");
  world.clock.nowMsValue = Date.UTC(2026, 10, 24, 13);
  assert.match((await failureOf(get)).hint ?? "", /aws sso login/);
});

Deno.test("awsCredentialSource asks a container's service only where there is one", async () => {
  const env = { AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://169.254.170.23/v1/credentials" };
  const there = setUp({ env, official: offered });
  await there.get();
  assert.equal(there.source.from, "container role");
  const failed = await failureOf(setUp({ env, official: failing }).get, ["sso-secret"]);
  assert.match(failed.message, /container's service/);
  const asked = setUp({ env: { AWS_EC2_METADATA_DISABLED: "false" }, official: failing });
  assert.match((await failureOf(asked.get, ["sso-secret"])).message, /metadata service/);
});
