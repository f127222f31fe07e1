/** The token of whoever is logged in with gcloud itself. */
import { fromUtf8 } from "../../base/bytes.ts";
import { SecretText } from "../../base/secret.ts";
import { isClaudeSyncError } from "../../errors.ts";
import type { AccessToken, TokenDeps } from "./access_token.ts";

/** How long gcloud may take; it is slow to start. */
const GCLOUD_TIMEOUT_MS = 20_000;
const OUTPUT_BYTES_MAX = 64 * 1024;
const TOKEN = /^[!-~]{1,16384}$/;

/**
 * What `gcloud auth print-access-token` prints; null without the program or without a login. Its
 * end is not known: gcloud gives a fresh one when the old one is refused.
 */
export async function gcloudToken(
  { processes }: Pick<TokenDeps, "processes">,
  signal: AbortSignal,
): Promise<AccessToken | null> {
  try {
    const { code, stdout } = await processes.run(["gcloud", "auth", "print-access-token"], {
      env: { CLOUDSDK_CORE_DISABLE_PROMPTS: "1" },
      timeoutMs: GCLOUD_TIMEOUT_MS,
      outputBytesMax: OUTPUT_BYTES_MAX,
      signal,
    });
    const text = code === 0 ? fromUtf8(stdout).trim() : "";
    return TOKEN.test(text) ? { value: new SecretText(text), expiresAtMs: null } : null;
  } catch (error) {
    // Not installed, a batch file (on Windows), no text: as good as no login.
    if (isClaudeSyncError(error) || error instanceof TypeError) return null;
    throw error;
  }
}
