import assert from "node:assert/strict";
import { MemoryStore } from "../../src/storage/memory/store.ts";
import { objectName } from "../../src/storage/object_name.ts";
import type { ObjectStore, PutItem } from "../../src/storage/object_store.ts";
import { withConcurrency, withLimit } from "../../src/storage/with_limit.ts";
import { TestClock } from "../support/sync_machine.ts";

const NO_LIMITS = { uploadBytesPerSecond: null, downloadBytesPerSecond: null };

function name(n: number) {
  return objectName(`packs/aa/${n}`);
}

function body(bytes: number) {
  return new Uint8Array(bytes);
}

Deno.test("withLimit keeps puts to the rate, one after the other", async () => {
  const clock = new TestClock(0);
  const store = withLimit(new MemoryStore(), { ...NO_LIMITS, clock, uploadBytesPerSecond: 1000 });
  await store.put(name(1), body(500));
  // The first goes at once, the second waits for what the first should have taken.
  assert.equal(clock.monotonicMs(), 0);
  await Promise.all([store.put(name(2), body(2000)), store.put(name(3), body(10))]);
  assert.equal(clock.monotonicMs(), 2500);
  clock.advance(60_000);
  await store.put(name(4), body(1));
  assert.equal(clock.monotonicMs(), 62_500, "time without traffic is not saved up");
  await store.put(name(5), body(1));
  assert.equal(clock.monotonicMs(), 62_501);
});

Deno.test("withLimit keeps gets to their own rate and leaves lists and deletes alone", async () => {
  const clock = new TestClock(0);
  const memory = new MemoryStore();
  await memory.put(name(1), body(3000));
  const limits = { clock, uploadBytesPerSecond: 1, downloadBytesPerSecond: 1000 };
  const store = withLimit(memory, limits);
  assert.equal((await store.get(name(1)))?.length, 3000);
  for await (const _ of store.list("")) assert.equal(clock.monotonicMs(), 0);
  assert.equal(await store.get(name(2)), null);
  assert.equal(clock.monotonicMs(), 3000);
  await store.delete(name(1));
  assert.equal(clock.monotonicMs(), 3000);
});

Deno.test("withLimit goes on after a failure, and lets a waiting call be aborted", async () => {
  const clock = new TestClock(0);
  const memory = new MemoryStore();
  let isDown = true;
  const shaky: ObjectStore = Object.assign(Object.create(memory) as ObjectStore, {
    put: (...call: Parameters<ObjectStore["put"]>) =>
      isDown ? Promise.reject(new Error("down")) : memory.put(...call),
  });
  const store = withLimit(shaky, { ...NO_LIMITS, clock, uploadBytesPerSecond: 1000 });
  await assert.rejects(store.put(name(1), body(5000)), /down/);
  assert.equal(clock.monotonicMs(), 0, "what was not sent costs nothing");
  isDown = false;
  const gone = new AbortController();
  const first = store.put(name(2), body(1000));
  const second = store.put(name(3), body(1000), { signal: gone.signal });
  gone.abort(new Error("left"));
  await assert.rejects(second, /left/);
  assert.equal(await first, "created");
  assert.equal(await memory.get(name(3)), null);
});

Deno.test("withLimit paces what a batching store reads", async () => {
  const clock = new TestClock(0);
  const seen: number[] = [];
  const batching: ObjectStore = Object.assign(Object.create(new MemoryStore()) as ObjectStore, {
    isBatching: true,
    putAll: async (items: readonly PutItem[]) => {
      for (const item of items) seen.push((await item.read()).length);
      return null;
    },
  });
  const store = withLimit(batching, { ...NO_LIMITS, clock, uploadBytesPerSecond: 1000 });
  const items = [1, 2, 3].map((n) => ({ name: name(n), read: () => Promise.resolve(body(1000)) }));
  assert.equal(await store.putAll(items), null);
  assert.deepEqual([seen, clock.monotonicMs()], [[1000, 1000, 1000], 2000]);
});

Deno.test("without limits the store itself is used", () => {
  const memory = new MemoryStore();
  assert.equal(withLimit(memory, { ...NO_LIMITS, clock: new TestClock(0) }), memory);
  assert.equal(withConcurrency(memory, null), memory);
});

Deno.test("withConcurrency changes how many puts of a series go side by side", async () => {
  let running = 0;
  let most = 0;
  const slow: ObjectStore = Object.assign(Object.create(new MemoryStore()) as ObjectStore, {
    put: async () => {
      most = Math.max(most, ++running);
      await new Promise((done) => setTimeout(done, 1));
      running--;
      return "created";
    },
  });
  const items = Array.from({ length: 20 }, (_, n) => ({
    name: name(n),
    read: () => Promise.resolve(body(1)),
  }));
  const store = withConcurrency(slow, 3);
  assert.equal(store.concurrency, 3);
  assert.equal(await store.putAll(items), null);
  assert.equal(most, 3);
});
