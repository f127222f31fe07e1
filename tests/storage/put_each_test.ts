import assert from "node:assert/strict";
import { utf8 } from "../../src/base/bytes.ts";
import { MemoryStore } from "../../src/storage/memory/store.ts";
import { objectName } from "../../src/storage/object_name.ts";
import { putEach } from "../../src/storage/put_each.ts";

Deno.test("putEach puts as many at a time as the store says, and the last one alone", async () => {
  const memory = new MemoryStore();
  let underWay = 0;
  let most = 0;
  const lastWith: number[] = [];
  const store = {
    concurrency: 3,
    put: async (...args: Parameters<MemoryStore["put"]>) => {
      most = Math.max(most, ++underWay);
      if (args[0] === "last") lastWith.push(underWay);
      const outcome = await memory.put(...args);
      underWay--;
      return outcome;
    },
  };
  const names = [...Array.from({ length: 10 }, (_, index) => `p/${index}`), "last"];
  const items = names.map((name) => ({
    name: objectName(name),
    read: () => Promise.resolve(utf8(name)),
  }));
  assert.equal(await putEach(store, items), null);
  assert.equal(most, 3);
  assert.deepEqual(lastWith, [1]);
  for (const name of names) assert.deepEqual(await memory.get(objectName(name)), utf8(name));
});
