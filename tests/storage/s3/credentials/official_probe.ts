/**
 * A program that finds AWS credentials as the product does, with AWS's real library, on a machine
 * whose network is made up: `official_probe [PROFILE]`. Prints what it found as JSON.
 */
import process from "node:process";
import { utf8 } from "../../../../src/base/bytes.ts";
import { ClaudeSyncError } from "../../../../src/errors.ts";
import { nodePlatform } from "../../../../src/platform/node.ts";
import type { Http } from "../../../../src/platform/types.ts";
import { officialCredentials } from "../../../../src/storage/s3/credentials/official_provider.ts";
import { awsCredentialSource } from "../../../../src/storage/s3/credentials/source.ts";

const ROLE_ANSWER = `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE</AccessKeyId>
  <SecretAccessKey>role-secret</SecretAccessKey><SessionToken>role-token</SessionToken>
  <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>
</AssumeRoleResponse>`;
const ROLE_REFUSAL = `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>
  <Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>`;
const SSO_ANSWER = JSON.stringify({
  roleCredentials: {
    accessKeyId: "ASIASSO",
    secretAccessKey: "sso-secret",
    sessionToken: "sso-token",
    expiration: Date.UTC(2099, 0),
  },
});

/** A sign-in that was renewed. */
const OIDC_ANSWER = JSON.stringify({
  accessToken: "renewed-sign-in",
  expiresIn: 3600,
  refreshToken: "next-refresh",
  tokenType: "Bearer",
});

const asked: string[] = [];
const http: Http = {
  request({ method, url, headers = {}, body }) {
    const proof = headers["authorization"]?.split(",")[0] ??
      headers["x-amz-sso_bearer_token"] ?? "none";
    asked.push(`${method} ${url} ${proof.replace(/\/\d{8}\//, "/DAY/")}`);
    const { host } = new URL(url);
    if (process.env["BUSY"]) {
      const headers = new Map([["content-type", "text/xml"]]);
      return Promise.resolve({ status: 503, headers, body: utf8(ROLE_REFUSAL) });
    }
    if (process.env["OFFLINE"]) {
      throw new ClaudeSyncError("store-unreachable", `Cannot reach ${host}`);
    }
    const text = new TextDecoder().decode(body);
    const isXml = host.startsWith("sts.");
    const json = host.startsWith("oidc.") ? OIDC_ANSWER : SSO_ANSWER;
    const isRefused = text.includes("refused");
    return Promise.resolve({
      status: isRefused ? 403 : 200,
      headers: new Map([["content-type", isXml ? "text/xml" : "application/json"]]),
      body: utf8(!isXml ? json : isRefused ? ROLE_REFUSAL : ROLE_ANSWER),
    });
  },
};

const source = awsCredentialSource({
  platform: { ...nodePlatform(), http },
  profile: process.argv[2] ?? null,
  savedKeys: () => null,
  official: officialCredentials,
});
try {
  const keys = await source.credentials({ refresh: false });
  const { accessKeyId, secretAccessKey, sessionToken, expiresAtMs, from } = keys;
  const found = { accessKeyId, secretAccessKey, sessionToken, expiresAtMs, from };
  process.stdout.write(JSON.stringify({ found, asked }));
} catch (error) {
  if (!(error instanceof ClaudeSyncError)) throw error;
  const { code, message, hint } = error;
  process.stdout.write(JSON.stringify({ failed: { code, message, hint }, asked }));
}
