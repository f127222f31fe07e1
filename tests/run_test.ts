import assert from "node:assert/strict";
import { finalTotals, parseSummary } from "./run.ts";

Deno.test("parseSummary reads Deno's last summary line, plain or coloured", () => {
  const cases: [string, { passed: number; failed: number } | null][] = [
    ["ok | 1 passed | 0 failed (10ms)\n", { passed: 1, failed: 0 }],
    ["FAILED | 3 passed (2 steps) | 4 failed (1 step) | 1 ignored (1s)", { passed: 3, failed: 4 }],
    ["\n\x1b[0m\x1b[32mok\x1b[0m | 12 passed (3 steps) | 0 failed \x1b[0m", {
      passed: 12,
      failed: 0,
    }],
    ["ok | 99 passed | 0 failed (1s)\nFAILED | 1 passed | 2 failed (9s)\n", {
      passed: 1,
      failed: 2,
    }],
    ["a test says ok | 1 passed | 0 failed", null],
    ["error: No test modules found", null],
    ["", null],
  ];
  for (const [output, expected] of cases) assert.deepEqual(parseSummary(output), expected, output);
});

Deno.test("finalTotals is never clean when the build or the run was not", () => {
  const clean = { passed: 2, failed: 0 };
  assert.deepEqual(finalTotals(true, 0, clean), { passed: 2, failed: 0 });
  assert.deepEqual(finalTotals(false, 0, clean), { passed: 2, failed: 1 });
  assert.deepEqual(finalTotals(true, 1, clean), { passed: 2, failed: 1 });
  assert.deepEqual(finalTotals(true, 1, { passed: 2, failed: 3 }), { passed: 2, failed: 3 });
  assert.deepEqual(finalTotals(false, 1, { passed: 2, failed: 3 }), { passed: 2, failed: 4 });
  assert.deepEqual(finalTotals(true, 0, null), { passed: 0, failed: 1 });
  assert.deepEqual(finalTotals(false, 1, null), { passed: 0, failed: 2 });
});
