import assert from "node:assert/strict";
import { utf8 } from "../../src/base/bytes.ts";
import { MemoryStore } from "../../src/storage/memory/store.ts";
import { objectName } from "../../src/storage/object_name.ts";
import { listNames, storeCases } from "../conformance/store_cases.ts";
import { failNth, faultyStore } from "./faulty_store.ts";

const name = objectName("a/1");

for (const { name, run } of storeCases({ skipLargest: true })) {
  Deno.test(`faultyStore without faults: ${name}`, () => run(faultyStore(new MemoryStore())));
}

Deno.test("faultyStore fails before or after the effect", async () => {
  for (const effect of ["before", "after"] as const) {
    const memory = new MemoryStore();
    const store = faultyStore(memory, failNth(2, effect));
    await store.get(name);
    await assert.rejects(store.put(name, utf8("x")));
    assert.equal(await memory.get(name) !== null, effect === "after");
    await store.get(name);
    assert.deepEqual([store.calls, store.struck], [3, 1]);
  }
});

Deno.test("faultyStore changes what get gives, not what is stored", async () => {
  const store = faultyStore(new MemoryStore());
  await store.put(name, utf8("abc"));
  store.plan(
    { on: "get", nth: 1, fault: { kind: "truncate", keepBytes: 1 } },
    { on: "get", nth: 2, fault: { kind: "flip-bit", bitIndex: 8 } },
    { on: "get", nth: 3, fault: { kind: "replace", bytes: utf8("other") } },
    { on: "get", nth: 4, fault: { kind: "hide", names: () => true } },
  );
  const got = [];
  for (let i = 0; i < 5; i++) got.push(await store.get(name));
  assert.deepEqual(got, [utf8("a"), utf8("acc"), utf8("other"), null, utf8("abc")]);
});

Deno.test("faultyStore hides names and shows stale lists", async () => {
  const store = faultyStore(new MemoryStore());
  for (const each of ["a/3", "a/1", "a/2"]) await store.put(objectName(each), utf8("x"));
  store.plan(
    { on: "list", nth: 1, fault: { kind: "hide", names: (hidden) => hidden === "a/3" } },
    { on: "list", nth: 2, fault: { kind: "stale-list", missingPuts: 2 } },
  );
  assert.deepEqual(await listNames(store), ["a/1", "a/2"]);
  assert.deepEqual(await listNames(store), ["a/3"]);
  assert.deepEqual(await listNames(store), ["a/1", "a/2", "a/3"]);
});
