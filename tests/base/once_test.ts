import assert from "node:assert/strict";
import { once } from "../../src/base/once.ts";

Deno.test("once() makes a value at the first call and gives it at every one", () => {
  let made = 0;
  const value = once(() => (made++, undefined));
  assert.equal(made, 0);
  assert.deepEqual([value(), value(), made], [undefined, undefined, 1]);
});
