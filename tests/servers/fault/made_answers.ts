/**
 * Answers that a fault makes up, and what it makes of a server's own.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { signedAtMs } from "../sigv4.ts";
import type { Fault } from "./faults.ts";
import { type RawHeader, withoutHeaders } from "./http_bytes.ts";

/** An answer on its way to the client. */
export interface Answer {
  readonly status: number;
  readonly reason: string;
  readonly headers: readonly RawHeader[];
  /** Null for what has none, such as the answer to HEAD. */
  readonly body: Buffer | null;
}

/** What a fault answers without asking the server; null when the server must be asked. */
export function ownAnswer(
  fault: Fault,
  target: string,
  requestHeaders: readonly RawHeader[],
): Answer | null {
  if (fault.kind === "answer") {
    const { status, headers = [], body = "" } = fault;
    return { status, reason: "Fault", headers, body: Buffer.from(body) };
  }
  if (fault.kind === "redirect") {
    const location: RawHeader = ["Location", `${fault.origin}${target}`];
    const { status } = fault;
    return { status, reason: "Elsewhere", headers: [location], body: Buffer.alloc(0) };
  }
  if (fault.kind === "clock") return tooSkewed(fault, requestHeaders);
  return null;
}

function tooSkewed(
  { offsetMs, toleranceMs }: Fault & { kind: "clock" },
  requestHeaders: readonly RawHeader[],
): Answer | null {
  const nowMs = Date.now() + offsetMs;
  const signedMs = signedAtMs(requestHeaders);
  if (signedMs === null || Math.abs(signedMs - nowMs) <= toleranceMs) return null;
  return {
    status: 403,
    reason: "Forbidden",
    headers: [["Date", new Date(nowMs).toUTCString()], ["Content-Type", "application/xml"]],
    body: Buffer.from(
      '<?xml version="1.0" encoding="UTF-8"?><Error><Code>RequestTimeTooSkewed</Code>' +
        "<Message>The difference between the request time and the server time is too large" +
        "</Message></Error>",
    ),
  };
}

/** What a fault makes of the server's answer. */
export function changedAnswer(
  fault: Fault,
  answer: Answer,
  putSince: ReadonlySet<string>,
  target: string,
): Answer {
  const { body } = answer;
  if (fault.kind === "clock") {
    const date: RawHeader = ["Date", new Date(Date.now() + fault.offsetMs).toUTCString()];
    return { ...answer, headers: [...withoutHeaders(answer.headers, ["date"]), date] };
  }
  if (body === null) return answer;
  if (fault.kind === "truncate") {
    return { ...answer, body: body.subarray(0, Math.floor(body.length * fault.share)) };
  }
  if (fault.kind === "stale-list") return { ...answer, body: staleList(body, putSince, target) };
  return answer;
}

/** A bucket's list without the objects whose paths are given. */
function staleList(body: Buffer, hidden: ReadonlySet<string>, target: string): Buffer {
  const text = body.toString("utf8");
  if (!text.includes("<ListBucketResult")) return body;
  const bucket = decodeURIComponent(target.split("?")[0]!).replace(/\/$/, "");
  let count = 0;
  const left = text.replace(/<Contents>.*?<\/Contents>/gs, (entry) => {
    const key = /<Key>([^<]*)<\/Key>/.exec(entry)?.[1] ?? "";
    if (hidden.has(`${bucket}/${key}`)) return "";
    count++;
    return entry;
  });
  return Buffer.from(left.replace(/<KeyCount>\d+</, `<KeyCount>${count}<`));
}
