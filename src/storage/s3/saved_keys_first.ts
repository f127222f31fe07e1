import type { AwsCredentialSource } from "./aws_credentials.ts";

/** A key pair that the user had kept for one place. */
export interface SavedPair {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/**
 * Credentials from what the user had kept for this place; only when that is nothing, from `others`.
 * Whoever keeps keys has said which ones are meant: other ones in the environment are for other
 * places. Errors: those of `savedKeys` and of `others`.
 */
export function savedKeysFirst(
  savedKeys: () => SavedPair | null,
  others: AwsCredentialSource,
): AwsCredentialSource {
  let saved: SavedPair | null | undefined;
  return {
    async credentials(options) {
      if (saved === undefined) saved = savedKeys();
      if (saved === null) return await others.credentials(options);
      const { accessKeyId, secretAccessKey } = saved;
      return {
        accessKeyId,
        secretAccessKey,
        sessionToken: null,
        expiresAtMs: null,
        from: "what was kept with --save-credentials",
      };
    },
  };
}
