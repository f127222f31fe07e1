import assert from "node:assert/strict";
import { failedTests, fileBegun, finalTotals, parseSummary } from "./test_output.ts";

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

Deno.test("failedTests takes the list that Deno ends with, and no line of a test", () => {
  const output =
    "a => ./tests/own_test.ts:1:1\n\x1b[0m\x1b[1m\x1b[37m\x1b[41m FAILURES \x1b[0m\n\n" +
    "it works => \x1b[0m./tests/a_test.ts:5:6\n./tests/b_test.ts (uncaught error)\n" +
    "x => y => ./tests/c_test.ts:1:20\n\nFAILED | 1 passed | 2 failed (9s)\n";
  assert.deepEqual(failedTests(output), [
    "it works => ./tests/a_test.ts:5:6",
    "./tests/b_test.ts (uncaught error)",
    "x => y => ./tests/c_test.ts:1:20",
  ]);
  assert.deepEqual(failedTests("ok | 1 passed | 0 failed (1ms)\n"), []);
});

Deno.test("fileBegun knows the line before a file's tests", () => {
  assert.equal(fileBegun("running 1 test from ./tests/a_test.ts"), "tests/a_test.ts");
  assert.equal(
    fileBegun("\x1b[38;5;245mrunning 12 tests from ./a/b_test.ts\x1b[0m"),
    "a/b_test.ts",
  );
  assert.equal(fileBegun("a test is running 1 test from ./tests/a_test.ts"), null);
});

Deno.test("finalTotals adds up, and is never clean when the build or a process was not", () => {
  const clean = { passed: 2, failed: 0 };
  const bad = { passed: 2, failed: 3 };
  const ok = { exitCode: 0, summary: clean };
  assert.deepEqual(finalTotals(true, [ok]), { passed: 2, failed: 0 });
  assert.deepEqual(finalTotals(true, [ok, ok]), { passed: 4, failed: 0 });
  assert.deepEqual(finalTotals(false, [ok, ok]), { passed: 4, failed: 1 });
  assert.deepEqual(finalTotals(true, [ok, { exitCode: 1, summary: clean }]), {
    passed: 4,
    failed: 1,
  });
  assert.deepEqual(finalTotals(true, [{ exitCode: 1, summary: bad }, ok]), {
    passed: 4,
    failed: 3,
  });
  assert.deepEqual(finalTotals(false, [{ exitCode: 1, summary: bad }]), { passed: 2, failed: 4 });
  assert.deepEqual(finalTotals(true, [{ exitCode: 0, summary: null }]), { passed: 0, failed: 1 });
  assert.deepEqual(finalTotals(true, [ok, { exitCode: 137, summary: null }]), {
    passed: 2,
    failed: 1,
  });
  assert.deepEqual(finalTotals(true, []), { passed: 0, failed: 1 });
});
