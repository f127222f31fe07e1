/**
 * A token for the token of another identity provider (workload and workforce identity federation).
 *
 * @see https://google.aip.dev/auth/4117
 */
import { fromUtf8 } from "../../base/bytes.ts";
import { ClaudeSyncError } from "../../errors.ts";
import { jsonOf, outsidePath, readOutsideText } from "../credentials/outside_file.ts";
import type { TokenDeps, TokenGetter } from "./access_token.ts";
import type { CredentialFileOf } from "./credential_file.ts";
import { impersonatedToken } from "./impersonation.ts";
import { basicAuthorization } from "./refresh_token.ts";
import { formRequest, requestToken } from "./token_request.ts";

/** Largest foreign token, with whatever its file or answer has around it. */
export const SUBJECT_TOKEN_BYTES_MAX = 256 * 1024;
const SUBJECT_TIMEOUT_MS = 15_000;

const GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";

type ExternalAccount = CredentialFileOf<"external_account">;

/** Makes the getter; with impersonation as a second step where the file asks for it. */
export function externalAccountToken(file: ExternalAccount): TokenGetter {
  const url = file.service_account_impersonation_url;
  if (url === undefined) return exchangedToken(file);
  return impersonatedToken({ source: exchangedToken(file), url, delegates: [] });
}

function exchangedToken(file: ExternalAccount): TokenGetter {
  return async (scope, deps, signal) => {
    const form = {
      grant_type: GRANT_TYPE,
      audience: file.audience,
      scope,
      requested_token_type: ACCESS_TOKEN,
      subject_token_type: file.subject_token_type,
      subject_token: await subjectToken(file, deps, signal),
      ...workforceOptions(file),
    };
    const request = formRequest(file.token_url, form, clientHeaders(file));
    const answer = await requestToken(request, deps, signal);
    if (answer.kind === "token") return answer.token;
    throw new ClaudeSyncError("store-refused", "Google does not take the foreign identity token", {
      hint: `Check audience, provider and attribute conditions of the identity pool, and that ` +
        `the token is fresh (${answer.code})`,
    });
  };
}

/** Users of a workforce pool name the project that pays for the exchange, unless a client does. */
function workforceOptions(file: ExternalAccount): { options?: string } {
  const { workforce_pool_user_project: userProject, client_id } = file;
  if (userProject === undefined || client_id !== undefined) return {};
  return { options: JSON.stringify({ userProject }) };
}

function clientHeaders(file: ExternalAccount): Record<string, string> {
  const { client_id, client_secret } = file;
  if (client_id === undefined || client_secret === undefined) return {};
  return { authorization: basicAuthorization(client_id, client_secret.dangerouslyReveal()) };
}

/** Fetched anew each time: whoever provides it renews it. */
async function subjectToken(
  { credential_source: source }: ExternalAccount,
  deps: TokenDeps,
  signal: AbortSignal,
): Promise<string> {
  if ("file" in source) {
    const path = outsidePath(deps.host, source.file);
    const text = readOutsideText(deps, path, SUBJECT_TOKEN_BYTES_MAX);
    return formatted(text ?? "", source.format, `"${path}"`);
  }
  if ("url" in source) {
    const { status, body } = await deps.http.request({
      method: "GET",
      url: source.url,
      headers: source.headers ?? {},
      timeoutMs: SUBJECT_TIMEOUT_MS,
      bodyBytesMax: SUBJECT_TOKEN_BYTES_MAX,
      signal,
    });
    const { host } = new URL(source.url);
    if (status !== 200) throw noSubjectToken(`${host} (HTTP ${status})`);
    return formatted(textOf(body), source.format, host);
  }
  throw unsupported(source);
}

/** The token itself: all of the text, or a member of JSON. */
function formatted(
  text: string,
  format: { readonly type: "text" } | {
    readonly type: "json";
    readonly subject_token_field_name: string;
  } | undefined,
  place: string,
): string {
  let token: unknown = text.trim();
  if (format?.type === "json") {
    const value = jsonOf(text);
    const isObject = typeof value === "object" && value !== null;
    const members = new Map(isObject ? Object.entries(value) : []);
    token = members.get(format.subject_token_field_name);
  }
  if (typeof token !== "string" || token === "") throw noSubjectToken(place);
  return token;
}

function textOf(bytes: Uint8Array): string {
  try {
    return fromUtf8(bytes);
  } catch {
    // No text, no token.
    return "";
  }
}

function noSubjectToken(place: string): ClaudeSyncError {
  return new ClaudeSyncError("store-refused", `There is no identity token at ${place}`, {
    hint: "The credential file (credential_source) says that it is there, and in which form",
  });
}

function unsupported(source: object): ClaudeSyncError {
  const kind = "environment_id" in source
    ? "AWS"
    : "executable" in source
    ? "a program"
    : "a certificate";
  return new ClaudeSyncError(
    "store-refused",
    `Google credentials that rest on ${kind} are not supported`,
    {
      hint: "Let gcloud get the token (gcloud auth login --cred-file=FILE, with " +
        "GOOGLE_APPLICATION_CREDENTIALS unset), or use HMAC keys: --hmac",
    },
  );
}
