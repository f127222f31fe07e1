import { AwsClient } from "aws4fetch";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { RawHeader } from "./fault/http_bytes.ts";
import { canonicalRequest, type ReceivedRequest, signAgain, sigV4Refusal } from "./sigv4.ts";

const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5);
const SECRET = "the secret";
const EXPECTATION = {
  secretOf: (id: string) => id === "KEY" ? SECRET : null,
  regions: ["auto"],
  nowMs: NOW_MS,
};

/** What another signer than ours makes. */
async function signed(
  url: string,
  method = "PUT",
  keys: { secretAccessKey?: string; accessKeyId?: string; region?: string } = {},
  datetime = "20260102T030405Z",
): Promise<ReceivedRequest> {
  const credentials = { accessKeyId: "KEY", secretAccessKey: SECRET, region: "auto", ...keys };
  const body = method === "PUT" ? new TextEncoder().encode("hello") : new Uint8Array(0);
  const request = await new AwsClient({ ...credentials, service: "s3" }).sign(url, {
    method,
    headers: {
      "x-amz-content-sha256": createHash("sha256").update(body).digest("hex"),
      "if-none-match": "*",
    },
    aws: { datetime },
  });
  const { host, pathname, search } = new URL(request.url);
  const headers: RawHeader[] = [["Host", host], ...request.headers];
  return { method, target: pathname + search, headers, body };
}

Deno.test("canonicalRequest gives the one of the documentation", () => {
  // "GET Bucket (List Objects)" of S3's own examples for the Authorization header.
  const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  const canonical = canonicalRequest({
    method: "GET",
    target: "/?max-keys=2&prefix=J",
    headers: [
      ["Host", "examplebucket.s3.amazonaws.com"],
      ["x-amz-date", "20130524T000000Z"],
      ["x-amz-content-sha256", empty],
    ],
  }, ["host", "x-amz-content-sha256", "x-amz-date"]);
  assert.equal(
    createHash("sha256").update(canonical).digest("hex"),
    "df57d21db20da04d7fa30298dd4488ba3a2b47ca3a489c74750e0f1e7df1b9b7",
  );
});

Deno.test("sigV4Refusal accepts what another signer has signed", async () => {
  const targets = [
    "/b/a/one",
    "/b?list-type=2&prefix=a%2F&start-after=a%2Fb-c_d",
    "/b/x%20y",
    "/b/",
  ];
  for (const target of targets) {
    for (const method of ["PUT", "GET"]) {
      const request = await signed(`http://127.0.0.1:8080${target}`, method);
      assert.equal(sigV4Refusal(request, EXPECTATION), null, target);
    }
  }
});

Deno.test("sigV4Refusal names what is wrong", async () => {
  const url = "http://127.0.0.1:8080/b/a";
  const good = await signed(url);
  const withHeader = (name: string, value: string) => ({
    ...good,
    headers: [...good.headers, [name, value] as RawHeader],
  });
  const cases: [string, ReceivedRequest][] = [
    ["AccessDenied", {
      ...good,
      headers: good.headers.filter(([name]) => name !== "authorization"),
    }],
    ["AccessDenied", withHeader("x-amz-acl", "public-read")],
    ["SignatureDoesNotMatch", { ...good, target: "/b/other" }],
    ["SignatureDoesNotMatch", { ...good, method: "DELETE" }],
    ["SignatureDoesNotMatch", withHeader("if-none-match", "x")],
    ["SignatureDoesNotMatch", await signed(url, "PUT", { secretAccessKey: "no" })],
    ["InvalidAccessKeyId", await signed(url, "PUT", { accessKeyId: "NO" })],
    ["AuthorizationHeaderMalformed", await signed(url, "PUT", { region: "us-east-1" })],
    ["XAmzContentSHA256Mismatch", { ...good, body: new Uint8Array(1) }],
    ["RequestTimeTooSkewed", await signed(url, "PUT", {}, "20260102T024904Z")],
  ];
  for (const [code, request] of cases) {
    assert.equal(sigV4Refusal(request, EXPECTATION)?.code, code);
  }
  const late = await signed(url, "PUT", {}, "20260102T024905Z");
  assert.equal(sigV4Refusal(late, EXPECTATION), null, "15 minutes are allowed");
});

Deno.test("signAgain makes a changed request right", async () => {
  const request = await signed("http://127.0.0.1:8080/b/a", "PUT", {}, "20260102T024800Z");
  assert.equal(sigV4Refusal(request, EXPECTATION)?.code, "RequestTimeTooSkewed");
  const headers = request.headers.filter(([name]) => name !== "if-none-match");
  const again = signAgain({ ...request, headers }, SECRET, { dateMs: NOW_MS });
  assert.equal(sigV4Refusal({ ...request, headers: again }, EXPECTATION), null);
});
