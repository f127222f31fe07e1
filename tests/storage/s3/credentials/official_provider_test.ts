/** AWS's own library, as the program has it: under Deno, and compiled with Bun. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import * as z from "zod/mini";
import { HARDENING, OPTIMISATION } from "../../../../build.ts";

const PROBE = join(dirname(fileURLToPath(import.meta.url)), "official_probe.ts");
const ROOT = join(dirname(PROBE), "..", "..", "..", "..");

const CONFIG = `
[profile sso]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = dev
[sso-session corp]
sso_region = eu-west-1
sso_start_url = https://corp.awsapps.com/start
sso_registration_scopes = sso:account:access
[profile renewed]
sso_session = ending
sso_account_id = 123456789012
sso_role_name = dev
[sso-session ending]
sso_region = eu-west-1
sso_start_url = https://ending.awsapps.com/start
sso_registration_scopes = sso:account:access
[profile never]
sso_session = other
sso_account_id = 123456789012
sso_role_name = dev
[sso-session other]
sso_region = eu-west-1
sso_start_url = https://other.awsapps.com/start
[profile role]
role_arn = arn:aws:iam::123456789012:role/r
source_profile = keys
region = eu-central-1
[profile refused]
role_arn = arn:aws:iam::123456789012:role/refused
source_profile = keys
[profile keys]
aws_access_key_id = AKIAKEYS
aws_secret_access_key = keys-secret
[profile ecs]
role_arn = arn:aws:iam::123456789012:role/r
credential_source = EcsContainer
`;

const Answer = z.object({
  found: z.optional(z.looseObject({ accessKeyId: z.string(), from: z.string() })),
  failed: z.optional(
    z.object({ code: z.string(), message: z.string(), hint: z.optional(z.string()) }),
  ),
  asked: z.array(z.string()),
});

/** A home folder with a sign-in that is good and none for the other session. */
function makeHome(): string {
  const home = fs.mkdtempSync(join(tmpdir(), "css-official-"));
  const cache = join(home, ".aws", "sso", "cache");
  fs.mkdirSync(cache, { recursive: true });
  fs.writeFileSync(join(home, ".aws", "config"), CONFIG);
  const sessions = {
    corp: { accessToken: "signed-in", expiresAt: "2099-01-01T00:00:00Z" },
    ending: {
      accessToken: "ending-sign-in",
      expiresAt: "2020-01-01T00:00:00Z",
      refreshToken: "refresh",
      clientId: "client",
      clientSecret: "client-secret",
      registrationExpiresAt: "2099-01-01T00:00:00Z",
      region: "eu-west-1",
      startUrl: "https://ending.awsapps.com/start",
    },
  };
  for (const [session, token] of Object.entries(sessions)) {
    const name = createHash("sha1").update(session).digest("hex");
    fs.writeFileSync(join(cache, `${name}.json`), JSON.stringify(token));
  }
  return home;
}

interface Machine {
  readonly program: readonly string[];
  readonly home: string;
}

/** Deno's cache, which it would look for in the home folder. */
function denoDir(): string {
  const { stdout } = spawnSync(process.execPath, ["info", "--json"], { encoding: "utf8" });
  return z.object({ denoDir: z.string() }).parse(JSON.parse(stdout)).denoDir;
}

/** Runs the probe; its environment is empty but for what is given. */
async function probe(
  { program, home }: Machine,
  profile: string | null,
  env: Record<string, string> = {},
): Promise<z.infer<typeof Answer>> {
  const [file = "", ...args] = [...program, ...(profile === null ? [] : [profile])];
  const child = spawn(file, args, {
    cwd: home,
    env: { HOME: home, PATH: "/nowhere", DENO_DIR: denoDir(), ...env },
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (part) => stdout += part);
  child.stderr.on("data", (part) => stderr += part);
  const code = await new Promise((resolve) => child.on("close", resolve));
  assert.equal(code, 0, stderr);
  assert.equal(stderr, "", "the library says nothing of its own");
  return Answer.parse(JSON.parse(stdout));
}

async function checkAll(machine: Machine, t: Deno.TestContext): Promise<void> {
  await t.step("a sign-in is exchanged for a role's credentials", async () => {
    const { found, asked } = await probe(machine, "sso");
    assert.deepEqual(found, {
      accessKeyId: "ASIASSO",
      secretAccessKey: "sso-secret",
      sessionToken: "sso-token",
      expiresAtMs: Date.UTC(2099, 0),
      from: "profile sso, single sign-on",
    });
    assert.equal(asked.length, 1);
    assert.match(asked[0]!, /^GET https:\/\/portal\.sso\.eu-west-1\.amazonaws\.com\/federation\//);
    assert.match(asked[0]!, /role_name=dev.* signed-in$/);
  });
  await t.step("a sign-in that ends is renewed", async () => {
    const { found, asked } = await probe(machine, "renewed");
    assert.equal(found?.accessKeyId, "ASIASSO");
    assert.match(asked[0]!, /^POST https:\/\/oidc\.eu-west-1\.amazonaws\.com\/token /);
    assert.match(asked[1]!, / renewed-sign-in$/);
  });
  await t.step("without a sign-in, the command for it", async () => {
    const { failed, asked } = await probe(machine, "never");
    assert.equal(failed?.code, "store-refused");
    assert.match(failed.hint ?? "", /aws sso login --profile never$/);
    assert.deepEqual(asked, []);
  });
  await t.step("a role is assumed, signed with the source's keys", async () => {
    const { found, asked } = await probe(machine, "role");
    assert.equal(found?.accessKeyId, "ASIAROLE");
    assert.equal(found.from, "profile role, role");
    assert.deepEqual(asked, [
      "POST https://sts.eu-central-1.amazonaws.com/ AWS4-HMAC-SHA256 " +
      "Credential=AKIAKEYS/DAY/eu-central-1/sts/aws4_request",
    ]);
  });
  await t.step("a role that is refused", async () => {
    const { failed } = await probe(machine, "refused");
    assert.equal(failed?.code, "store-refused");
    assert.match(failed.message, /role of the AWS profile "refused" cannot be assumed/);
  });
  await t.step("no network, or a busy service, is no refusal", async () => {
    for (const profile of ["sso", "role"]) {
      for (const env of [{ OFFLINE: "1" }, { BUSY: "1" }]) {
        const { failed } = await probe(machine, profile, env);
        assert.equal(failed?.code, "store-unreachable", profile);
      }
    }
  });
  await t.step("a container's credentials", async () => {
    const env = (origin: string) => ({
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${origin}/pod`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN: "pod-identity",
    });
    await withService({ "/pod": NEAR_ANSWER }, async (origin, requests) => {
      const { found } = await probe(machine, null, env(origin));
      assert.equal(found?.accessKeyId, "ASIANEAR");
      assert.equal(found.from, "container role");
      assert.equal((await probe(machine, "ecs", env(origin))).found?.accessKeyId, "ASIAROLE");
      assert.deepEqual(requests, ["GET /pod pod-identity", "GET /pod pod-identity"]);
    });
  });
  await t.step("an instance's credentials, when asked for", async () => {
    const path = "/latest/meta-data/iam/security-credentials/";
    const answers = {
      "/latest/api/token": "session",
      [path]: "the-role",
      [`${path}the-role`]: { Code: "Success", ...NEAR_ANSWER },
    };
    await withService(answers, async (origin, requests) => {
      const env = { AWS_EC2_METADATA_SERVICE_ENDPOINT: origin };
      const silent = await probe(machine, null, env);
      assert.match(silent.failed?.message ?? "", /No AWS credentials were found/);
      assert.deepEqual(requests, []);
      const { found } = await probe(machine, null, { ...env, AWS_EC2_METADATA_DISABLED: "false" });
      assert.equal(found?.accessKeyId, "ASIANEAR");
      assert.equal(found.from, "instance role");
    });
  });
}

const NEAR_ANSWER = {
  AccessKeyId: "ASIANEAR",
  SecretAccessKey: "near-secret",
  Token: "near-token",
  Expiration: "2099-01-01T00:00:00Z",
};

/** The service of a container or an instance, by path, and what it was asked. */
async function withService(
  answers: Readonly<Record<string, string | object>>,
  body: (origin: string, requests: string[]) => Promise<void>,
): Promise<void> {
  const requests: string[] = [];
  const server = createServer(({ method, url = "", headers }, response) => {
    requests.push(`${method} ${url} ${headers["authorization"]}`);
    const answer = answers[url];
    response.statusCode = answer === undefined ? 404 : 200;
    response.end(typeof answer === "string" ? answer : JSON.stringify(answer));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  try {
    const { port } = server.address() as AddressInfo;
    await body(`http://127.0.0.1:${port}`, requests);
  } finally {
    server.close();
  }
}

Deno.test("officialCredentials finds what AWS's library finds, under Deno", async (t) => {
  const home = makeHome();
  try {
    const config = join(ROOT, "deno.json");
    const options = ["-A", "--no-check", "--cached-only", `--config=${config}`];
    const program = [process.execPath, "run", ...options, PROBE];
    await checkAll({ program, home }, t);
  } finally {
    fs.rmSync(home, { recursive: true, force: true });
  }
});

Deno.test("officialCredentials finds what AWS's library finds, compiled with Bun", async (t) => {
  const home = makeHome();
  try {
    await checkAll({ program: [compiled(home)], home }, t);
  } finally {
    fs.rmSync(home, { recursive: true, force: true });
  }
});

/** Compiles the probe as `build.ts` compiles the program. */
function compiled(folder: string): string {
  const program = join(folder, "probe");
  const tsconfig = join(folder, "tsconfig.json");
  fs.writeFileSync(tsconfig, "{}");
  const args = ["build", "--compile", ...OPTIMISATION, ...HARDENING];
  const options = [`--tsconfig-override=${tsconfig}`, PROBE, `--outfile=${program}`];
  for (const bun of bunExecutables()) {
    spawnSync(bun, [...args, ...options], { cwd: ROOT, env: { HOME: folder } });
    if (fs.existsSync(program)) return program;
  }
  throw new Error("Bun is installed and compiles");
}

/** Of the builds for two C libraries, one starts. */
function bunExecutables(): string[] {
  const bun = fs.realpathSync(createRequire(import.meta.url).resolve("bun/package.json"));
  const os = process.platform === "win32" ? "windows" : process.platform;
  const cpu = process.arch === "arm64" ? "aarch64" : "x64";
  return ["", "-musl"]
    .map((libc) => join(dirname(bun), "..", "@oven", `bun-${os}-${cpu}${libc}`, "bin", "bun"))
    .filter((executable) => fs.existsSync(executable));
}

const Graph = z.object({
  modules: z.array(z.object({
    specifier: z.string(),
    dependencies: z.optional(z.array(z.object({
      specifier: z.string(),
      isDynamic: z.optional(z.boolean()),
      code: z.optional(z.looseObject({ specifier: z.optional(z.string()) })),
    }))),
  })),
});

Deno.test("officialCredentials loads AWS's library by itself, and nobody else does", () => {
  const args = ["info", "--json", `--config=${join(ROOT, "deno.json")}`, join(ROOT, "src/main.ts")];
  const { stdout } = spawnSync(process.execPath, args, { encoding: "utf8", maxBuffer: 2 ** 28 });
  const { modules } = Graph.parse(JSON.parse(stdout));
  const imports = modules.flatMap(({ specifier, dependencies = [] }) =>
    dependencies
      .filter((dependency) => /^(npm:)?@(aws-sdk|smithy)\//.test(dependency.specifier))
      .filter(() => specifier.includes("/src/"))
      .map(({ isDynamic = false }) => ({ by: specifier.replace(/^.*\/src\//, ""), isDynamic }))
  );
  const by = "storage/s3/credentials/official_provider.ts";
  assert.deepEqual(imports, [1, 2, 3].map(() => ({ by, isDynamic: true })));
});
