import assert from "node:assert/strict";
import { ClaudeSyncError } from "../../../src/errors.ts";
import {
  RENEW_EARLY_MS,
  RENEW_PAUSE_MS,
  renewing,
} from "../../../src/storage/credentials/renewing.ts";

interface Value {
  readonly number: number;
  readonly expiresAtMs: number | null;
}

/** Values that last `lifeMs`; loading can be held up or made to fail. */
function bench(lifeMs: number | null) {
  const state = {
    nowMs: 1_000_000,
    loads: 0,
    failure: null as Error | null,
    gate: null as Promise<void> | null,
    aborted: 0,
  };
  const give = renewing<Value>(async ({ signal }) => {
    state.loads++;
    signal.addEventListener("abort", () => state.aborted++);
    await state.gate;
    if (state.failure !== null) throw state.failure;
    return { number: state.loads, expiresAtMs: lifeMs === null ? null : state.nowMs + lifeMs };
  }, { nowMs: () => state.nowMs });
  const get = async (refresh = false, signal?: AbortSignal) =>
    (await give({ refresh, ...(signal === undefined ? {} : { signal }) })).number;
  return { state, get };
}

const HOUR_MS = 3_600_000;

Deno.test("renewing() keeps what does not end, until another is asked for", async () => {
  const { state, get } = bench(null);
  assert.equal(await get(), 1);
  state.nowMs += 1000 * HOUR_MS;
  assert.equal(await get(), 1);
  assert.equal(await get(true), 2);
  assert.equal(await get(), 2);
});

Deno.test("renewing() renews five minutes before the end, not earlier", async () => {
  const { state, get } = bench(HOUR_MS);
  await get();
  state.nowMs += HOUR_MS - RENEW_EARLY_MS - 1;
  assert.equal(await get(), 1);
  state.nowMs += 1;
  assert.equal(await get(), 2);
  assert.equal(await get(), 2);
});

Deno.test("renewing() does not renew at every call what lasts shortly", async () => {
  const { state, get } = bench(60_000);
  await get();
  state.nowMs += 29_999;
  assert.equal(await get(), 1);
  state.nowMs += 1;
  assert.equal(await get(), 2);
});

Deno.test("renewing() asks anew when what it got has ended already", async () => {
  const { get } = bench(-1);
  assert.equal(await get(), 1);
  assert.equal(await get(), 2);
});

Deno.test("renewing() loads once for all who wait", async () => {
  const { state, get } = bench(HOUR_MS);
  const all = await Promise.all([get(), get(true), get(), get(true)]);
  assert.deepEqual(all, [1, 1, 1, 1]);
  assert.equal(state.loads, 1);
});

Deno.test("renewing() gives the old value while it holds and a renewal fails", async () => {
  const { state, get } = bench(HOUR_MS);
  await get();
  state.nowMs += HOUR_MS - RENEW_EARLY_MS;
  state.failure = new ClaudeSyncError("store-unreachable", "no network");
  assert.equal(await get(), 1);
  assert.equal(await get(), 1);
  assert.equal(state.loads, 2, "not tried again at once");
  state.nowMs += RENEW_PAUSE_MS;
  assert.equal(await get(), 1);
  assert.equal(state.loads, 3);
  await assert.rejects(() => get(true), { code: "store-unreachable" });
  state.nowMs += RENEW_EARLY_MS;
  await assert.rejects(() => get(), { code: "store-unreachable" });
  state.failure = null;
  assert.equal(await get(), state.loads);
});

Deno.test("renewing() hides no bug behind the old value", async () => {
  const { state, get } = bench(HOUR_MS);
  await get();
  state.nowMs += HOUR_MS - RENEW_EARLY_MS;
  state.failure = new TypeError("x is not a function");
  await assert.rejects(() => get(), TypeError);
});

Deno.test("renewing() tries again after a failure", async () => {
  const { state, get } = bench(HOUR_MS);
  state.failure = new ClaudeSyncError("store-refused", "no");
  await assert.rejects(() => get(), { code: "store-refused" });
  state.failure = null;
  assert.equal(await get(), 2);
});

Deno.test("renewing() aborts a load only when nobody waits for it", async () => {
  const { state, get } = bench(HOUR_MS);
  let open = () => {};
  state.gate = new Promise((resolve) => open = resolve);
  const [first, second] = [new AbortController(), new AbortController()];
  const one = get(false, first.signal);
  const two = get(false, second.signal);
  first.abort(new Error("first"));
  await assert.rejects(one, { message: "first" });
  assert.equal(state.aborted, 0);
  second.abort(new Error("second"));
  await assert.rejects(two, { message: "second" });
  assert.equal(state.aborted, 1);
  const three = get();
  open();
  assert.equal(await three, 2, "the abandoned load is not waited for");
  await assert.rejects(() => get(false, first.signal), { message: "first" });
});
