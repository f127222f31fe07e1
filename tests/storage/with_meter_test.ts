import assert from "node:assert/strict";
import { utf8 } from "../../src/base/bytes.ts";
import { MemoryStore } from "../../src/storage/memory/store.ts";
import { objectName } from "../../src/storage/object_name.ts";
import { withMeter } from "../../src/storage/with_meter.ts";
import { listNames, storeCases } from "../conformance/store_cases.ts";
import { faultyStore } from "../support/faulty_store.ts";

for (const { name, run } of storeCases({ skipLargest: true })) {
  Deno.test(`withMeter: ${name}`, () => run(withMeter(new MemoryStore())));
}

Deno.test("withMeter counts requests and bytes, failed ones too", async () => {
  const inner = faultyStore(new MemoryStore());
  const store = withMeter(inner);
  const before = store.traffic();
  await store.put(objectName("a"), utf8("12345"));
  await store.put(objectName("a"), utf8("12345"));
  await store.get(objectName("a"));
  await store.get(objectName("none"));
  await listNames(store);
  await store.delete(objectName("a"));
  inner.plan({ fault: { kind: "fail" } });
  await assert.rejects(store.put(objectName("b"), utf8("1")));
  assert.deepEqual(store.traffic(), {
    requests: { get: 2, put: 3, list: 1, delete: 1 },
    sentBytes: 11,
    receivedBytes: 5,
  });
  assert.deepEqual(before.requests, { get: 0, put: 0, list: 0, delete: 0 });
});
