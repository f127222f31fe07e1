/**
 * A role for the token of another identity provider (Kubernetes, a CI service): the only call to
 * AWS's token service that is not signed.
 *
 * @see https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
 */
import { utf8 } from "../../../base/bytes.ts";
import { ClaudeSyncError } from "../../../errors.ts";
import type { Clock, Http, HttpResponse } from "../../../platform/types.ts";
import { parseAnswerXml, type XmlElement } from "../../bucket/answer_xml.ts";
import { parseEndpoint } from "../../bucket/endpoint.ts";
import { parseErrorAnswer } from "../../bucket/error_answer.ts";
import { type OutsideFiles, outsidePath, readOutsideText } from "../../credentials/outside_file.ts";
import type { AwsCredentials } from "../aws_credentials.ts";
import { awsKeys } from "./keys.ts";

/** Largest token: STS takes 20,000 characters. */
export const WEB_IDENTITY_TOKEN_BYTES_MAX = 20_000;
const ANSWER_BYTES_MAX = 256 * 1024;
const TIMEOUT_MS = 15_000;
/** What the service takes as name of a session. */
const SESSION_NAME = /^[\w+=,.@-]{2,64}$/;
/** Codes that say that the service, or the one it asks, fails for now. */
const TRANSIENT = /^(IDPCommunicationError|Throttling.*|ServiceUnavailable|InternalFailure)$/;

/** Which role for which token. */
export interface WebIdentity {
  readonly roleArn: string;
  /** As it was written. */
  readonly tokenFile: string;
  readonly sessionName: string | null;
  /** Null: the service's own place for all regions. */
  readonly region: string | null;
  readonly from: string;
}

/** What the exchange needs. */
export interface WebIdentityDeps extends OutsideFiles {
  readonly http: Http;
  readonly clock: Clock;
}

/**
 * Exchanges the token in the file, which is read anew each time: whoever puts it there renews it.
 * Errors: `store-refused`, `store-unreachable`, `usage` (AWS_ENDPOINT_URL_STS); the signal's
 * reason.
 */
export async function webIdentityCredentials(
  identity: WebIdentity,
  deps: WebIdentityDeps,
  signal?: AbortSignal,
): Promise<AwsCredentials> {
  const token = readToken(identity, deps);
  const { sessionName } = identity;
  const form = new URLSearchParams({
    Action: "AssumeRoleWithWebIdentity",
    Version: "2011-06-15",
    RoleArn: identity.roleArn,
    RoleSessionName: sessionName !== null && SESSION_NAME.test(sessionName)
      ? sessionName
      : `claude-sync-${deps.clock.nowMs()}`,
    WebIdentityToken: token,
  });
  const url = stsUrl(deps.host.env("AWS_ENDPOINT_URL_STS") ?? null, identity.region);
  const response = await deps.http.request({
    method: "POST",
    url: url.href,
    headers: { "content-type": "application/x-www-form-urlencoded", accept: "application/xml" },
    body: utf8(form.toString()),
    timeoutMs: TIMEOUT_MS,
    bodyBytesMax: ANSWER_BYTES_MAX,
    ...(signal === undefined ? {} : { signal }),
  });
  if (response.status !== 200) throw refusal(identity, url.host, response);
  const keys = keysOf(response, identity.from);
  if (keys !== null) return keys;
  throw new ClaudeSyncError("store-invalid", `What answers at ${url.host} is no token service`, {
    hint: "Check AWS_ENDPOINT_URL_STS; a proxy may be in between",
  });
}

function readToken({ tokenFile }: WebIdentity, deps: WebIdentityDeps): string {
  const path = outsidePath(deps.host, tokenFile);
  const text = readOutsideText(deps, path, WEB_IDENTITY_TOKEN_BYTES_MAX)?.trim() ?? "";
  if (text !== "") return text;
  throw new ClaudeSyncError("store-refused", `There is no identity token in "${path}"`, {
    path,
    hint: "Whatever runs this machine puts it there; check AWS_WEB_IDENTITY_TOKEN_FILE",
  });
}

function stsUrl(endpoint: string | null, region: string | null): URL {
  // The token is as good as a password: never over an open line.
  if (endpoint !== null) return parseEndpoint(endpoint, "loopback");
  if (region === null || region === "auto") return new URL("https://sts.amazonaws.com/");
  return new URL(`https://sts.${region}.${region.startsWith("cn-") ? AWS_CHINA : AWS}/`);
}

const AWS = "amazonaws.com";
const AWS_CHINA = "amazonaws.com.cn";

function keysOf({ body }: HttpResponse, from: string): AwsCredentials | null {
  const result = parseAnswerXml(body)?.all("AssumeRoleWithWebIdentityResult")[0];
  const credentials: XmlElement | undefined = result?.all("Credentials")[0];
  if (credentials === undefined) return null;
  const text = (name: string) => credentials.text(name)?.trim() ?? "";
  return awsKeys({
    accessKeyId: text("AccessKeyId"),
    secretAccessKey: text("SecretAccessKey"),
    sessionToken: text("SessionToken"),
    expiresAtMs: Date.parse(text("Expiration")),
  }, from);
}

function refusal({ roleArn }: WebIdentity, host: string, response: HttpResponse): ClaudeSyncError {
  const { code, status } = parseErrorAnswer(response);
  if (status >= 500 || status === 429 || TRANSIENT.test(code ?? "")) {
    return new ClaudeSyncError("store-unreachable", `${host} is busy (${code ?? status})`, {
      hint: "Try again later",
    });
  }
  return new ClaudeSyncError(
    "store-refused",
    `${host} gives no credentials for the role ${roleArn} (${code ?? `HTTP ${status}`})`,
    {
      hint: code === "ExpiredTokenException"
        ? "The identity token has expired: whatever puts it there must renew it"
        : "The role must trust the token's issuer, audience and subject",
    },
  );
}
