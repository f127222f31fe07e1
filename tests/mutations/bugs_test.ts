import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { DELIBERATE_BUGS } from "./bugs.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

Deno.test("each deliberate bug can be made: its line stands in the source once", () => {
  assert(DELIBERATE_BUGS.length >= 10);
  for (const { name, file, right, wrong, tests } of DELIBERATE_BUGS) {
    const parts = readFileSync(`${ROOT}${file}`, "utf8").split(right);
    assert.equal(parts.length, 2, `${name}: "${right}" in ${file}`);
    assert(!wrong.includes(right), name);
    for (const path of tests) assert(existsSync(`${ROOT}${path}`), `${name}: ${path}`);
  }
});
