import assert from "node:assert/strict";
import { awsSettings } from "../../../../src/storage/s3/credentials/aws_settings.ts";
import {
  type CredentialPlan,
  planCredentials,
} from "../../../../src/storage/s3/credentials/plan.ts";
import { readProfileFiles } from "../../../../src/storage/s3/credentials/profile_files.ts";
import { credentialWorld, HOME } from "../../../support/credential_world.ts";

const CONFIG = `
[default]
region = eu-west-1
[profile work]
region = eu-west-2
aws_access_key_id = AKIACONFIG
aws_secret_access_key = config-secret
[profile sso]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = dev
[profile old-sso]
sso_start_url = https://corp.awsapps.com/start
[profile signed]
login_session = arn:aws:sts::123456789012:assumed-role/x
[profile role]
role_arn = arn:aws:iam::123456789012:role/r
source_profile = sso
[profile role-of-keys]
role_arn = arn:aws:iam::123456789012:role/r
source_profile = work
aws_access_key_id = AKIABOTH
aws_secret_access_key = both-secret
[profile role-of-login]
role_arn = arn:aws:iam::123456789012:role/r
source_profile = signed
[profile circle]
role_arn = arn:aws:iam::123456789012:role/r
source_profile = circle2
[profile circle2]
role_arn = arn:aws:iam::123456789012:role/r
source_profile = circle
[profile instance]
role_arn = arn:aws:iam::123456789012:role/r
credential_source = Ec2InstanceMetadata
[profile mfa]
role_arn = arn:aws:iam::123456789012:role/r
source_profile = work
mfa_serial = arn:aws:iam::123456789012:mfa/me
[profile web]
role_arn = arn:aws:iam::123456789012:role/r
web_identity_token_file = ~/token
role_session_name = me
[profile tool]
credential_process = tool --x
[profile half]
aws_access_key_id = AKIAHALF
[profile other-half]
aws_secret_access_key = other-half
[profile empty]
region = eu-west-3
[profile "with space"]
credential_process = tool
[forgotten]
region = eu-west-1
`;
const CREDENTIALS = `
[default]
aws_access_key_id = AKIADEFAULT
aws_secret_access_key = default-secret
[work]
aws_access_key_id = AKIAWORK
aws_secret_access_key = work-secret
aws_session_token = work-token
[only-here]
aws_access_key_id = AKIAONLY
aws_secret_access_key = only-secret
`;
const KEYS = { AWS_ACCESS_KEY_ID: "AKIAENV", AWS_SECRET_ACCESS_KEY: "env-secret" };
const WEB = { AWS_WEB_IDENTITY_TOKEN_FILE: "/token", AWS_ROLE_ARN: "arn:aws:iam::1:role/r" };
const CONTAINER = { AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://169.254.170.23/v1" };

interface Case {
  readonly name: string;
  readonly env?: Record<string, string>;
  readonly profile?: string;
  readonly files?: Record<string, string>;
  readonly expected: Partial<CredentialPlan> & { readonly kind: CredentialPlan["kind"] };
}

const FILES = {
  [`${HOME}/.aws/config`]: CONFIG,
  [`${HOME}/.aws/credentials`]: CREDENTIALS,
};

const official = (profile: string, how: string, signIn: string | null) =>
  ({ kind: "official", profile, how, signIn }) as Partial<CredentialPlan> & { kind: "official" };

const CASES: readonly Case[] = [
  { name: "nothing anywhere", files: {}, expected: { kind: "nothing" } },
  { name: "environment", env: KEYS, expected: { kind: "environment" } },
  {
    name: "environment before the machine's identity",
    env: { ...KEYS, ...WEB, ...CONTAINER },
    files: {},
    expected: { kind: "environment" },
  },
  { name: "default profile", expected: { kind: "keys", profile: "default" } },
  {
    name: "profile by --aws-profile",
    profile: "work",
    expected: { kind: "keys", profile: "work" },
  },
  {
    name: "--aws-profile before the environment's keys and profile",
    env: { ...KEYS, AWS_PROFILE: "tool" },
    profile: "work",
    expected: { kind: "keys", profile: "work" },
  },
  {
    name: "AWS_PROFILE before the environment's keys",
    env: { ...KEYS, AWS_PROFILE: "tool" },
    expected: { kind: "process", profile: "tool", command: "tool --x" },
  },
  {
    name: "AWS_DEFAULT_PROFILE, of old",
    env: { AWS_DEFAULT_PROFILE: "tool" },
    expected: { kind: "process", profile: "tool" },
  },
  {
    name: "AWS_PROFILE before AWS_DEFAULT_PROFILE",
    env: { AWS_PROFILE: "work", AWS_DEFAULT_PROFILE: "tool" },
    expected: { kind: "keys", profile: "work" },
  },
  {
    name: "profile of the credentials file only",
    profile: "only-here",
    expected: { kind: "keys", profile: "only-here" },
  },
  {
    name: "single sign-on",
    profile: "sso",
    expected: official("sso", "sso", "aws sso login --profile sso"),
  },
  {
    name: "single sign-on without a session",
    profile: "old-sso",
    expected: official("old-sso", "sso", "aws sso login --profile old-sso"),
  },
  {
    name: "aws login",
    profile: "signed",
    expected: official("signed", "login", "aws login --profile signed"),
  },
  {
    name: "role on single sign-on",
    profile: "role",
    expected: official("role", "role", "aws sso login --profile sso"),
  },
  {
    name: "role before keys of the same profile",
    profile: "role-of-keys",
    expected: official("role-of-keys", "role", null),
  },
  {
    name: "role on aws login",
    profile: "role-of-login",
    expected: official("role-of-login", "role", "aws login --profile signed"),
  },
  { name: "roles in a circle", profile: "circle", expected: official("circle", "role", null) },
  {
    name: "role of the instance, as asked for",
    profile: "instance",
    expected: official("instance", "role", null),
  },
  { name: "role with a device's code", profile: "mfa", expected: official("mfa", "mfa", null) },
  {
    name: "web identity of a profile",
    profile: "web",
    expected: { kind: "web-identity", tokenFile: "~/token", sessionName: "me" },
  },
  {
    name: "profile with a space",
    profile: "with space",
    expected: { kind: "process", profile: "with space" },
  },
  {
    name: "half of the environment",
    env: { AWS_ACCESS_KEY_ID: "AKIA" },
    expected: { kind: "half", what: "AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY" },
  },
  {
    name: "the other half of the environment",
    env: { AWS_SECRET_ACCESS_KEY: "s" },
    expected: { kind: "half", what: "AWS_SECRET_ACCESS_KEY is set without AWS_ACCESS_KEY_ID" },
  },
  { name: "half of a profile", profile: "half", expected: { kind: "half" } },
  { name: "the other half of a profile", profile: "other-half", expected: { kind: "half" } },
  {
    name: "unknown profile, though the environment has keys",
    env: KEYS,
    profile: "wrok",
    expected: { kind: "no-such-profile", profile: "wrok", isMisnamed: false },
  },
  {
    name: "profile whose section lacks the word",
    profile: "forgotten",
    expected: { kind: "no-such-profile", profile: "forgotten", isMisnamed: true },
  },
  {
    name: "profile without credentials, on a machine with an identity",
    env: WEB,
    profile: "empty",
    expected: { kind: "web-identity", profile: null, region: "eu-west-3" },
  },
  { name: "web identity", env: WEB, files: {}, expected: { kind: "web-identity", profile: null } },
  {
    name: "web identity before the container",
    env: { ...WEB, ...CONTAINER },
    files: {},
    expected: { kind: "web-identity" },
  },
  { name: "container", env: CONTAINER, files: {}, expected: { kind: "container" } },
  {
    name: "container of ECS",
    env: { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: "/v2/x" },
    files: {},
    expected: { kind: "container" },
  },
  {
    name: "instance, when asked for",
    env: { AWS_EC2_METADATA_DISABLED: "false" },
    files: {},
    expected: { kind: "instance" },
  },
  {
    name: "no instance, when not wanted",
    env: { AWS_EC2_METADATA_DISABLED: "true" },
    files: {},
    expected: { kind: "nothing" },
  },
  {
    name: "files in other places",
    env: {
      AWS_CONFIG_FILE: "~/c",
      AWS_SHARED_CREDENTIALS_FILE: "aws/credentials",
      AWS_PROFILE: "p",
    },
    files: {
      [`${HOME}/c`]: "[profile p]\ncredential_process = from-config",
      "/work/aws/credentials": "[p]\naws_access_key_id = A\naws_secret_access_key = s",
    },
    expected: { kind: "keys", profile: "p" },
  },
];

Deno.test("planCredentials chooses as AWS's own tools do", async (t) => {
  for (const { name, env = {}, profile = null, files = FILES, expected } of CASES) {
    await t.step(name, () => {
      const { host, fs } = credentialWorld({ env, files });
      const plan = planCredentials(host, readProfileFiles({ fs, host }), profile);
      assert.partialDeepStrictEqual(plan, expected);
    });
  }
});

Deno.test("readProfileFiles lets the credentials file win, setting by setting", () => {
  const { host, fs } = credentialWorld({ files: FILES });
  const files = readProfileFiles({ fs, host });
  assert.deepEqual(Object.fromEntries(files.profile("work") ?? []), {
    region: "eu-west-2",
    aws_access_key_id: "AKIAWORK",
    aws_secret_access_key: "work-secret",
    aws_session_token: "work-token",
  });
  assert(files.names.includes("with space") && !files.names.includes("forgotten"));
});

Deno.test("readProfileFiles follows links and refuses what is no text, or too long", () => {
  const world = credentialWorld({ files: { "/dotfiles/c": "[only]\nregion = r" } });
  world.fs.makeDir(`${HOME}/.aws`);
  world.fs.symlink("/dotfiles/c", `${HOME}/.aws/credentials`);
  assert.deepEqual(readProfileFiles(world).names, ["only"]);
  world.write("/dotfiles/c", "[only]\nx = 1\0");
  assert.throws(() => readProfileFiles(world), { code: "malformed-file" });
  world.write("/dotfiles/c", new Uint8Array([0x5b, 0xff, 0x5d]));
  assert.throws(() => readProfileFiles(world), { code: "malformed-file" });
  world.write("/dotfiles/c", "\uFEFF[bom]\nregion = r");
  assert.deepEqual(readProfileFiles(world).names, ["bom"]);
  world.write("/dotfiles/c", "#".repeat(4 * 1024 * 1024));
  assert.deepEqual(readProfileFiles(world).names, []);
  world.write("/dotfiles/c", "#".repeat(4 * 1024 * 1024 + 1));
  assert.throws(() => readProfileFiles(world), { code: "too-large" });
});

const SETTINGS: readonly (readonly [
  name: string,
  env: Record<string, string>,
  profile: string | null,
  region: string | null,
  endpoint: string | null,
])[] = [
  ["nothing", {}, null, null, null],
  ["the profile's", {}, "p", "r1", "https://p"],
  ["the services section's", {}, "s", null, "https://s3-of-services"],
  ["AWS_PROFILE's", { AWS_PROFILE: "p" }, null, "r1", "https://p"],
  ["the environment's region", { AWS_REGION: "e1", AWS_DEFAULT_REGION: "e2" }, null, "e1", null],
  ["the older variable", { AWS_DEFAULT_REGION: "e2", AWS_PROFILE: "p" }, null, "e2", "https://p"],
  ["a given profile's region first", { AWS_REGION: "e1" }, "p", "r1", "https://p"],
  ["a given profile without region", { AWS_REGION: "e1" }, "s", "e1", "https://s3-of-services"],
  ["endpoint of the environment", { AWS_ENDPOINT_URL: "https://all" }, "s", null, "https://all"],
  [
    "endpoint of the environment for S3",
    { AWS_ENDPOINT_URL: "https://all", AWS_ENDPOINT_URL_S3: "https://s3" },
    "p",
    "r1",
    "https://s3",
  ],
  [
    "endpoints switched off",
    { AWS_ENDPOINT_URL: "https://all", AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "True" },
    "p",
    "r1",
    null,
  ],
  ["endpoints switched off by the profile", {}, "i", null, null],
  ["a region that is none", { AWS_REGION: "no/region" }, null, null, null],
];

Deno.test("awsSettings finds region and endpoint in AWS's order", async (t) => {
  const config = `[profile p]\nregion = r1\nendpoint_url = https://p\n` +
    `[profile s]\nservices = mine\nendpoint_url = https://less\n` +
    `[profile i]\nendpoint_url = https://i\nignore_configured_endpoint_urls = true\n` +
    `[services mine]\nsts =\n  endpoint_url = https://sts\ns3 =\n  endpoint_url = https://s3-of-services\n`;
  for (const [name, env, profile, region, endpoint] of SETTINGS) {
    await t.step(name, () => {
      const { host, fs } = credentialWorld({ env, files: { [`${HOME}/.aws/config`]: config } });
      assert.deepEqual(awsSettings({ fs, host }, profile), { region, endpoint });
    });
  }
});
