/**
 * Running a decoder on input that nobody meant for it. What holds for every decoder: it gives a
 * value of its type or throws one of our errors with a code that its contract names, it comes back
 * soon, and it leaves the prototypes of the language alone.
 */
import assert from "node:assert/strict";
import process from "node:process";
import * as fc from "fast-check";
import { type ErrorCode, isClaudeSyncError } from "../../src/errors.ts";

/**
 * The least number of cases of every decoder, for runs at night; or, as `5%`, a share of the usual
 * numbers, for where the same has run at length before.
 */
const RUNS_VARIABLE = "CLAUDE_SYNC_FUZZ_RUNS";

/** Cases of every decoder, unless a test says why it takes fewer. */
export const CASES = 100_000;

/**
 * Longest time that one case may take: far more than any does, also on a machine that is busy with
 * other things. What is slow only for large input is in `bounded_work_test.ts`.
 */
const CASE_MS_MAX = 10_000;

/** How a decoder is tried. */
export interface Fuzzed<Input, Value> {
  /** Cases, unless the environment asks for more; `CASES` unless given. */
  readonly runs?: number;
  /** The only errors that it may throw; none unless given. */
  readonly codes?: readonly ErrorCode[];
  /** What must hold of what it gives. */
  readonly check?: (value: Value, input: Input) => void;
}

/** Number of cases to run. */
export function caseCount(usual: number): number {
  const [, count, percent] = /^(\d+)(%?)$/.exec(process.env[RUNS_VARIABLE] ?? "") ?? [];
  if (count === undefined) return usual;
  return percent === "" ? Math.max(Number(count), usual) : Math.ceil(usual * Number(count) / 100);
}

/** Tries `decode` on what `inputs` gives. A failure names the seed and the smallest case found. */
export function fuzz<Input, Value>(
  inputs: fc.Arbitrary<Input>,
  decode: (input: Input) => Value,
  { runs = CASES, codes = [], check }: Fuzzed<Input, Value> = {},
): void {
  const property = fc.property(inputs, (input) => {
    const startMs = performance.now();
    const outcome = attempt(() => decode(input), codes);
    assertUnharmed(startMs);
    if (outcome !== null) check?.(outcome.value, input);
  });
  fc.assert(property, { numRuns: caseCount(runs) });
}

/** As `fuzz`, for a decoder that waits. */
export async function fuzzAsync<Input, Value>(
  inputs: fc.Arbitrary<Input>,
  decode: (input: Input) => Promise<Value>,
  { runs = CASES, codes = [], check }: Fuzzed<Input, Value> = {},
): Promise<void> {
  const property = fc.asyncProperty(inputs, async (input) => {
    const startMs = performance.now();
    let outcome: { value: Value } | null = null;
    try {
      outcome = { value: await decode(input) };
    } catch (error) {
      assertAllowed(error, codes);
    }
    assertUnharmed(startMs);
    if (outcome !== null) check?.(outcome.value, input);
  });
  await fc.assert(property, { numRuns: caseCount(runs) });
}

function attempt<Value>(
  decode: () => Value,
  codes: readonly ErrorCode[],
): { readonly value: Value } | null {
  try {
    return { value: decode() };
  } catch (error) {
    assertAllowed(error, codes);
    return null;
  }
}

function assertAllowed(error: unknown, codes: readonly ErrorCode[]): void {
  if (isClaudeSyncError(error, ...codes) && codes.length > 0) {
    assert(error.message.length < 20_000, "a message is no copy of the input");
    return;
  }
  throw error;
}

function assertUnharmed(startMs: number): void {
  for (const prototype of [Object.prototype, Array.prototype]) {
    for (const name in prototype) assert.fail(`a prototype has got the member "${name}"`);
  }
  const tookMs = performance.now() - startMs;
  assert(tookMs < CASE_MS_MAX, `one case took ${tookMs} ms`);
}
