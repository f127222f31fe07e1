import assert from "node:assert/strict";
import { savedKeysFirst } from "../../../src/storage/s3/saved_keys_first.ts";

const OTHERS = {
  credentials: () =>
    Promise.resolve({
      accessKeyId: "OTHER",
      secretAccessKey: "other",
      sessionToken: "token",
      expiresAtMs: 1,
      from: "environment",
    }),
};

Deno.test("savedKeysFirst gives what was kept, without the token of other keys", async () => {
  let reads = 0;
  const source = savedKeysFirst(() => {
    reads++;
    return { accessKeyId: "ID", secretAccessKey: "hush" };
  }, OTHERS);
  for (const refresh of [false, true]) {
    const { accessKeyId, secretAccessKey, sessionToken, from } = await source.credentials({
      refresh,
    });
    assert.deepEqual([accessKeyId, secretAccessKey, sessionToken], ["ID", "hush", null]);
    assert.ok(!from.includes("hush"));
  }
  assert.equal(reads, 1);
});

Deno.test("savedKeysFirst asks the others when nothing was kept", async () => {
  const source = savedKeysFirst(() => null, OTHERS);
  assert.equal((await source.credentials({ refresh: false })).accessKeyId, "OTHER");
});
