/**
 * What is read from the output of `deno test`.
 *
 * @module
 */

/** How many tests a run had. */
export interface Totals {
  readonly passed: number;
  readonly failed: number;
}

/** How one process of `deno test` ended. */
export interface Outcome {
  readonly exitCode: number;
  /** Null when its output ends without one: it was killed, or found no test. */
  readonly summary: Totals | null;
}

/** Takes the colours out. */
function plainText(output: string): string {
  // deno-lint-ignore no-control-regex
  return output.replace(/\x1b\[[0-9;]*m/g, "");
}

/**
 * Reads the summary at the end of what `deno test` prints, such as
 * `FAILED | 3 passed (2 steps) | 1 failed | 1 ignored (120ms)`. Null when there is none.
 */
export function parseSummary(output: string): Totals | null {
  const pattern = /^(?:ok|FAILED) \| (\d+) passed(?: \([^)]*\))? \| (\d+) failed/gm;
  const last = [...plainText(output).matchAll(pattern)].at(-1);
  if (last === undefined) return null;
  return { passed: Number(last[1]), failed: Number(last[2]) };
}

/** The failed tests, each as `name => ./tests/file_test.ts:line:column`, as Deno lists them. */
export function failedTests(output: string): string[] {
  const list = plainText(output).split(/^ FAILURES *$/m).at(1) ?? "";
  return list.split("\n").filter((line) => / => .+:\d+:\d+$|\(uncaught error\)$/.test(line));
}

/** The file that a line of output begins, or null. */
export function fileBegun(line: string): string | null {
  return /^running \d+ tests? from \.\/(.+)$/.exec(plainText(line))?.[1] ?? null;
}

/**
 * The sum of all. A process that ends badly without a failed test (nothing was found, the runner
 * died) and a failed build each count as one failure, and so does a run without a process.
 */
export function finalTotals(isBuilt: boolean, outcomes: readonly Outcome[]): Totals {
  let [passed, failed] = [0, isBuilt ? 0 : 1];
  for (const { exitCode, summary } of outcomes) {
    passed += summary?.passed ?? 0;
    const isUnnamed = (summary?.failed ?? 0) === 0 && (exitCode !== 0 || summary === null);
    failed += isUnnamed ? 1 : summary?.failed ?? 0;
  }
  return { passed, failed: outcomes.length === 0 ? failed + 1 : failed };
}
