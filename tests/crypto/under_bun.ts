/**
 * Runs test files under Bun, which has no `Deno.test`: `bun under_bun.ts FILE…`. Prints one line a
 * failure and a count; the exit code says whether all passed.
 */
import process from "node:process";

/** What the test files use of Deno's test context. */
interface StepContext {
  step(name: string, run: () => unknown): Promise<void>;
}

const tests: { name: string; run: (t: StepContext) => unknown }[] = [];
const context: StepContext = {
  async step(_name, run) {
    await run();
  },
};

Object.defineProperty(globalThis, "Deno", {
  value: {
    test(name: string, run: (t: StepContext) => unknown) {
      tests.push({ name, run });
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
