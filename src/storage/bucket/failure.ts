import { ClaudeSyncError } from "../../errors.ts";
import type { ObjectName } from "../object_name.ts";
import { RetryAfter } from "../retry_after.ts";
import type { ErrorAnswer } from "./error_answer.ts";
import { type FailureContext, meaningOfCode, meaningOfStatus } from "./failure_table.ts";

/** What a bucket answered in its own words; the `cause` of the errors made of it. */
export class BucketAnswerError extends Error {
  readonly status: number;
  readonly code: string | null;

  constructor({ status, code, detail }: ErrorAnswer) {
    super([`HTTP ${status}`, code, detail].filter(Boolean).join(" "));
    this.name = "BucketAnswerError";
    this.status = status;
    this.code = code;
  }
}

/**
 * The error for an answer that is no success: what happened, why, and how to fix it. A pause that
 * the store asks for is its cause (`RetryAfter`).
 */
export function bucketError(
  answer: ErrorAnswer,
  at: FailureContext,
  objectName?: ObjectName,
): ClaudeSyncError {
  const meaning = (answer.code === null ? null : meaningOfCode(answer.code, answer.detail)) ??
    meaningOfStatus(answer);
  const own = new BucketAnswerError(answer);
  const facts = objectName === undefined ? {} : { objectName };
  if (meaning === null) {
    return new ClaudeSyncError("store-invalid", ...strange(answer, at, { ...facts, cause: own }));
  }
  const waits = meaning.code === "store-unreachable" && answer.retryAfterMs !== null;
  return new ClaudeSyncError(meaning.code, meaning.what(at, answer), {
    // Where the bucket itself is not there, it does not matter what was looked for in it.
    ...(meaning.code === "no-vault" ? {} : facts),
    hint: meaning.hint(at, answer).trimEnd(),
    cause: waits ? new RetryAfter(answer.retryAfterMs ?? 0, own) : own,
  });
}

/** For what no S3 service would say. */
function strange(
  { status, code, detail, redirectHost }: ErrorAnswer,
  { host }: FailureContext,
  facts: { cause: unknown; objectName?: ObjectName },
): [message: string, facts: { cause: unknown; hint: string; objectName?: ObjectName }] {
  if (status < 400) {
    const where = redirectHost === null ? "elsewhere" : `to ${redirectHost}`;
    const hint = "Redirects are not followed. If that is where the bucket is, name it as endpoint";
    return [`${host} redirects ${where}`, { ...facts, hint }];
  }
  if (status === 407) {
    const hint = "Give user and password in HTTPS_PROXY: http://user:password@host:port";
    return ["The proxy asks for a login", { ...facts, hint }];
  }
  if (code === null) {
    const hint = "Check the endpoint: it must be the store's S3 address; a proxy may be in between";
    return [`What answers at ${host} is no S3 service (HTTP ${status})`, { ...facts, hint }];
  }
  const why = detail === "" ? "" : `: ${detail}`;
  return [`${host} answers ${code}${why}`.replace(/[.\s]+$/, ""), {
    ...facts,
    hint: "The store does not take what every other store takes; see its documentation",
  }];
}
