import assert from "node:assert/strict";
import { REQUEST_TIMEOUT_MS, timeLimits } from "../../../src/storage/bucket/client.ts";

const MIB = 1024 * 1024;

Deno.test("timeLimits gives uploads the time of all that share the slowest line", () => {
  const limits = (sizeBytes: number) =>
    timeLimits({ body: new Uint8Array(sizeBytes), answerBytesMax: 1 }).timeoutMs;
  assert.equal(limits(0), REQUEST_TIMEOUT_MS);
  assert.equal(limits(64 * 1024), REQUEST_TIMEOUT_MS + 32_000);
  assert.equal(limits(8 * MIB), REQUEST_TIMEOUT_MS + 1_024_000);
  assert.equal(limits(64 * MIB), REQUEST_TIMEOUT_MS + 2_048_000);
});

Deno.test("timeLimits lets answers take their time as long as they come", () => {
  assert.deepEqual(timeLimits({ answerBytesMax: 64 * MIB }), {
    timeoutMs: REQUEST_TIMEOUT_MS + 2_048_000,
    silenceMsMax: REQUEST_TIMEOUT_MS,
  });
});
