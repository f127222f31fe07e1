/** What requests to Google Cloud Storage bear, and where it comes from. */
import type { SecretText } from "../../base/secret.ts";
import type { Clock, Http, Processes } from "../../platform/types.ts";
import type { OutsideFiles } from "../credentials/outside_file.ts";
import type { StoreOptions } from "../object_store.ts";

/** Reading, writing, listing and deleting of objects; nothing else of the user's. */
export const STORAGE_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write";
/** What a token needs that is only exchanged for another one. */
export const EXCHANGE_SCOPE = "https://www.googleapis.com/auth/cloud-platform";

/** A token of Google's. */
export interface AccessToken {
  readonly value: SecretText;
  /** Milliseconds since the epoch; null when not known. */
  readonly expiresAtMs: number | null;
}

/** A token with what goes with it. */
export interface GoogleCredentials extends AccessToken {
  /** Project that pays for requests and bears their limits; null: the bucket's own. */
  readonly quotaProject: string | null;
  /** Project that the credentials belong to; null when they do not tell. */
  readonly project: string | null;
  /** Where they were found, for messages. Holds no secret. */
  readonly from: string;
}

/** How a token is asked for. */
export interface GoogleCredentialOptions extends StoreOptions {
  /** True: the one given before was refused; get another. */
  readonly refresh: boolean;
}

/**
 * Finds and keeps a token. Asked before every request; answers from memory while the token lasts.
 * Errors: `store-refused` when there is none to be had, its hint what to do; `store-unreachable`.
 */
export interface GoogleCredentialSource {
  /** Where the ones in use were found; null before they were asked for. Holds no secret. */
  readonly from: string | null;
  credentials(options: GoogleCredentialOptions): Promise<GoogleCredentials>;
}

/** What getting a token needs from the world. */
export interface TokenDeps extends OutsideFiles {
  readonly http: Http;
  readonly clock: Clock;
  readonly processes: Processes;
  /** Takes a sentence that the user should see. */
  readonly note: (message: string) => void;
}

/** One way of getting a token for a scope. Errors: `store-refused`, `store-unreachable`. */
export type TokenGetter = (
  scope: string,
  deps: TokenDeps,
  signal: AbortSignal,
) => Promise<AccessToken>;
