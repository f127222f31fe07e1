/**
 * Runs test files under Bun, which has no `Deno.test`: `bun under_bun.ts FILE…`. Prints one line a
 * failure and a count; the exit code says whether all passed.
 */
import process from "node:process";

/** What the test files use of Deno's test context. */
interface StepContext {
  step(name: string, run: () => unknown): Promise<void>;
}

interface Definition {
  readonly name: string;
  readonly ignore?: boolean;
  readonly fn: (t: StepContext) => unknown;
}

const tests: { name: string; run: (t: StepContext) => unknown }[] = [];
const context: StepContext = {
  async step(_name, run) {
    await run();
  },
};

Object.defineProperty(globalThis, "Deno", {
  value: {
    test(test: string | Definition, run: Definition["fn"]) {
      const { name, fn, ignore = false } = typeof test === "string"
        ? { name: test, fn: run }
        : test;
      if (!ignore) tests.push({ name, run: fn });
    },
  },
});

for (const file of process.argv.slice(2)) await import(file);
let failed = 0;
for (const { name, run } of tests) {
  try {
    await run(context);
  } catch (failure) {
    failed++;
    console.log(`FAILED ${name}: ${failure instanceof Error ? failure.stack : failure}`);
  }
}
console.log(`bun ${process.versions["bun"]}: ${tests.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 && tests.length > 0 ? 0 : 1;
