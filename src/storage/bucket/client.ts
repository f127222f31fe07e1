/** Requests to one bucket: signed, sent, and signed anew where that can help. */
import { createHash } from "node:crypto";
import type { Bytes } from "../../base/bytes.ts";
import type { Http, HttpResponse } from "../../platform/types.ts";
import type { StoreOptions } from "../object_store.ts";
import { type ErrorAnswer, parseErrorAnswer } from "./error_answer.ts";
import { REFUSALS_MAX, type RequestSigner, type UnsignedRequest } from "./signer.ts";

/** Time for a request besides its bytes: connecting, waiting for the store. */
export const REQUEST_TIMEOUT_MS = 30_000;
/** The slowest line on which a request is not given up: 64 KiB in a second. */
export const BYTES_PER_SECOND_MIN = 64 * 1024;

/** Where a bucket is; may change when its region becomes known. */
export interface BucketAddress {
  /** The URL of an object, or of the bucket itself (null), without a query. */
  url(key: string | null): string;
}

/** One request, as a driver means it. */
export interface BucketRequest {
  readonly method: UnsignedRequest["method"];
  /** The object's key in the bucket, of characters that need no encoding; null: the bucket. */
  readonly key: string | null;
  readonly query?: Readonly<Record<string, string>>;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Bytes;
  /** The most that is taken of the answer's body. */
  readonly answerBytesMax: number;
  /** How much an answer is expected to have at most: gives it time. Default: a few lines. */
  readonly answerBytesExpected?: number;
}

/** What came back. */
export interface BucketAnswer extends HttpResponse {
  /** Null when the status is a success. */
  readonly error: ErrorAnswer | null;
}

/** Sends requests to one bucket. */
export interface BucketClient {
  /** Host and port that requests go to now. */
  readonly host: string;
  /**
   * Gives the store's answer, of whatever status. `onSend` is called before every round trip.
   * Errors: `store-unreachable`, `too-large` (the answer), and the signer's.
   */
  send(
    request: BucketRequest,
    options: StoreOptions & { onSend?: () => void },
  ): Promise<BucketAnswer>;
}

/** Makes a client. Nothing is sent yet. */
export function bucketClient(
  { http, address, signer }: { http: Http; address: BucketAddress; signer: RequestSigner },
): BucketClient {
  return {
    get host() {
      return new URL(address.url(null)).host;
    },
    async send(request, { signal, onSend }) {
      const bodySha256 = createHash("sha256").update(request.body ?? "").digest("hex");
      const options = signal === undefined ? {} : { signal };
      for (let refusals = 0;; refusals++) {
        const unsigned = unsignedRequest(request, address, bodySha256);
        const sentHeaders = await signer.sign(unsigned, options);
        signal?.throwIfAborted();
        onSend?.();
        const response = await http.request({
          method: request.method,
          url: unsigned.url.href,
          headers: sentHeaders,
          ...(request.body === undefined ? {} : { body: request.body }),
          bodyBytesMax: request.answerBytesMax,
          timeoutMs: timeoutMsOf(request),
          ...options,
        });
        const error = response.status < 300 ? null : parseErrorAnswer(response);
        if (error === null || !isRefusal(error.status) || refusals === REFUSALS_MAX) {
          return { ...response, error };
        }
        const { status, code, region, dateMs } = error;
        const refusal = { status, code, region, dateMs, sentHeaders };
        if (!(await signer.refused(refusal, options))) return { ...response, error };
      }
    },
  };
}

function isRefusal(status: number): boolean {
  return [301, 307, 308, 400, 401, 403].includes(status);
}

function unsignedRequest(
  { method, key, query = {}, headers = {}, body }: BucketRequest,
  address: BucketAddress,
  bodySha256: string,
): UnsignedRequest {
  const url = new URL(address.url(key));
  url.search = Object.entries(query)
    .map(([name, value]) => `${encodeRfc3986(name)}=${encodeRfc3986(value)}`)
    .join("&");
  return { method, url, headers, body: body ?? null, bodySha256 };
}

/** Percent-encodes all but unreserved characters, as signatures are computed. */
function encodeRfc3986(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Time for the whole exchange, by how much has to go over the line. */
export function timeoutMsOf(
  { body, answerBytesExpected = 0 }: Pick<BucketRequest, "body" | "answerBytesExpected">,
): number {
  const bytes = (body?.length ?? 0) + answerBytesExpected;
  return REQUEST_TIMEOUT_MS + Math.ceil(bytes / BYTES_PER_SECOND_MIN) * 1000;
}
