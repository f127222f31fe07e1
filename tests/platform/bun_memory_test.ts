import assert from "node:assert/strict";
import { COLLECTED_BYTES, memoryOf, runtimeMemory } from "../../src/platform/bun_memory.ts";

Deno.test("memoryOf collects when 32 MiB have passed, and not a byte before", () => {
  let collected = 0;
  const memory = memoryOf(() => collected++);
  memory.passed(COLLECTED_BYTES - 1);
  assert.equal(collected, 0);
  memory.passed(1);
  assert.equal(collected, 1);
  memory.passed(COLLECTED_BYTES - 1);
  assert.equal(collected, 1);
  memory.passed(3 * COLLECTED_BYTES);
  assert.equal(collected, 2);
});

Deno.test("runtimeMemory does without a call that the runtime has not", () => {
  runtimeMemory().passed(2 * COLLECTED_BYTES);
});
