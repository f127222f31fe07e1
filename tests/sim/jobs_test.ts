import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { reportsOf } from "./jobs.ts";
import { Report } from "./report.ts";
import { Simulator } from "./simulate.ts";

const MAIN = new URL("main.ts", import.meta.url).href;
const SEEDS = [5, 1, 4, 2];

Deno.test("processes give the same reports as one does, in the order of the seeds", async () => {
  const here = new Report(0);
  const simulator = new Simulator();
  try {
    for (const seed of SEEDS) here.merge(await simulator.run(seed));
  } finally {
    simulator.close();
  }
  const there = new Report(0);
  const order: number[] = [];
  for await (const report of reportsOf(SEEDS, 2, MAIN)) {
    order.push(report.seed);
    there.merge(report);
  }
  assert.deepEqual(order, SEEDS);
  assert.equal(there.text(), here.text());
  assert.equal(there.traceHash(), here.traceHash());
});

Deno.test("a report that was copied is the same, violations and all", () => {
  const report = new Report(7);
  report.operation("push");
  report.event("append");
  report.fault("delay");
  report.alarm("forked");
  report.count("objects", 3);
  report.violation("kept", "something is gone");
  const copied = Report.from(JSON.parse(JSON.stringify(report.copy())));
  assert.equal(copied.text(), report.text());
  assert.equal(copied.traceHash(), report.traceHash());
  assert.deepEqual(copied.violations, report.violations);
});

Deno.test({
  name: "a process that ends by itself is no silent lack of reports",
  // The runtime closes the pipe to a process that has gone in its own time.
  sanitizeResources: false,
  async fn() {
    const dir = mkdtempSync(join(tmpdir(), "claude-sync-test-"));
    try {
      const main = join(dir, "main.js");
      writeFileSync(main, "process.exit(0);\n");
      const first = reportsOf([1, 2], 2, pathToFileURL(main).href).next();
      await assert.rejects(first, /seed 1 has ended/);
    } finally {
      rmSync(dir, { recursive: true });
    }
  },
});

Deno.test("whoever has seen enough may leave", async () => {
  const endless = function* () {
    for (let seed = 1;; seed++) yield seed;
  };
  const seen: number[] = [];
  for await (const { seed } of reportsOf(endless(), 2, MAIN)) {
    seen.push(seed);
    if (seen.length === 3) break;
  }
  assert.deepEqual(seen, [1, 2, 3]);
});
