import assert from "node:assert/strict";
import { CONSEQUENCES, errorJson, errorLines, reportOf } from "../../src/cli/error_report.ts";
import { EXIT_TEXTS } from "../../src/cli/help_globals.ts";
import { ClaudeSyncError, type ErrorCode } from "../../src/errors.ts";

const DOCUMENTED: Readonly<Partial<Record<ErrorCode, number>>> = {
  "usage": 2,
  "partial": 3,
  "store-refused": 4,
  "store-unreachable": 5,
  "not-set-up": 10,
  "no-vault": 10,
  "busy": 11,
  "wrong-key": 12,
  "damaged": 13,
  "rolled-back": 13,
  "forked": 13,
  "incomplete": 13,
  "bug": 70,
  "interrupted": 130,
};

Deno.test("CONSEQUENCES has the documented exit codes, and help explains every one", () => {
  for (const [code, exit] of Object.entries(DOCUMENTED)) {
    assert.equal(CONSEQUENCES[code as ErrorCode].exit, exit, code);
  }
  for (const [code, { exit }] of Object.entries(CONSEQUENCES)) {
    assert.ok(EXIT_TEXTS[exit] !== undefined, code);
  }
});

Deno.test("reportOf prefers the error's own hint and adds its place", () => {
  const error = new ClaudeSyncError("local-io", "Cannot read it", {
    path: "/x/\x1b[2J",
    hint: "Do this",
    cause: Object.assign(new Error("EACCES: permission denied"), { code: "EACCES" }),
  });
  assert.deepEqual(errorLines(reportOf(error), false), [
    "error: cannot read it   [local-io]",
    "  what  /x/\u{fffd}[2J",
    "  why   EACCES: permission denied",
    "  fix   Do this",
  ]);
  assert.deepEqual(errorJson(reportOf(error)), {
    code: "local-io",
    message: "Cannot read it",
    hint: "Do this",
    exit: 1,
  });
});

Deno.test("reportOf never repeats what a parser read", () => {
  const cause = new SyntaxError(`Unexpected token in "s3cret"`);
  const lines = errorLines(reportOf(new ClaudeSyncError("malformed-file", "x", { cause })), true);
  assert.ok(!lines.join("\n").includes("s3cret"));
});

Deno.test("reportOf takes anything else for a bug, its stack only on demand", () => {
  for (const thrown of [new TypeError("boom"), "boom", null, undefined, { code: "usage" }]) {
    const report = reportOf(thrown);
    assert.equal(report.exit, 70);
    assert.match(errorLines(report, false).join("\n"), /report it: https:/);
  }
  const report = reportOf(new TypeError("boom"));
  assert.ok(!errorLines(report, false).join("\n").includes("    at "));
  assert.ok(errorLines(report, true).join("\n").includes("    at "));
});

Deno.test("reportOf ends with a chain of causes that never ends", () => {
  const error = new ClaudeSyncError("damaged", "One");
  Object.defineProperty(error, "cause", { value: error });
  assert.equal(reportOf(error).exit, 13);
});
