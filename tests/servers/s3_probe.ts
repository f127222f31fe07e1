/**
 * What the tests rely on in a real S3 server: that it stores, and that it refuses what is wrong.
 *
 * @module
 */
import { AwsClient } from "aws4fetch";
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import type { S3Address } from "./s3_address.ts";

/** How one server differs from another. */
export interface S3ProbeOptions {
  readonly conditionalPut: "supported" | "refused";
}

/** Asserts all of it, in a bucket of its own. */
export async function assertStrictS3(server: S3Address, options: S3ProbeOptions): Promise<void> {
  const bucket = `${server.endpoint}/probe-${randomBytes(6).toString("hex")}`;
  const send = signedSender(server);
  assert.equal((await send("PUT", bucket)).status, 200);
  const body = new TextEncoder().encode("hello");
  assert.equal((await send("PUT", `${bucket}/a/one`, { body })).status, 200);
  assert.equal((await send("PUT", `${bucket}/a/two`, { body })).status, 200);
  assert.equal((await send("GET", `${bucket}/a/one`)).text, "hello");
  assert.equal((await send("GET", `${bucket}/a/none`)).status, 404);
  const listed = await send("GET", `${bucket}?list-type=2&prefix=a/&start-after=a/one`);
  assert.deepEqual(listed.text.match(/(?<=<Key>)[^<]*/g), ["a/two"]);

  await assertRefusals(server, bucket, body);
  const create = { body, headers: { "if-none-match": "*" } };
  const isSupported = options.conditionalPut === "supported";
  const again = await send("PUT", `${bucket}/a/one`, create);
  assert.equal(again.status, isSupported ? 412 : 501, again.text);

  for (const name of ["one", "two", "two"]) {
    assert.ok([204, 404].includes((await send("DELETE", `${bucket}/a/${name}`)).status));
  }
  assert.equal((await send("DELETE", bucket)).status, 204);
}

async function assertRefusals(server: S3Address, bucket: string, body: Uint8Array<ArrayBuffer>) {
  const stranger = signedSender({ ...server, secretAccessKey: "not the secret" });
  const strange = await stranger("PUT", `${bucket}/b`, { body });
  assert.equal(strange.status, 403);
  assert.match(strange.text, /SignatureDoesNotMatch/);
  const nobody = signedSender({ ...server, accessKeyId: "NOBODY" });
  assert.equal((await nobody("GET", `${bucket}/a/one`)).status, 403);
  const anonymous = await fetch(`${bucket}/a/one`);
  assert.ok([400, 403].includes(anonymous.status));
  assert.doesNotMatch(await anonymous.text(), /hello/);

  const send = signedSender(server);
  const wrongHash = createHash("sha256").update("something else").digest("hex");
  const headers = { "x-amz-content-sha256": wrongHash };
  assert.equal((await send("PUT", `${bucket}/b`, { body, headers })).status, 400);
  const late = signedSender(server, "20200101T000000Z");
  const skewed = await late("GET", `${bucket}/a/one`);
  assert.equal(skewed.status, 403);
  assert.match(skewed.text, /RequestTimeTooSkewed/);
  assert.equal((await send("GET", `${bucket}/b`)).status, 404, "nothing of it was stored");
}

interface Sent {
  readonly body?: Uint8Array<ArrayBuffer>;
  readonly headers?: Record<string, string>;
}

/** Sends requests signed by another signer than ours, at the time given. */
export function signedSender(server: S3Address, datetime?: string) {
  const { accessKeyId, secretAccessKey, region } = server;
  const keys = { accessKeyId, secretAccessKey, region, service: "s3", retries: 0 };
  const client = new AwsClient(keys);
  return async (method: string, url: string, { body, headers = {} }: Sent = {}) => {
    const hash = createHash("sha256").update(body ?? "").digest("hex");
    const signed = await client.sign(url, {
      method,
      headers: { "x-amz-content-sha256": hash, ...headers },
      ...(body === undefined ? {} : { body }),
      ...(datetime === undefined ? {} : { aws: { datetime } }),
    });
    const response = await fetch(signed);
    return { status: response.status, text: await response.text() };
  };
}
