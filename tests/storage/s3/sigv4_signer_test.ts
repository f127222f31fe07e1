import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { utf8 } from "../../../src/base/bytes.ts";
import type { Refusal, UnsignedRequest } from "../../../src/storage/bucket/signer.ts";
import type { AwsCredentials } from "../../../src/storage/s3/aws_credentials.ts";
import { sigV4Signer, SKEW_MS_MIN } from "../../../src/storage/s3/sigv4_signer.ts";
import { sigV4Refusal } from "../../servers/sigv4.ts";
import { TestClock } from "../../support/sync_machine.ts";

const nowMs = Date.UTC(2026, 10, 24, 12);

/** A signer whose credentials are numbered: `AKID/0` first, the next one after each renewal. */
function setUp({ isFixed = false } = {}) {
  const clock = new TestClock(nowMs);
  const notes: string[] = [];
  const region = {
    current: "us-east-1",
    isFixed,
    learn: (told: string) => void (region.current = told),
  };
  let renewals = 0;
  const signer = sigV4Signer({
    clock,
    region,
    note: (message) => void notes.push(message),
    credentials: {
      from: "test",
      credentials({ refresh }): Promise<AwsCredentials> {
        if (refresh) renewals++;
        const keys = { secretAccessKey: "secret", sessionToken: `T${renewals}`, expiresAtMs: null };
        return Promise.resolve({ ...keys, accessKeyId: `AKID/${renewals}`, from: "test" });
      },
    },
  });
  return { signer, notes, region, clock, renewals: () => renewals };
}

const body = utf8("body");

function unsigned(changes: Partial<UnsignedRequest> = {}): UnsignedRequest {
  const url = new URL(
    "https://bucket.s3.example.com:9000/p/a-b_c.d?list-type=2&prefix=p%2F&x=%2B%2F%3D",
  );
  const bodySha256 = createHash("sha256").update(body).digest("hex");
  const headers = { "if-none-match": "*", "content-md5": "1B2M2Y8AsgTpgAmY7PhCfg==" };
  return { method: "PUT", url, headers, body, bodySha256, ...changes };
}

function refusal(
  sentHeaders: Readonly<Record<string, string>>,
  code: string,
  changes = {},
): Refusal {
  return { status: 403, code, region: null, dateMs: null, sentHeaders, ...changes };
}

Deno.test("sigV4Signer signs all that is sent, as a second implementation has it", async () => {
  const { signer } = setUp();
  const request = unsigned();
  const headers = await signer.sign(request);
  const received = {
    method: request.method,
    target: request.url.pathname + request.url.search,
    headers: [["host", request.url.host] as const, ...Object.entries(headers)],
    body,
  };
  const secretOf = (key: string) => key === "AKID" ? null : "secret";
  const expectation = { secretOf, regions: ["us-east-1"], nowMs };
  // That implementation splits the key at its slash; the scope is what follows.
  const keyed = {
    ...received,
    headers: received.headers.map(([name, value]) =>
      [name, value.replace("Credential=AKID/0/", "Credential=AKID0/")] as const
    ),
  };
  assert.equal(sigV4Refusal(keyed, expectation), null);
  const signed = /SignedHeaders=([^,]+)/.exec(headers["authorization"]!)?.[1]?.split(";") ?? [];
  const sent = Object.keys(headers).filter((name) => name !== "authorization");
  assert.deepEqual(signed.filter((name) => name !== "host").sort(), sent.sort());
  assert.equal(headers["x-amz-content-sha256"], request.bodySha256);
  assert.equal(headers["content-type"], undefined);
});

Deno.test("sigV4Signer renews credentials once for many refused requests", async () => {
  const { signer, renewals } = setUp();
  const sent = await Promise.all([1, 2, 3].map(() => signer.sign(unsigned())));
  for (const headers of sent) {
    assert.equal(await signer.refused(refusal(headers, "ExpiredToken")), true);
  }
  assert.equal(renewals(), 1);
});

Deno.test("sigV4Signer says once that the clock is wrong, for many requests", async () => {
  const { signer, notes, clock } = setUp();
  const sent = await Promise.all([1, 2].map(() => signer.sign(unsigned())));
  const dateMs = nowMs + 30 * 60_000;
  for (const headers of sent) {
    const late = refusal(headers, "RequestTimeTooSkewed", { dateMs });
    assert.equal(await signer.refused(late), true);
  }
  assert.equal(notes.length, 1);
  assert.equal((await signer.sign(unsigned()))["x-amz-date"], "20261124T123000Z");
  clock.advance(60_000);
  assert.equal((await signer.sign(unsigned()))["x-amz-date"], "20261124T123100Z");
});

Deno.test("sigV4Signer takes only a difference that explains the refusal", async () => {
  const { signer } = setUp();
  const sent = await signer.sign(unsigned());
  const told = (dateMs: number | null) =>
    signer.refused(refusal(sent, "RequestTimeTooSkewed", { dateMs }));
  assert.equal(await told(null), false);
  assert.equal(await told(nowMs + SKEW_MS_MIN - 1), false);
  assert.equal(await told(nowMs + SKEW_MS_MIN), true);
});

Deno.test("sigV4Signer learns a region once, and none where it is fixed", async () => {
  const { signer, region } = setUp();
  const sent = await signer.sign(unsigned());
  const told = (headers: typeof sent, name: string | null) =>
    signer.refused(refusal(headers, "AuthorizationHeaderMalformed", { region: name }));
  assert.equal(await told(sent, null), false);
  assert.equal(await told(sent, "us-east-1"), false);
  assert.equal(await told(sent, "eu-west-1"), true);
  assert.equal(region.current, "eu-west-1");
  assert.equal(await told(sent, null), true, "learnt since by another request");
  assert.equal(await told(await signer.sign(unsigned()), "eu-west-1"), false);

  const fixed = setUp({ isFixed: true });
  const headers = await fixed.signer.sign(unsigned());
  const refused = refusal(headers, "AuthorizationHeaderMalformed", { region: "eu-west-1" });
  assert.equal(await fixed.signer.refused(refused), false);
});

Deno.test("sigV4Signer changes nothing for refusals that are final", async () => {
  const { signer, renewals } = setUp();
  const sent = await signer.sign(unsigned());
  for (const code of ["AccessDenied", "SignatureDoesNotMatch", "NoSuchBucket"]) {
    assert.equal(await signer.refused(refusal(sent, code, { region: "eu-west-1" })), false);
  }
  assert.equal(renewals(), 0);
});
