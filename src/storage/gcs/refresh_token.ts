/** A token for somebody who has logged in: `gcloud auth application-default login`. */
import { ClaudeSyncError } from "../../errors.ts";
import type { TokenGetter } from "./access_token.ts";
import type { CredentialFileOf } from "./credential_file.ts";
import { formRequest, requestToken, type TokenRequest } from "./token_request.ts";

/** What makes a login good again. */
const LOG_IN_AGAIN = "Log in again: gcloud auth application-default login";

/** A user of Google's. The scopes are those of the login, whatever is asked for. */
export function authorizedUserToken(file: CredentialFileOf<"authorized_user">): TokenGetter {
  const { client_id, client_secret, refresh_token, token_uri } = file;
  return refreshedToken(() =>
    formRequest(token_uri, {
      grant_type: "refresh_token",
      client_id,
      client_secret: client_secret.dangerouslyReveal(),
      refresh_token: refresh_token.dangerouslyReveal(),
    })
  );
}

/** A user of a workforce pool, who has logged in at another provider. */
export function externalUserToken(
  file: CredentialFileOf<"external_account_authorized_user">,
): TokenGetter {
  const { client_id, client_secret, refresh_token, token_url } = file;
  return refreshedToken(() => {
    const form = { grant_type: "refresh_token", refresh_token: refresh_token.dangerouslyReveal() };
    const authorization = basicAuthorization(client_id, client_secret.dangerouslyReveal());
    return formRequest(token_url, form, { authorization });
  });
}

/** The header that names a client of OAuth. */
export function basicAuthorization(clientId: string, clientSecret: string): string {
  // Halves of characters, which JSON can hold, cannot be encoded.
  const encoded = [clientId, clientSecret]
    .map((text) => encodeURIComponent(text.toWellFormed())).join(":");
  return `Basic ${btoa(encoded)}`;
}

function refreshedToken(request: () => TokenRequest): TokenGetter {
  return async (_scope, deps, signal) => {
    const answer = await requestToken(request(), deps, signal);
    if (answer.kind === "token") return answer.token;
    const { code, subtype } = answer;
    const message = code === "invalid_grant"
      ? "The Google login has expired or was revoked"
      : `Google does not take the login (${code})`;
    throw new ClaudeSyncError("store-refused", message, {
      hint: subtype === null ? LOG_IN_AGAIN : `${LOG_IN_AGAIN}   (${subtype})`,
    });
  };
}
