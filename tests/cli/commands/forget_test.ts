import assert from "node:assert/strict";
import type { ForgetRequest, ForgetResult } from "../../../src/sync/forget_api.ts";
import { run } from "../stand_in.ts";

const ID = "3f2a0000-0000-4000-8000-000000000001";

const RESULT: ForgetResult = {
  sessions: [{
    id: ID,
    of: null,
    title: "Rate \x1b[2Jlimit",
    project: "api",
    lastActivityMs: 1,
    sizeBytes: 593,
    machines: ["desk\x1b[31m"],
    isHere: true,
  }],
  otherFiles: 0,
  already: [],
  project: null,
  sizeBytes: 593,
  failures: [],
  dryRun: false,
  requests: 2,
  ms: 40,
};

/** Runs `forget ARGS`; gives what was asked of the use case, too. */
async function forget(args: readonly string[], result: Partial<ForgetResult> = {}) {
  const asked: ForgetRequest[] = [];
  const outcome = await run(["forget", ...args], {
    forget: (_, request) => {
      asked.push(request);
      return Promise.resolve({ ...RESULT, ...result, dryRun: request.dryRun });
    },
  });
  return { ...outcome, asked };
}

Deno.test("forget looks first, and then forgets exactly what it has shown", async () => {
  const { exit, out, asked } = await forget(["3f2a", "--yes"]);
  assert.equal(exit, 0);
  assert.deepEqual(asked.map(({ dryRun, only, queries }) => [dryRun, only, queries]), [
    [true, null, ["3f2a"]],
    [false, [{ id: ID, lastActivityMs: 1, sizeBytes: 593 }], ["3f2a"]],
  ]);
  assert.match(out, /^Forgot 1 session, 593 B/);
  assert.match(out, /restore 3f2a0000/);
});

Deno.test("forget does nothing when nobody can answer, and with --dry-run", async () => {
  const mute = await forget(["3f2a"]);
  assert.deepEqual([mute.exit, mute.asked.map(({ dryRun }) => dryRun)], [2, [true]]);
  assert.ok(!mute.err.includes("\x1b["), "titles and names are safe for a terminal");
  const typed = await forget(["--before", "90d"], { project: null });
  assert.deepEqual([typed.exit, typed.asked.length], [2, 1]);
  assert.match(typed.err, /type the number of sessions \(1\)/);
  const dry = await forget(["3f2a", "--dry-run", "--yes"]);
  assert.deepEqual([dry.exit, dry.asked.map(({ dryRun }) => dryRun)], [0, [true]]);
  assert.match(dry.out, /nothing was written/);
});

Deno.test("forget ends with 3 when an open session stays, and says which", async () => {
  const message = `Session ${ID} is open in Claude Code here`;
  const failures = [{ sessionId: ID, path: null, code: "busy", message }];
  const { exit, err } = await forget(["--before", "2026-01-15", "--yes"], { failures });
  assert.equal(exit, 3);
  assert.match(err, /is open in Claude Code/);
  const none = await forget(["--project", "api"], { failures, sessions: [], sizeBytes: 0 });
  assert.deepEqual([none.exit, none.out], [3, ""], "it fits, and stays");
});

Deno.test("forget refuses times that are none", async () => {
  for (const time of ["yesterday", "2026-02-30", "90", ""]) {
    const { exit, asked } = await forget(["--before", time]);
    assert.deepEqual([exit, asked.length], [2, 0], time);
  }
});
