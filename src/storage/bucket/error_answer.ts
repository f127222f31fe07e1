/** What a bucket says when it does not do what it was asked. */
import { fromUtf8 } from "../../base/bytes.ts";
import type { HttpResponse } from "../../platform/types.ts";
import { parseAnswerXml, type XmlElement } from "./answer_xml.ts";

/** Longest text of the store that is passed on, in UTF-16 units. */
export const STORE_TEXT_LENGTH_MAX = 300;

/** Longest pause that a store is believed to ask for: an hour. */
export const RETRY_AFTER_MS_MAX = 60 * 60 * 1000;

/** Longest name of a host. */
const HOST_LENGTH_MAX = 255;

const CODE = /^[A-Za-z0-9._-]{1,100}$/;
const REGION = /^[a-z0-9-]{1,64}$/;
/** `s3.eu-west-1.amazonaws.com`, the older `s3-eu-west-1.…`, and with the bucket before it. */
const REGION_OF_HOST = /^(?:[a-z0-9.-]+\.)?s3[.-]([a-z]{2,}(?:-[a-z0-9]+)+)\.amazonaws\.(?:com|eu)/;

/** An answer other than success. Nothing in it is to be believed in more than its form. */
export interface ErrorAnswer {
  readonly status: number;
  /** `Code` of the XML, such as `NoSuchKey`; null when there is none: no S3 service answered. */
  readonly code: string | null;
  /** `Message` of the XML, shortened; `""` when there is none. */
  readonly detail: string;
  /** Region of the bucket, where the answer tells it. */
  readonly region: string | null;
  /** Clock of the store in milliseconds since the epoch, from `Date`. */
  readonly dateMs: number | null;
  /** Wanted pause before the next request, from `Retry-After`. */
  readonly retryAfterMs: number | null;
  /** Host that a redirect points to. */
  readonly redirectHost: string | null;
}

/** Reads an answer whose status is 300 or more. */
export function parseErrorAnswer({ status, headers, body }: HttpResponse): ErrorAnswer {
  const xml = parseAnswerXml(body);
  const error = xml === null ? null : xml.name === "Error" ? xml : xml.all("Error")[0] ?? null;
  const code = error?.text("Code")?.trim() ?? null;
  const dateMs = parseDate(headers.get("date"));
  return {
    status,
    code: code !== null && CODE.test(code) ? code : null,
    detail: shortened(error === null ? plainText(headers, body) : error.text("Message") ?? ""),
    region: regionOf(headers.get("x-amz-bucket-region"), error),
    dateMs,
    retryAfterMs: parseRetryAfter(headers.get("retry-after"), dateMs),
    redirectHost: hostOf(headers.get("location") ?? "") ??
      hostOf(`https://${error?.text("Endpoint") ?? ""}`),
  };
}

function regionOf(header: string | undefined, error: XmlElement | null): string | null {
  const endpoint = error?.text("Endpoint")?.slice(0, HOST_LENGTH_MAX) ?? "";
  const told = header ?? error?.text("Region") ?? REGION_OF_HOST.exec(endpoint)?.[1] ?? "";
  return REGION.test(told) ? told : null;
}

function parseDate(text: string | undefined): number | null {
  const ms = Date.parse(text ?? "");
  return Number.isNaN(ms) ? null : ms;
}

/** Seconds or a date, which is taken against the store's own clock. */
function parseRetryAfter(text: string | undefined, dateMs: number | null): number | null {
  if (text === undefined) return null;
  const atMs = parseDate(text);
  const ms = /^\d{1,9}$/.test(text)
    ? Number(text) * 1000
    : atMs === null || dateMs === null
    ? null
    : atMs - dateMs;
  return ms === null ? null : Math.min(Math.max(ms, 0), RETRY_AFTER_MS_MAX);
}

/** Null for a relative address, which stays on the host, and for what is none of the web's. */
function hostOf(address: string): string | null {
  const url = URL.parse(address);
  const host = url !== null && /^https?:$/.test(url.protocol) ? url.host : "";
  return host === "" || host.length > HOST_LENGTH_MAX ? null : host;
}

/** What a proxy says in plain text; a page of HTML says nothing in a line. */
function plainText(headers: ReadonlyMap<string, string>, body: Uint8Array): string {
  if (!headers.get("content-type")?.startsWith("text/plain")) return "";
  try {
    return fromUtf8(body.subarray(0, STORE_TEXT_LENGTH_MAX));
  } catch {
    // Not UTF-8, or cut inside a character: it is only an extra.
    return "";
  }
}

function shortened(text: string): string {
  const line = text.replaceAll(/[\s\p{Cc}]+/gu, " ").trim();
  return line.length <= STORE_TEXT_LENGTH_MAX ? line : `${line.slice(0, STORE_TEXT_LENGTH_MAX)}…`;
}
