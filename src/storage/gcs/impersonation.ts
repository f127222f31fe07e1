/** A token of a service account for somebody who may act as it. */
import { utf8 } from "../../base/bytes.ts";
import { ClaudeSyncError } from "../../errors.ts";
import { type AccessToken, EXCHANGE_SCOPE, type TokenGetter } from "./access_token.ts";
import { requestToken } from "./token_request.ts";

const LIFETIME = "3600s";

/** Who acts as whom. */
export interface Impersonation {
  /** Gets the token of the one who acts. */
  readonly source: TokenGetter;
  /** Ends in `serviceAccounts/EMAIL:generateAccessToken`. */
  readonly url: string;
  /** Accounts between the two, each of which may act as the next. */
  readonly delegates: readonly string[];
}

/**
 * Makes the getter.
 *
 * @see https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken
 */
export function impersonatedToken({ source, url, delegates }: Impersonation): TokenGetter {
  return async (scope, deps, signal): Promise<AccessToken> => {
    const { value } = await source(EXCHANGE_SCOPE, deps, signal);
    const request = {
      method: "POST",
      url,
      headers: {
        authorization: `Bearer ${value.dangerouslyReveal()}`,
        "content-type": "application/json",
      },
      body: utf8(JSON.stringify({ scope: [scope], lifetime: LIFETIME, delegates })),
    };
    const answer = await requestToken(request, deps, signal);
    if (answer.kind === "token") return answer.token;
    const account = accountOf(url) ?? "the service account";
    throw new ClaudeSyncError("store-refused", `Acting as ${account} is not allowed`, {
      hint: "Give yourself the role roles/iam.serviceAccountTokenCreator on it " +
        `(${answer.code}). New permissions take some minutes to work`,
    });
  };
}

function accountOf(url: string): string | null {
  return /\/serviceAccounts\/([\w.@%-]{1,200}):/.exec(url)?.[1] ?? null;
}
