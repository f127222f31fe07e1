import assert from "node:assert/strict";
import fs from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { inTempDir } from "../support/sync_machine.ts";
import { KNOWN_FILES } from "./known_files.ts";
import { type Job, type KnownFile, planJobs, runJobs, testFiles } from "./schedule.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

Deno.test("testFiles finds what Deno would, once, and what is named", () =>
  inTempDir((dir) => {
    fs.mkdirSync(`${dir}/tests/a/client`, { recursive: true });
    fs.mkdirSync(`${dir}/tests/client`);
    const names = ["a/x_test.ts", "a/test.js", "a/y.test.mts", "a/client/z_test.ts", "b_test.ts"];
    for (const name of [...names, "client/c_test.ts", "a/latest.ts", "a/test_x.ts"]) {
      fs.writeFileSync(`${dir}/tests/${name}`, "");
    }
    const found = names.map((name) => `tests/${name}`).sort();
    assert.deepEqual(testFiles(dir, [`${dir}/tests`], ["tests/client"]), found);
    assert.deepEqual(
      testFiles(dir, [`${dir}/tests/a/latest.ts`, `${dir}/tests/a/client`, `${dir}/tests/a/`]),
      [...found.filter((path) => path.startsWith("tests/a/")), "tests/a/latest.ts"].sort(),
    );
    return Promise.resolve();
  }));

Deno.test("every file of the table is a test", () => {
  const files = new Set(testFiles(ROOT, [`${ROOT}tests`]));
  for (const path of Object.keys(KNOWN_FILES)) assert.ok(files.has(path), `${path} is no test`);
});

Deno.test("planJobs gives each file to one job: long ones first, the ones to be alone last", () => {
  const known: Record<string, KnownFile> = {
    "50": { seconds: 50 },
    "9": { seconds: 9 },
    "alone": { seconds: 70, alone: "a reason" },
    "alone too": { alone: "a reason" },
  };
  const names = ["50", "9", "alone", "alone too", ..."abcdefghijklmnopqrstuvwxyz"];
  fc.assert(
    fc.property(
      fc.subarray(names),
      fc.integer({ min: 1, max: 9 }),
      (files, workers) => {
        const jobs = planJobs(files, known, workers);
        assert.deepEqual(jobs.flatMap((job) => job.files).sort(), [...files].sort());
        const beside = jobs.filter((job) => !job.isAlone);
        for (const [index, job] of beside.entries()) {
          assert.ok(job.files.length > 0 && job.files.length <= 8);
          assert.ok(job.seconds >= (beside[index + 1]?.seconds ?? 0));
          assert.ok(job.files.length === 1 || !job.files.some((file) => file in known));
        }
        const alone = files.filter((file) => file.startsWith("alone"));
        const last = jobs.filter((job) => job.isAlone).map((job) => job.files);
        assert.deepEqual(last, alone.length === 0 ? [] : [alone]);
        assert.equal(jobs.at(-1)?.isAlone ?? false, alone.length > 0);
        const short = files.filter((file) => file.length === 1 && file !== "9").length;
        assert.ok(beside.length >= Math.min(short, workers) / 2, "there is work for the workers");
      },
    ),
  );
});

Deno.test("runJobs keeps workers busy, and the machine free for who needs it", async () => {
  const job = (name: string, isAlone = false): Job => ({ files: [name], seconds: 1, isAlone });
  const jobs = [job("a"), job("b"), job("c"), job("d"), job("x", true), job("y", true)];
  const begun: string[] = [];
  let now = 0;
  let most = 0;
  await runJobs(jobs, 3, async ({ files, isAlone }) => {
    begun.push(files[0]!);
    most = Math.max(most, ++now);
    if (isAlone) assert.equal(now, 1);
    await Promise.resolve();
    now--;
  });
  assert.deepEqual([begun.join(""), most], ["abcdxy", 3]);
  await assert.rejects(runJobs(jobs, 2, () => Promise.reject(new Error("no Deno"))), /no Deno/);
});
