import assert from "node:assert/strict";
import * as z from "zod/mini";
import { listOf, recordOf } from "../../src/base/checked_lists.ts";

Deno.test("listOf and recordOf check every element", () => {
  const list = listOf(z.number());
  assert.deepEqual(list.safeParse([1, 2]).data, [1, 2]);
  for (const bad of [[1, "2"], "12", { length: 0 }, null]) assert(!list.safeParse(bad).success);
  const record = recordOf(z.number());
  assert.deepEqual(record.safeParse({ a: 1, "": 2 }).data, { a: 1, "": 2 });
  for (const bad of [{ a: "1" }, [1], "1", null]) assert(!record.safeParse(bad).success);
});

Deno.test("recordOf takes no prototype", () => {
  const schema = recordOf(z.object({ polluted: z.number() }));
  const { data } = schema.safeParse(JSON.parse('{"__proto__":{"polluted":1},"a":{"polluted":2}}'));
  assert.deepEqual(Object.keys(data!), ["a"]);
  assert.equal(Object.getPrototypeOf(data), Object.prototype);
});

Deno.test("listOf and recordOf give up at the first of a million bad elements", () => {
  const inside = z.object({ all: listOf(z.string()), each: recordOf(z.string()) });
  const million = new Array(1_000_000).fill(1);
  assert(!inside.safeParse({ all: million, each: {} }).success);
  const members = Object.fromEntries(million.slice(0, 300_000).map((value, i) => [`k${i}`, value]));
  assert(!inside.safeParse({ all: [], each: members }).success);
});
