/**
 * A token for a service account's key: an assertion that the key signs is exchanged for it.
 *
 * @see https://developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests
 */
import { importPKCS8, SignJWT } from "jose";
import { ClaudeSyncError } from "../../errors.ts";
import type { TokenDeps, TokenGetter } from "./access_token.ts";
import type { CredentialFileOf } from "./credential_file.ts";
import { formRequest, requestToken, type TokenAnswer } from "./token_request.ts";

/** How long an assertion is good for; Google takes an hour at most. */
const ASSERTION_SECONDS = 3600;
/** Clocks closer than this are not why an assertion is refused. */
const SKEW_MS_MIN = 60_000;
const GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/** Makes the getter. Errors: `store-refused` when Google does not take the key. */
export function serviceAccountToken(file: CredentialFileOf<"service_account">): TokenGetter {
  return async (scope, deps, signal) => {
    const nowMs = deps.clock.nowMs();
    const first = await exchange(file, { scope, nowMs }, deps, signal);
    if (first.kind === "token") return first.token;
    // An assertion that is not valid yet, or no more, is refused like one with a wrong signature.
    const skewMs = first.dateMs === null ? 0 : first.dateMs - nowMs;
    if (first.code !== "invalid_grant" || Math.abs(skewMs) < SKEW_MS_MIN) {
      throw refusal(file, first.code);
    }
    const second = await exchange(file, { scope, nowMs: nowMs + skewMs }, deps, signal);
    if (second.kind === "refused") throw refusal(file, second.code);
    deps.note(
      `This machine's clock is ${Math.round(Math.abs(skewMs) / 60_000)} minutes ` +
        `${skewMs > 0 ? "behind" : "ahead of"} Google's, whose time is used now: set it right`,
    );
    return second.token;
  };
}

async function exchange(
  file: CredentialFileOf<"service_account">,
  { scope, nowMs }: { readonly scope: string; readonly nowMs: number },
  deps: TokenDeps,
  signal: AbortSignal,
): Promise<TokenAnswer> {
  const assertion = await signAssertion(file, scope, nowMs);
  const form = { grant_type: GRANT_TYPE, assertion };
  return await requestToken(formRequest(file.token_uri, form), deps, signal);
}

async function signAssertion(
  file: CredentialFileOf<"service_account">,
  scope: string,
  nowMs: number,
): Promise<string> {
  const issuedAt = Math.floor(nowMs / 1000);
  const claims = {
    iss: file.client_email,
    scope,
    aud: file.token_uri,
    iat: issuedAt,
    exp: issuedAt + ASSERTION_SECONDS,
  };
  const { private_key_id: kid } = file;
  try {
    const key = await importPKCS8(file.private_key.dangerouslyReveal(), "RS256");
    return await new SignJWT(claims)
      .setProtectedHeader({ alg: "RS256", typ: "JWT", ...(kid === undefined ? {} : { kid }) })
      .sign(key);
  } catch {
    // Without its cause, which may quote the key.
    throw new ClaudeSyncError(
      "store-refused",
      `The private key of ${file.client_email} is damaged`,
      {
        hint: "Download a new key file for it from the Google Cloud console",
      },
    );
  }
}

function refusal({ client_email }: CredentialFileOf<"service_account">, code: string) {
  return new ClaudeSyncError("store-refused", `Google does not take the key of ${client_email}`, {
    hint: `It may be deleted or disabled (${code}): make a new one in the Google Cloud console`,
  });
}
