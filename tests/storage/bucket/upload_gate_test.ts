import assert from "node:assert/strict";
import fc from "fast-check";
import { UPLOAD_BYTES_IN_FLIGHT_MAX, UploadGate } from "../../../src/storage/bucket/upload_gate.ts";

const MAX = UPLOAD_BYTES_IN_FLIGHT_MAX;

/** Whether it has happened when everything that can happen now has. */
async function hasSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(() => settled = true, () => settled = true);
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  return settled;
}

Deno.test("UploadGate lets uploads go up to its limit, the next when one is over", async () => {
  const gate = new UploadGate();
  const leave = await gate.enter(MAX - 1);
  await gate.enter(1);
  const third = gate.enter(1);
  assert.equal(await hasSettled(third), false);
  assert.equal(await hasSettled(gate.enter(0)), true, "what sends nothing does not wait");
  leave();
  assert.equal(await hasSettled(third), true);
});

Deno.test("UploadGate lets one go that is larger than the limit, alone", async () => {
  const gate = new UploadGate();
  const leaveHuge = await gate.enter(2 * MAX);
  const next = gate.enter(1);
  assert.equal(await hasSettled(next), false);
  leaveHuge();
  const leaveNext = await next;
  const again = gate.enter(2 * MAX);
  assert.equal(await hasSettled(again), false);
  leaveNext();
  assert.equal(await hasSettled(again), true);
});

Deno.test("UploadGate forgets an upload that was aborted while it waited", async () => {
  const gate = new UploadGate();
  const leave = await gate.enter(MAX);
  const controller = new AbortController();
  const aborted = gate.enter(MAX, { signal: controller.signal });
  const small = gate.enter(1);
  const reason = new RangeError("enough");
  controller.abort(reason);
  await assert.rejects(aborted, (error) => error === reason);
  assert.equal(await hasSettled(small), false);
  leave();
  assert.equal(await hasSettled(small), true);
});

Deno.test("UploadGate lets all go in the end, in order, and never too much at once", async () => {
  await fc.assert(fc.asyncProperty(
    fc.array(fc.integer({ min: 1, max: MAX + 10 }), { maxLength: 12 }),
    async (sizes) => {
      const gate = new UploadGate();
      const order: number[] = [];
      const running: { bytes: number; leave: () => void }[] = [];
      sizes.forEach(async (bytes, index) => {
        const leave = await gate.enter(bytes);
        order.push(index);
        running.push({ bytes, leave });
        const inFlight = running.reduce((sum, upload) => sum + upload.bytes, 0);
        assert.ok(inFlight <= MAX || running.length === 1);
      });
      for (let turn = 0; turn < 20 * (sizes.length + 1); turn++) {
        await Promise.resolve();
        if (turn % 20 === 19) running.shift()?.leave();
      }
      assert.deepEqual(order, sizes.map((_, index) => index));
    },
  ));
});
