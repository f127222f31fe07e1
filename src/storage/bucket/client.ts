/** Requests to one bucket: signed, sent, and signed anew where that can help. */
import { createHash } from "node:crypto";
import type { Bytes } from "../../base/bytes.ts";
import type { Http, HttpResponse } from "../../platform/types.ts";
import type { StoreOptions } from "../object_store.ts";
import { type ErrorAnswer, parseErrorAnswer } from "./error_answer.ts";
import { UPLOAD_BYTES_IN_FLIGHT_MAX, UploadGate } from "./upload_gate.ts";
import { REFUSALS_MAX, type RequestSigner, type UnsignedRequest } from "./signer.ts";

/** Time for a request besides its bytes: connecting, waiting for the store. */
export const REQUEST_TIMEOUT_MS = 30_000;
/** The slowest line on which a request is not given up: 32 KiB in a second. */
const BYTES_PER_SECOND_MIN = 32 * 1024;

/** Most uploads that share the line: the store's concurrency. */
const UPLOADS_MAX = 16;

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
  { http, address, signer }: Parts,
): BucketClient {
  const uploads = new UploadGate();
  return {
    get host() {
      return new URL(address.url(null)).host;
    },
    async send(request, { signal, onSend }) {
      const options = signal === undefined ? {} : { signal };
      // Before it is signed, as signatures do not wait for long.
      const leave = await uploads.enter(request.body?.length ?? 0, options);
      try {
        return await sendUntilTaken({ http, address, signer }, request, options, onSend);
      } finally {
        leave();
      }
    },
  };
}

interface Parts {
  readonly http: Http;
  readonly address: BucketAddress;
  readonly signer: RequestSigner;
}

/** Sends, and signs anew as long as the signer knows better. */
async function sendUntilTaken(
  { http, address, signer }: Parts,
  request: BucketRequest,
  options: StoreOptions,
  onSend: (() => void) | undefined,
): Promise<BucketAnswer> {
  const bodySha256 = createHash("sha256").update(request.body ?? "").digest("hex");
  for (let refusals = 0;; refusals++) {
    const unsigned = unsignedRequest(request, address, bodySha256);
    const sentHeaders = await signer.sign(unsigned, options);
    options.signal?.throwIfAborted();
    onSend?.();
    const response = await http.request({
      method: request.method,
      url: unsigned.url.href,
      headers: sentHeaders,
      ...(request.body === undefined ? {} : { body: request.body }),
      bodyBytesMax: request.answerBytesMax,
      ...timeLimits(request),
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

/**
 * How long an exchange may take. While a body is sent nothing tells whether it goes on, and other
 * uploads share the line: it has the time of all of them on the slowest line. An answer may take as
 * long as it comes.
 */
export function timeLimits(
  { body, answerBytesMax }: Pick<BucketRequest, "body" | "answerBytesMax">,
): { timeoutMs: number; silenceMsMax?: number } {
  const own = body?.length ?? answerBytesMax;
  const shared = Math.min(UPLOADS_MAX * own, Math.max(UPLOAD_BYTES_IN_FLIGHT_MAX, own));
  const bytes = body === undefined ? own : shared;
  const timeoutMs = REQUEST_TIMEOUT_MS + Math.ceil(bytes / BYTES_PER_SECOND_MIN) * 1000;
  return body === undefined ? { timeoutMs, silenceMsMax: REQUEST_TIMEOUT_MS } : { timeoutMs };
}
