/** How a request to a bucket gets its proof of who asks. */
import type { Bytes } from "../../base/bytes.ts";
import type { StoreOptions } from "../object_store.ts";

/** A request as it will be sent, but for what a signer adds. */
export interface UnsignedRequest {
  readonly method: "GET" | "PUT" | "DELETE";
  /** Path and query are percent-encoded as they will be sent, and must not be changed. */
  readonly url: URL;
  /** Names in lower case. Never a content type: what is sent unsigned is refused by some. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Bytes | null;
  /** SHA-256 of the body, or of nothing; lower-case hexadecimal. */
  readonly bodySha256: string;
}

/** What a store answered when it did not take the signature. */
export interface Refusal {
  /** 301, 307, 400, 401 or 403. */
  readonly status: number;
  /** The `Code` of the answer's XML, such as `ExpiredToken`; null when it had none. */
  readonly code: string | null;
  /** The bucket's region, where the answer told it; not to be believed in more than its form. */
  readonly region: string | null;
  /** The store's clock (the answer's `Date`), in milliseconds since the epoch. */
  readonly dateMs: number | null;
  /** What `sign` gave for the refused request: tells whether it is news to the signer. */
  readonly sentHeaders: Readonly<Record<string, string>>;
}

/**
 * Signs requests with what the user has: AWS keys, HMAC keys, an OAuth token. One signer serves all
 * requests of a store, many of them side by side, and loads credentials when the first one needs
 * them. Holds secrets: never printed, and its errors name where credentials came from but no value.
 */
export interface RequestSigner {
  /**
   * All headers to send: those of the request and the signer's own. Errors: `store-refused` when
   * there are no credentials or they cannot be renewed, with what to do as its hint.
   */
  sign(request: UnsignedRequest, options?: StoreOptions): Promise<Readonly<Record<string, string>>>;
  /**
   * Told of a refusal; resolves to whether signing again can do better: because something was
   * learnt from it (fresh credentials instead of expired ones, the right time, the right region),
   * or had been learnt since the refused request was signed. The caller then signs and sends once
   * more, and asks at most `REFUSALS_MAX` times for one request. Must not try the same remedy
   * without end: fresh credentials that are refused too are an answer. Errors: as `sign`.
   */
  refused(refusal: Refusal, options?: StoreOptions): Promise<boolean>;
}

/** How often one request is signed anew: region, clock and credentials may all be wrong. */
export const REFUSALS_MAX = 3;
