import assert from "node:assert/strict";
import { utf8 } from "../../../src/base/bytes.ts";
import type { ErrorCode } from "../../../src/errors.ts";
import {
  parseErrorAnswer,
  RETRY_AFTER_MS_MAX,
  STORE_TEXT_LENGTH_MAX,
} from "../../../src/storage/bucket/error_answer.ts";
import { BucketAnswerError, bucketError } from "../../../src/storage/bucket/failure.ts";
import { MEANINGS, type ProviderWords } from "../../../src/storage/bucket/failure_table.ts";
import { RetryAfter } from "../../../src/storage/retry_after.ts";
import { awsWords, r2Words, s3Words } from "../../../src/storage/s3/words.ts";

const at = { bucket: "bucket", prefix: "team" };
const WORDS: readonly ProviderWords[] = [
  awsWords({ ...at, region: () => "eu-west-1" }),
  s3Words(at),
  r2Words(at),
];

function answer(status: number, xml: string, headers: Record<string, string> = {}) {
  return parseErrorAnswer({ status, headers: new Map(Object.entries(headers)), body: utf8(xml) });
}

function errorOf(status: number, xml: string, headers: Record<string, string> = {}) {
  const place = { action: "put" as const, bucket: "bucket", host: "s3.example.com" };
  return bucketError(answer(status, xml, headers), { ...place, words: WORDS[0]! });
}

const coded = (code: string, message = "Words.") =>
  `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;

/** Status and code as stores give them, what becomes of it, and what the user must read. */
const CASES: readonly (readonly [
  status: number,
  code: string,
  expected: ErrorCode,
  text: RegExp,
  hint: RegExp,
])[] = [
  [404, "NoSuchBucket", "no-vault", /no bucket "bucket" at s3\.example\.com/, /--create-bucket/],
  [403, "AccessDenied", "store-refused", /Not allowed to write to/, /s3:PutObject/],
  [403, "AllAccessDisabled", "store-refused", /Not allowed/, /s3:PutObject/],
  [403, "InvalidAccessKeyId", "store-refused", /does not know the access key/, /AWS_ACCESS_KEY_ID/],
  [403, "SignatureDoesNotMatch", "store-refused", /secret key/, /character by character/],
  [400, "ExpiredToken", "store-refused", /expired/, /Log in again/],
  [400, "InvalidToken", "store-refused", /session token/, /AWS_SESSION_TOKEN/],
  [403, "RequestTimeTooSkewed", "store-refused", /clock/, /Set the clock/],
  [503, "SlowDown", "store-unreachable", /busy/, /Try again/],
  [500, "InternalError", "store-unreachable", /busy or failing/, /Try again/],
  [400, "RequestTimeout", "store-unreachable", /busy or failing/, /Try again/],
  [409, "OperationAborted", "store-unreachable", /busy or failing/, /Try again/],
  [409, "ConditionalRequestConflict", "store-unreachable", /busy or failing/, /Try again/],
  [429, "TooManyRequests", "store-unreachable", /busy or failing/, /Try again/],
  [400, "BadDigest", "store-unreachable", /did not arrive whole/, /proxy/],
  [400, "XAmzContentSHA256Mismatch", "store-unreachable", /did not arrive whole/, /proxy/],
  [403, "QuotaExceeded", "no-space", /No space left/, /quota/],
  [507, "XMinioStorageFull", "no-space", /No space left/, /quota/],
  [507, "Unheard", "no-space", /No space left/, /quota/],
  [400, "XMinioAdminBucketQuotaExceeded", "no-space", /No space left/, /quota/],
  [403, "UserSuspended", "store-refused", /blocked/, /console/],
  [403, "NotSignedUp", "store-refused", /blocked/, /console/],
  [403, "InvalidObjectState", "store-refused", /cold storage/, /Restore/],
  [405, "MethodNotAllowed", "store-invalid", /cannot write to buckets/, /endpoint/],
  [501, "NotImplemented", "store-invalid", /cannot write to buckets/, /endpoint/],
  [400, "KMS.DisabledException", "store-refused", /encryption key/, /Enable that key/],
  [301, "PermanentRedirect", "store-refused", /another region/, /--region/],
  [400, "AuthorizationHeaderMalformed", "store-refused", /another region/, /--region/],
  [400, "EntityTooLarge", "too-large", /this size/, /16 MiB/],
  [400, "InvalidBucketName", "usage", /no bucket of the name/, /lower-case/],
  [400, "InvalidThing", "store-invalid", /answers InvalidThing: Words$/, /documentation/],
  [403, "Unheard", "store-refused", /Not allowed/, /s3:PutObject/],
  [502, "Unheard", "store-unreachable", /\(Unheard\)/, /Try again/],
];

Deno.test("bucketError says what every answer means and what to do", async (t) => {
  for (const [status, code, expected, text, hint] of CASES) {
    await t.step(`${status} ${code}`, () => {
      const error = errorOf(status, coded(code));
      assert.equal(error.code, expected);
      assert.match(error.message, text);
      assert.match(error.hint ?? "", hint);
      assert.ok(error.cause instanceof BucketAnswerError && error.cause.code === code);
    });
  }
});

Deno.test("bucketError has one sentence and a hint for every code, provider and action", () => {
  for (const code of [...MEANINGS.keys(), "KMS.NotFoundException"]) {
    for (const words of WORDS) {
      for (const action of ["get", "put", "list", "delete", "create"] as const) {
        const place = { action, bucket: "bucket", host: "s3.example.com", words };
        const error = bucketError(answer(400, coded(code)), place);
        assert.match(error.message, /^\S.*[^.\s]$/, code);
        assert.doesNotMatch(`${error.message}${error.hint}`, /undefined|null/, code);
        assert.match(error.hint ?? "", /^\S.*[^\s]$/, code);
      }
    }
  }
});

Deno.test("bucketError names the key that encrypts when that is not allowed", () => {
  const detail = "User: arn:aws:iam::1:user/u is not authorized to perform: kms:GenerateDataKey";
  const error = errorOf(403, coded("AccessDenied", detail));
  assert.equal(error.code, "store-refused");
  assert.match(error.hint ?? "", /encryption key.*kms:GenerateDataKey/);
});

Deno.test("bucketError takes a reached cap for what it is", () => {
  const cap = "Cannot upload files, storage cap exceeded. See the Caps page";
  assert.equal(errorOf(403, coded("AccessDenied", cap)).code, "no-space");
});

Deno.test("bucketError tells an S3 service from what is none", () => {
  const html = "<!DOCTYPE html><html>login</html>";
  assert.match(errorOf(404, html).message, /no S3 service \(HTTP 404\)/);
  assert.equal(errorOf(404, html).code, "store-invalid");
  assert.equal(errorOf(400, "").code, "store-invalid");
  assert.match(errorOf(403, html).message, /without a reason/);
  assert.equal(errorOf(502, html).code, "store-unreachable");
  assert.match(errorOf(407, html).hint ?? "", /HTTPS_PROXY/);
  assert.match(
    errorOf(302, "", { location: "https://login.example.com/x" }).message,
    /login\.example/,
  );
  assert.match(errorOf(307, "", { location: "/x" }).message, /redirects elsewhere/);
  const opaque = "javascript://other.example/";
  assert.match(errorOf(307, "", { location: opaque }).message, /redirects elsewhere/);
  const endless = `https://${"a.".repeat(100_000)}b/`;
  assert.match(errorOf(307, "", { location: endless }).message, /redirects elsewhere/);
  assert.equal(errorOf(400, coded("A", "\u001b[31m")).code, "store-invalid", "no XML at all");
});

Deno.test("bucketError hands on how long the store wants to be left alone", () => {
  const wait = (value: string, headers = {}) => {
    const { cause } = errorOf(503, coded("SlowDown"), { "retry-after": value, ...headers });
    return cause instanceof RetryAfter ? cause.retryAfterMs : null;
  };
  assert.equal(wait("7"), 7000);
  assert.equal(wait("0"), 0);
  assert.equal(wait("99999999"), RETRY_AFTER_MS_MAX);
  const date = { date: "Tue, 24 Nov 2026 12:00:00 GMT" };
  assert.equal(wait("Tue, 24 Nov 2026 12:00:30 GMT", date), 30_000);
  assert.equal(wait("Tue, 24 Nov 2026 11:00:00 GMT", date), 0);
  assert.equal(wait("Tue, 24 Nov 2026 12:00:30 GMT"), null, "not without the store's own clock");
  assert.equal(wait("soon"), null);
});

Deno.test("parseErrorAnswer believes the form of an answer and no more", () => {
  const region = (xml: string, headers = {}) => answer(301, xml, headers).region;
  assert.equal(region("", { "x-amz-bucket-region": "eu-west-1" }), "eu-west-1");
  assert.equal(region("<Error><Code>A</Code><Region>eu-west-2</Region></Error>"), "eu-west-2");
  const endpoint = (host: string) => `<Error><Code>A</Code><Endpoint>${host}</Endpoint></Error>`;
  assert.equal(region(endpoint("b.s3-eu-west-1.amazonaws.com")), "eu-west-1");
  assert.equal(region(endpoint("b.s3.eu-west-3.amazonaws.com")), "eu-west-3");
  assert.equal(region(endpoint("b.s3.amazonaws.com")), null);
  for (const hostile of ["evil.example/", "a b", "../x", "x".repeat(65), "EU"]) {
    assert.equal(region("", { "x-amz-bucket-region": hostile }), null, hostile);
  }
  assert.equal(answer(400, "<Error><Code>a b\n</Code></Error>").code, null);
  const long = answer(400, coded("A", "x\u007f[31m\n".repeat(1000))).detail;
  assert.equal(long.length, STORE_TEXT_LENGTH_MAX + 1);
  assert.doesNotMatch(long, /\p{Cc}/u);
});
