import assert from "node:assert/strict";
import { nodePlatform } from "../../../src/platform/node.ts";
import { Batches } from "../../../src/storage/git/batches.ts";

const { clock } = nodePlatform();

Deno.test("Batches answers together what comes together, then what came meanwhile", async () => {
  const batches: (readonly number[])[] = [];
  let goOn = () => {};
  const held = new Promise<void>((resolve) => goOn = resolve);
  const doubles = new Batches<number, number>(clock, async (requests) => {
    batches.push(requests);
    if (batches.length === 1) await held;
    return requests.map((request) => 2 * request);
  });
  const first = [1, 2, 3].map((request) => doubles.ask(request));
  await clock.sleep(5);
  const second = [4, 5].map((request) => doubles.ask(request));
  await clock.sleep(5);
  goOn();
  assert.deepEqual(await Promise.all([...first, ...second]), [2, 4, 6, 8, 10]);
  assert.deepEqual(batches, [[1, 2, 3], [4, 5]]);
  assert.equal(await doubles.ask(6), 12);
});

Deno.test("Batches fails all of a batch, and goes on with the next", async () => {
  let count = 0;
  const failure = new RangeError("down");
  const store = new Batches<number, number>(clock, (requests) => {
    if (count++ === 0) return Promise.reject(failure);
    return Promise.resolve([...requests]);
  });
  const results = await Promise.allSettled([store.ask(1), store.ask(2)]);
  assert.deepEqual(results.map((r) => r.status === "rejected" && r.reason), [failure, failure]);
  assert.equal(await store.ask(3), 3);
});

Deno.test("Batches stops a batch only when nobody waits for it any more", async () => {
  const reason = new RangeError("enough");
  let stopped = 0;
  const never = new Batches<number, number>(
    clock,
    (_, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          stopped++;
          reject(signal.reason);
        });
      }),
  );
  const [a, b] = [new AbortController(), new AbortController()];
  const isReason = (error: unknown) => error === reason;
  const first = assert.rejects(never.ask(1, a.signal), isReason);
  const second = assert.rejects(never.ask(2, b.signal), isReason);
  await clock.sleep(5);
  a.abort(reason);
  await first;
  assert.equal(stopped, 0);
  b.abort(reason);
  await second;
  assert.equal(stopped, 1);
  // One that leaves before its batch begins is not in it.
  const c = new AbortController();
  const third = assert.rejects(never.ask(3, c.signal), isReason);
  c.abort(reason);
  await third;
  await assert.rejects(never.ask(4, AbortSignal.abort(reason)), isReason);
  // Its batch, now of nobody, is looked at and left.
  await clock.sleep(5);
});
