/**
 * Requests to and replies of the fake of Google Cloud Storage, and the forms of its refusals.
 *
 * @module
 */
import type { RawHeader } from "../fault/http_bytes.ts";

/** A request with all of its body. */
export interface GcsRequest {
  readonly method: string;
  /** Path and query, as sent. */
  readonly target: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly rawHeaders: readonly RawHeader[];
  /** By names in lower case; of several the last. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

/** What is answered. */
export interface GcsReply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

/** Thrown to refuse a request with this reply. */
export class Refusal extends Error {
  readonly reply: GcsReply;

  constructor(reply: GcsReply) {
    super(`${reply.status} ${typeof reply.body === "string" ? reply.body : ""}`);
    this.reply = reply;
  }
}

/** A refusal of the XML API. */
export function xmlRefusal(status: number, code: string, message: string): Refusal {
  const body = `<?xml version='1.0' encoding='UTF-8'?><Error><Code>${code}</Code>` +
    `<Message>${escapeXml(message)}</Message></Error>`;
  const challenge = status === 401 ? { "www-authenticate": "Bearer realm=storage" } : {};
  return new Refusal({
    status,
    headers: { "content-type": "application/xml", ...challenge },
    body,
  });
}

/** A refusal of the services that give tokens, as OAuth words it. */
export function oauthRefusal(
  status: number,
  error: string,
  description: string,
  more: Readonly<Record<string, string>> = {},
): Refusal {
  return new Refusal(jsonReply(status, { error, error_description: description, ...more }));
}

/** A refusal of Google's other services. */
export function apiRefusal(status: number, name: string, message: string): Refusal {
  return new Refusal(jsonReply(status, { error: { code: status, message, status: name } }));
}

/** A reply in JSON. */
export function jsonReply(status: number, value: unknown): GcsReply {
  const headers = { "content-type": "application/json; charset=UTF-8" };
  return { status, headers, body: JSON.stringify(value) };
}

/** Text as the content of an element. */
export function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
