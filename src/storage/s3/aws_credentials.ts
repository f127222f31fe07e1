/** What S3 requests are signed with, and where it comes from. */
import type { StoreOptions } from "../object_store.ts";

/** Keys as AWS and all that speaks its language know them. Secret: never printed. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Null for keys that last. */
  readonly sessionToken: string | null;
  /** When they stop working, in milliseconds since the epoch; null when never or not known. */
  readonly expiresAtMs: number | null;
  /** Where they were found, for messages: `environment`, `profile work`. Holds no secret. */
  readonly from: string;
}

/** How credentials are asked for. */
export interface AwsCredentialOptions extends StoreOptions {
  /** True: the ones given before were refused as expired or unknown; get others. */
  readonly refresh: boolean;
}

/**
 * Finds and keeps credentials. It is asked before every request, so it answers from memory while
 * they last, renews them in time before they expire, and makes one renewal of many side by side.
 * Errors: `store-refused` when there are none or they cannot be renewed, its hint what to do.
 */
export interface AwsCredentialSource {
  credentials(options: AwsCredentialOptions): Promise<AwsCredentials>;
}
