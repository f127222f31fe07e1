/**
 * AWS Signature Version 4, written from its documentation and apart from the program's signer, so
 * that the one can check the other.
 *
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
 * @module
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { Buffer } from "node:buffer";
import { headerValues, type RawHeader, withoutHeaders } from "./fault/http_bytes.ts";

const ALGORITHM = "AWS4-HMAC-SHA256";

/** A clock may be off by this much. */
const SKEW_MS_MAX = 15 * 60_000;

/** A request as it was received. */
export interface ReceivedRequest {
  readonly method: string;
  /** Path and query, as sent. */
  readonly target: string;
  readonly headers: readonly RawHeader[];
  readonly body: Uint8Array;
}

/** What S3 calls the fault that it found, and the status that goes with it. */
export interface SigV4Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/** What a server accepts. */
export interface SigV4Expectation {
  /** The secret of an access key, or null when there is no such key. */
  secretOf(accessKeyId: string): string | null;
  /** Regions that the scope may name. */
  readonly regions: readonly string[];
  readonly nowMs: number;
}

interface Authorization {
  readonly accessKeyId: string;
  readonly scope: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
}

/** Why a request's signature is not accepted; null when it is. */
export function sigV4Refusal(
  request: ReceivedRequest,
  { secretOf, regions, nowMs }: SigV4Expectation,
): SigV4Refusal | null {
  const refusal = (status: number, code: string, message: string) => ({ status, code, message });
  const authorization = parseAuthorization(request.headers);
  if (authorization === null) return refusal(403, "AccessDenied", "The request is not signed");
  const { accessKeyId, scope, signedHeaders } = authorization;
  const [date = "", region = "", service, end, ...rest] = scope.split("/");
  if (!regions.includes(region) || service !== "s3" || end !== "aws4_request" || rest.length > 0) {
    return refusal(400, "AuthorizationHeaderMalformed", `The scope ${scope} is wrong`);
  }
  const [timestamp = ""] = headerValues(request.headers, "x-amz-date");
  const sentMs = timestampMs(timestamp);
  if (sentMs === null || !timestamp.startsWith(date)) {
    return refusal(403, "AccessDenied", "x-amz-date is missing or not that of the scope");
  }
  if (Math.abs(sentMs - nowMs) > SKEW_MS_MAX) {
    return refusal(403, "RequestTimeTooSkewed", "The clocks differ too much");
  }
  const mustSign = ["host", ...request.headers.map(([name]) => name.toLowerCase())]
    .filter((name) => name === "host" || name === "content-md5" || name.startsWith("x-amz-"));
  const unsigned = mustSign.find((name) => !signedHeaders.includes(name));
  if (unsigned !== undefined) return refusal(403, "AccessDenied", `${unsigned} is not signed`);
  const [claimed] = headerValues(request.headers, "x-amz-content-sha256");
  if (claimed !== sha256Hex(request.body)) {
    return refusal(400, "XAmzContentSHA256Mismatch", "The body's hash is missing or wrong");
  }
  const secret = secretOf(accessKeyId);
  if (secret === null) return refusal(403, "InvalidAccessKeyId", "There is no such key");
  const expected = signature(request, authorization, timestamp, secret);
  const isRight = expected.length === authorization.signature.length &&
    timingSafeEqual(Buffer.from(expected), Buffer.from(authorization.signature));
  return isRight ? null : refusal(403, "SignatureDoesNotMatch", "The signature is wrong");
}

/**
 * Signs a received request anew, after it was changed, with its own scope and all of its `x-amz-`
 * headers.
 */
export function signAgain(
  request: ReceivedRequest,
  secret: string,
  changes: { readonly dateMs?: number } = {},
): readonly RawHeader[] {
  const old = parseAuthorization(request.headers);
  if (old === null) return request.headers;
  const timestamp = changes.dateMs === undefined
    ? headerValues(request.headers, "x-amz-date")[0] ?? ""
    : new Date(changes.dateMs).toISOString().replace(/[-:]|\.\d+/g, "");
  const scope = [timestamp.slice(0, 8), ...old.scope.split("/").slice(1)].join("/");
  const headers: RawHeader[] = [
    ...withoutHeaders(request.headers, ["authorization", "x-amz-date"]),
    ["x-amz-date", timestamp],
  ];
  const present = new Set(headers.map(([name]) => name.toLowerCase()));
  const signedHeaders = old.signedHeaders.filter((name) => present.has(name));
  const parts = { ...old, scope, signedHeaders };
  const signed = signature({ ...request, headers }, parts, timestamp, secret);
  const fields = [
    `Credential=${old.accessKeyId}/${scope}`,
    `SignedHeaders=${signedHeaders.join(";")}`,
    `Signature=${signed}`,
  ];
  return [...headers, ["Authorization", `${ALGORITHM} ${fields.join(", ")}`]];
}

/** When a request says it was signed; null without a readable `x-amz-date`. */
export function signedAtMs(headers: readonly RawHeader[]): number | null {
  return timestampMs(headerValues(headers, "x-amz-date")[0] ?? "");
}

function timestampMs(timestamp: string): number | null {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(timestamp);
  if (parts === null) return null;
  const [year, month, day, hour, minute, second] = parts.slice(1).map(Number);
  return Date.UTC(year!, month! - 1, day!, hour!, minute!, second!);
}

function parseAuthorization(headers: readonly RawHeader[]): Authorization | null {
  const [value = ""] = headerValues(headers, "authorization");
  if (!value.startsWith(`${ALGORITHM} `)) return null;
  const field = (name: string) => new RegExp(`${name}=([^,\\s]+)`).exec(value)?.[1] ?? "";
  const [accessKeyId = "", ...scope] = field("Credential").split("/");
  return {
    accessKeyId,
    scope: scope.join("/"),
    signedHeaders: field("SignedHeaders").split(";"),
    signature: field("Signature"),
  };
}

function signature(
  request: ReceivedRequest,
  { scope, signedHeaders }: Pick<Authorization, "scope" | "signedHeaders">,
  timestamp: string,
  secret: string,
): string {
  const canonical = canonicalRequest(request, signedHeaders);
  const toSign = [ALGORITHM, timestamp, scope, sha256Hex(canonical)].join("\n");
  let key: Buffer = Buffer.from(`AWS4${secret}`);
  for (const part of scope.split("/")) key = createHmac("sha256", key).update(part).digest();
  return createHmac("sha256", key).update(toSign).digest("hex");
}

/** Exported for the test against the documentation's own example. */
export function canonicalRequest(
  { method, target, headers }: Omit<ReceivedRequest, "body">,
  signedHeaders: readonly string[],
): string {
  const [path = "", query = ""] = target.split(/\?(.*)/s);
  const canonicalPath = path.split("/").map((part) => encode(decodeURIComponent(part))).join("/");
  const canonicalQuery = query.split("&").filter((pair) => pair !== "").map((pair) => {
    const [name = "", value = ""] = pair.split(/=(.*)/s);
    return `${encode(decodeURIComponent(name))}=${encode(decodeURIComponent(value))}`;
  }).sort().join("&");
  const canonicalHeaders = signedHeaders.map((name) => {
    const values = headerValues(headers, name).map((value) => value.trim().replace(/ +/g, " "));
    return `${name}:${values.join(",")}\n`;
  }).join("");
  const [bodyHash = ""] = headerValues(headers, "x-amz-content-sha256");
  const lines = [method, canonicalPath, canonicalQuery, canonicalHeaders];
  return [...lines, signedHeaders.join(";"), bodyHash].join("\n");
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function sha256Hex(data: Uint8Array | string): string {
  return createHash("sha256").update(data).digest("hex");
}
