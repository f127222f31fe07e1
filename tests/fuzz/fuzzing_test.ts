import assert from "node:assert/strict";
import process from "node:process";
import * as fc from "fast-check";
import { ClaudeSyncError } from "../../src/errors.ts";
import { caseCount, fuzz, fuzzAsync } from "./fuzzing.ts";
import { mutatedJson } from "./json_mutations.ts";
import { mutatedBytes } from "./mutations.ts";

const RUNS = "CLAUDE_SYNC_FUZZ_RUNS";

Deno.test("caseCount is raised by the environment, and lowered to a share only", () => {
  const before = process.env[RUNS];
  try {
    for (const [value, expected] of [["", 100], ["x", 100], ["7", 100], ["500", 500], ["5%", 5]]) {
      process.env[RUNS] = String(value);
      assert.equal(caseCount(100), expected, String(value));
    }
  } finally {
    if (before === undefined) delete process.env[RUNS];
    else process.env[RUNS] = before;
  }
});

Deno.test("fuzz sees wrong errors, wrong codes, wrong values and harmed prototypes", async () => {
  const fails = (decode: () => unknown, check?: () => void) =>
    assert.throws(() =>
      fuzz(fc.nat(), decode, { runs: 1, codes: ["damaged"], ...(check && { check }) })
    );
  fuzz(fc.nat(), () => {
    throw new ClaudeSyncError("damaged", "x");
  }, { runs: 1, codes: ["damaged"] });
  fails(() => {
    throw new ClaudeSyncError("bug", "x");
  });
  fails(() => {
    throw new RangeError("x");
  });
  fails(() => 1, () => assert.fail());
  try {
    fails(() => Object.assign(Object.prototype, { polluted: 1 }));
  } finally {
    Reflect.deleteProperty(Object.prototype, "polluted");
  }
  await assert.rejects(fuzzAsync(fc.nat(), () => Promise.reject(new Error("x")), { runs: 1 }));
});

Deno.test("mutations leave some samples whole and damage most in many ways", () => {
  const sample = { a: [1, { b: "c" }], d: null };
  const texts = fc.sample(mutatedJson([sample]), { numRuns: 2_000, seed: 1 });
  assert(texts.includes(JSON.stringify(sample)));
  assert(new Set(texts).size > 700);
  for (const sign of ["__proto__", "1e999", "[[[[[[[[[", "\\ud800", '"d":null,"d":']) {
    assert(texts.some((text) => text.includes(sign)), sign);
  }
  const bytes = fc.sample(mutatedBytes([new Uint8Array(50)]), { numRuns: 2_000, seed: 1 });
  assert(bytes.some((each) => each.length === 50 && each.every((byte) => byte === 0)));
  assert(bytes.some((each) => each.length < 50) && bytes.some((each) => each.length > 500));
});
