import assert from "node:assert/strict";
import { utf8 } from "../../../src/base/bytes.ts";
import { isClaudeSyncError } from "../../../src/errors.ts";
import { MemoryStore } from "../../../src/storage/memory/store.ts";
import { objectName } from "../../../src/storage/object_name.ts";
import { storeCases } from "../../conformance/store_cases.ts";
import { noteTested } from "../../servers/stores.ts";

for (const { name, run } of storeCases()) {
  Deno.test(`MemoryStore: ${name}`, async () => {
    await run(new MemoryStore());
    await noteTested("memory");
  });
}

Deno.test("MemoryStore refuses an object below or above another, as folders do", async () => {
  const store = new MemoryStore();
  await store.put(objectName("a/b"), utf8("x"));
  for (const clash of ["a", "a/b/c"]) {
    await assert.rejects(
      store.put(objectName(clash), utf8("y")),
      (error) => isClaudeSyncError(error, "store-invalid"),
    );
  }
  assert.equal(await store.put(objectName("a/bc"), utf8("y")), "created");
});
