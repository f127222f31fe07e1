/** Requests that bear a token, in Google's own dialect: headers `x-goog-*`, never `x-amz-*`. */
import { createHash } from "node:crypto";
import { assert } from "../../base/assert.ts";
import type { Clock } from "../../platform/types.ts";
import type { RequestSigner } from "../bucket/signer.ts";
import type { StoreOptions } from "../object_store.ts";
import type { GoogleCredentials, GoogleCredentialSource } from "./access_token.ts";

/** A token that is refused at this age was not refused for its age: another is no remedy. */
export const FRESH_TOKEN_MS = 60_000;

/** Makes the signer of one bucket's requests. */
export function bearerSigner(
  source: GoogleCredentialSource,
  clock: Pick<Clock, "monotonicMs">,
): RequestSigner {
  /** The newest token that was got because of a refusal, and when. */
  let remedy: { readonly authorization: string; readonly sinceMs: number } | null = null;

  async function authorizationNow(refresh: boolean, options: StoreOptions): Promise<string> {
    return bearer(await source.credentials({ ...options, refresh }));
  }

  return {
    async sign({ headers, body }, options = {}) {
      const credentials = await source.credentials({ ...options, refresh: false });
      const names = Object.keys(headers);
      assert(!names.some((name) => name.startsWith("x-amz-")), "no x-amz header beside a token");
      const { quotaProject } = credentials;
      return {
        ...headers,
        authorization: bearer(credentials),
        ...(quotaProject === null ? {} : { "x-goog-user-project": quotaProject }),
        // Nothing here signs the bytes: the store is told what must arrive.
        ...(body === null ? {} : { "x-goog-hash": `md5=${md5(body)}` }),
      };
    },

    async refused({ status, sentHeaders }, options = {}) {
      if (status !== 401) return false;
      const sent = sentHeaders["authorization"];
      if (await authorizationNow(false, options) !== sent) return true;
      const isRemedy = remedy?.authorization === sent;
      if (isRemedy && clock.monotonicMs() - remedy!.sinceMs < FRESH_TOKEN_MS) return false;
      const authorization = await authorizationNow(true, options);
      remedy = { authorization, sinceMs: clock.monotonicMs() };
      return authorization !== sent;
    },
  };
}

function bearer({ value }: GoogleCredentials): string {
  return `Bearer ${value.dangerouslyReveal()}`;
}

function md5(bytes: Uint8Array): string {
  return createHash("md5").update(bytes).digest("base64");
}
