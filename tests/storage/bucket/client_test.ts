import assert from "node:assert/strict";
import { REQUEST_TIMEOUT_MS, timeLimits } from "../../../src/storage/bucket/client.ts";

const MIB = 1024 * 1024;

Deno.test("timeLimits gives uploads the time of all that is sent on the slowest line", () => {
  const pack = new Uint8Array(8 * MIB);
  const limits = (inFlight: number) => timeLimits({ body: pack, answerBytesMax: 1 }, inFlight);
  assert.deepEqual(limits(8 * MIB), { timeoutMs: REQUEST_TIMEOUT_MS + 256_000 });
  assert.deepEqual(limits(32 * MIB), { timeoutMs: REQUEST_TIMEOUT_MS + 1_024_000 });
  assert.deepEqual(limits(8 * MIB + 1), { timeoutMs: REQUEST_TIMEOUT_MS + 257_000 });
});

Deno.test("timeLimits lets answers take their time as long as they come", () => {
  assert.deepEqual(timeLimits({ answerBytesMax: 64 * MIB }, 0), {
    timeoutMs: REQUEST_TIMEOUT_MS + 2_048_000,
    silenceMsMax: REQUEST_TIMEOUT_MS,
  });
});
