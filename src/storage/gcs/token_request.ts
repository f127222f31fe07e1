/** Asking Google's services for a token. */
import * as z from "zod/mini";
import { type Bytes, fromUtf8, utf8 } from "../../base/bytes.ts";
import { SecretText } from "../../base/secret.ts";
import { ClaudeSyncError } from "../../errors.ts";
import type { HttpRequest } from "../../platform/types.ts";
import { jsonOf } from "../credentials/outside_file.ts";
import type { AccessToken, TokenDeps } from "./access_token.ts";

/** Most bytes of such an answer that are read. */
export const TOKEN_ANSWER_BYTES_MAX = 64 * 1024;
const TIMEOUT_MS = 15_000;
/** What a header can carry; Google says that tokens may have up to 2,048 bytes. */
const TOKEN = /^[!-~]{1,16384}$/;
/** Longest life of a token that is believed: a day. */
const LIFETIME_SECONDS_MAX = 24 * 3600;

const token = z.string().check(z.regex(TOKEN));
const OAuthAnswer = z.object({
  access_token: token,
  expires_in: z.optional(z.number().check(z.minimum(0), z.maximum(LIFETIME_SECONDS_MAX))),
});
const ImpersonationAnswer = z.object({
  accessToken: token,
  expireTime: z.string().check(z.maxLength(64)),
});
/** OAuth's form of an error, and that of Google's other services. */
const ErrorAnswer = z.object({
  error: z.union([z.string(), z.object({ status: z.string() })]),
  error_subtype: z.optional(z.string()),
});

/** A service's answer to the question for a token. */
export type TokenAnswer =
  | { readonly kind: "token"; readonly token: AccessToken }
  | {
    readonly kind: "refused";
    /** E.g. `invalid_grant`, `PERMISSION_DENIED`; the status when it gave no reason. */
    readonly code: string;
    /** E.g. `invalid_rapt`. */
    readonly subtype: string | null;
    /** The service's clock, from `Date`, in milliseconds since the epoch. */
    readonly dateMs: number | null;
  };

/** A form as OAuth wants it. */
export function formRequest(
  url: string,
  fields: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): TokenRequest {
  const body = utf8(new URLSearchParams(fields).toString());
  const type = { "content-type": "application/x-www-form-urlencoded" };
  return { method: "POST", url, headers: { ...headers, ...type }, body };
}

/** What is sent; the rest is the same for all. */
export type TokenRequest = Pick<HttpRequest, "method" | "url"> & {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Bytes;
};

/**
 * Asks for a token. A refusal is a value: what it means depends on what was asked. Errors:
 * `store-unreachable` (also for a service that fails), `store-invalid` for what is no answer; the
 * signal's reason.
 */
export async function requestToken(
  request: TokenRequest,
  { http, clock }: Pick<TokenDeps, "http" | "clock">,
  signal: AbortSignal,
): Promise<TokenAnswer> {
  const { status, headers, body } = await http.request({
    ...request,
    timeoutMs: TIMEOUT_MS,
    bodyBytesMax: TOKEN_ANSWER_BYTES_MAX,
    signal,
  });
  const { host } = new URL(request.url);
  if (status >= 500 || status === 429 || status === 408) {
    throw new ClaudeSyncError("store-unreachable", `${host} is busy or failing (HTTP ${status})`);
  }
  const value = jsonOf(textOf(body));
  if (status === 200) {
    const found = tokenOf(value, clock.nowMs());
    if (found !== null) return { kind: "token", token: found };
    throw new ClaudeSyncError("store-invalid", `${host} gives no token where one is due`, {
      hint: "A proxy may be in between",
    });
  }
  const dateMs = Date.parse(headers.get("date") ?? "");
  return {
    kind: "refused",
    ...reasonOf(value, status),
    dateMs: Number.isNaN(dateMs) ? null : dateMs,
  };
}

function tokenOf(value: unknown, nowMs: number): AccessToken | null {
  const oauth = OAuthAnswer.safeParse(value);
  if (oauth.success) {
    const { access_token, expires_in } = oauth.data;
    const expiresAtMs = expires_in === undefined ? null : nowMs + expires_in * 1000;
    return { value: new SecretText(access_token), expiresAtMs };
  }
  const other = ImpersonationAnswer.safeParse(value);
  if (!other.success) return null;
  const expiresAtMs = Date.parse(other.data.expireTime);
  if (Number.isNaN(expiresAtMs)) return null;
  return { value: new SecretText(other.data.accessToken), expiresAtMs };
}

/** Codes only: descriptions may quote what was sent. */
function reasonOf(value: unknown, status: number): { code: string; subtype: string | null } {
  const parsed = ErrorAnswer.safeParse(value);
  if (!parsed.success) return { code: `HTTP ${status}`, subtype: null };
  const { error, error_subtype = null } = parsed.data;
  const code = typeof error === "string" ? error : error.status;
  return {
    code: /^\w{1,64}$/.test(code) ? code : `HTTP ${status}`,
    subtype: error_subtype !== null && /^\w{1,64}$/.test(error_subtype) ? error_subtype : null,
  };
}

function textOf(bytes: Bytes): string {
  try {
    return fromUtf8(bytes);
  } catch {
    // No text is no JSON either.
    return "";
  }
}
