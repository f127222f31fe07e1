import assert from "node:assert/strict";
import { utf8 } from "../../src/base/bytes.ts";
import { isClaudeSyncError } from "../../src/errors.ts";
import type { Clock, Random } from "../../src/platform/types.ts";
import { MemoryStore } from "../../src/storage/memory/store.ts";
import { objectName } from "../../src/storage/object_name.ts";
import type { ObjectStore } from "../../src/storage/object_store.ts";
import { type RetryOptions, withRetry } from "../../src/storage/with_retry.ts";
import { listNames, storeCases } from "../conformance/store_cases.ts";
import { faultyStore, type PlannedFault } from "../support/faulty_store.ts";

const name = objectName("a/1");
const body = utf8("body");
const unreachable = (error: unknown) => isClaudeSyncError(error, "store-unreachable");

/** A clock that jumps instead of sleeping, and remembers for how long. */
class JumpingClock implements Clock {
  readonly pausesMs: number[] = [];
  ms = 0;

  nowMs(): number {
    return this.ms;
  }

  monotonicMs(): number {
    return this.ms;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.pausesMs.push(ms);
    this.ms += ms;
    return Promise.resolve();
  }
}

/** Always the longest pause. */
const patient: Random = { bytes: (length) => new Uint8Array(length).fill(255) };

function retried(
  store: ObjectStore,
  options: Partial<RetryOptions> = {},
): { store: ObjectStore; clock: JumpingClock } {
  const clock = new JumpingClock();
  return {
    clock,
    store: withRetry(store, { clock, random: patient, budgetMs: 60_000, ...options }),
  };
}

const fails = (times: number, nth = 1): PlannedFault => ({ nth, times, fault: { kind: "fail" } });

for (const { name, run } of storeCases({ skipLargest: true })) {
  Deno.test(`withRetry over a store that fails every other call: ${name}`, async () => {
    const fault = { kind: "fail" } as const;
    const flaky = faultyStore(new MemoryStore(), { times: Infinity, subject: everyOther(), fault });
    await run(retried(flaky).store);
  });
}

/** True for the first, third … question. */
function everyOther(): () => boolean {
  let asked = 0;
  return () => asked++ % 2 === 0;
}

Deno.test("withRetry repeats what is unreachable, with pauses that double", async () => {
  const inner = faultyStore(new MemoryStore(), fails(7));
  const { store, clock } = retried(inner, { pauseMsMax: 1_000 });
  assert.equal(await store.put(name, body), "created");
  assert.equal(inner.calls, 8);
  assert.deepEqual(clock.pausesMs, [99, 199, 399, 799, 999, 999, 999]);
});

Deno.test("withRetry takes random pauses, down to none", async () => {
  const { store, clock } = retried(faultyStore(new MemoryStore(), fails(3)), {
    random: { bytes: (length) => new Uint8Array(length) },
  });
  await store.get(name);
  assert.deepEqual(clock.pausesMs, [0, 0, 0]);
});

Deno.test("withRetry gives up after its attempts", async () => {
  const inner = faultyStore(new MemoryStore(), fails(Infinity));
  const { store } = retried(inner, { attemptsMax: 3 });
  await assert.rejects(store.get(name), unreachable);
  assert.equal(inner.calls, 3);
});

Deno.test("withRetry shares one budget among all calls until one succeeds", async () => {
  const inner = faultyStore(new MemoryStore(), fails(Infinity));
  const { store, clock } = retried(inner, { budgetMs: 500 });
  await assert.rejects(store.get(name), unreachable);
  assert.ok(clock.ms <= 500);
  const callsBefore = inner.calls;
  clock.ms += 500;
  await assert.rejects(store.delete(name), unreachable);
  assert.equal(inner.calls, callsBefore + 1, "the budget is used up");
  inner.heal();
  assert.equal(await store.put(name, body), "created");
  inner.plan(fails(2));
  assert.deepEqual(await store.get(name), body, "a success renews it");
});

Deno.test("withRetry with no budget tries once", async () => {
  const inner = faultyStore(new MemoryStore(), fails(1));
  const { store } = retried(inner, { budgetMs: 0 });
  await assert.rejects(store.get(name), unreachable);
  assert.equal(inner.calls, 1);
});

Deno.test("withRetry counts the time of slow attempts", async () => {
  const clock = new JumpingClock();
  let calls = 0;
  const inner = faultyStore(new MemoryStore(), {
    times: Infinity,
    subject: () => (calls++, clock.ms += 30_000, true),
    fault: { kind: "fail" },
  });
  const store = withRetry(inner, { clock, random: patient, budgetMs: 45_000 });
  await assert.rejects(store.get(name), unreachable);
  assert.equal(calls, 2);
});

Deno.test("withRetry waits as long as the store asks, or not when that is too long", async () => {
  const asks = (retryAfterMs: number) => ({ fault: { kind: "fail", retryAfterMs } as const });
  const { store, clock } = retried(faultyStore(new MemoryStore(), asks(7_000)));
  await store.get(name);
  assert.deepEqual(clock.pausesMs, [7_000]);
  const late = retried(faultyStore(new MemoryStore(), asks(60_001)));
  await assert.rejects(late.store.get(name), unreachable);
  assert.deepEqual(late.clock.pausesMs, []);
});

Deno.test("withRetry passes every other error through at once", async () => {
  for (const code of ["store-refused", "store-invalid", "no-space", "too-large", "bug"] as const) {
    const inner = faultyStore(new MemoryStore(), { fault: { kind: "fail", code } });
    const { store } = retried(inner);
    await assert.rejects(store.get(name), (error) => isClaudeSyncError(error, code));
    assert.equal(inner.calls, 1);
  }
});

Deno.test("withRetry never tries again after an abort", async () => {
  const reason = new RangeError("enough");
  const controller = new AbortController();
  const inner = faultyStore(new MemoryStore(), {
    times: Infinity,
    subject: () => (controller.abort(reason), true),
    fault: { kind: "fail" },
  });
  const { store } = retried(inner, { attemptsMax: 1 });
  const { signal } = controller;
  await assert.rejects(store.put(name, body, { signal }), (error) => error === reason);
  assert.equal(inner.calls, 1);
});

Deno.test("withRetry tells of a put that happened although it failed", async () => {
  const fault = { kind: "fail", effect: "after" } as const;
  const { store } = retried(faultyStore(new MemoryStore(), { fault }));
  assert.equal(await store.put(name, body), "exists");
});

Deno.test("withRetry goes on with a list where it broke off, giving each name once", async () => {
  const memory = new MemoryStore();
  const names = Array.from({ length: 9 }, (_, index) => objectName(`a/${index}`));
  for (const each of names) await memory.put(each, body);
  const fault = { kind: "fail", effect: "after", afterNames: 2 } as const;
  const inner = faultyStore(memory, { times: 4, fault });
  assert.deepEqual(await listNames(retried(inner, { attemptsMax: 2 }).store, "a/"), names);
  assert.equal(inner.calls, 5);
  const from = faultyStore(memory, { times: 1, fault });
  assert.deepEqual(
    await listNames(retried(from).store, "a/", { after: objectName("a/3") }),
    names.slice(4),
  );
});

Deno.test("withRetry does not retry what the reader of a list throws", async () => {
  const memory = new MemoryStore();
  await memory.put(name, body);
  const inner = faultyStore(memory);
  await assert.rejects(async () => {
    for await (const _info of retried(inner).store.list("")) throw new RangeError("reader");
  }, RangeError);
  assert.equal(inner.calls, 1);
});
