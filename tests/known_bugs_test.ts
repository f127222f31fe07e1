import assert from "node:assert/strict";
import fs from "node:fs";
import { KNOWN_BUGS } from "./checks/known_bugs.ts";

/** Whether a test whose name begins with `name` is defined in the text of its file. */
function definesTest(text: string, name: string): boolean {
  const at = text.indexOf(`"${name}`);
  if (at === -1 || text.indexOf(`"${name}`, at + 1) !== -1) return false;
  return /(Deno\.test\(|name:)\s*$/.test(text.slice(0, at));
}

Deno.test("every bug that is known from elsewhere has its named tests", () => {
  const missing = KNOWN_BUGS.flatMap(({ bug, tests }) =>
    tests.filter(([file, name]) => {
      const path = new URL(file, import.meta.url);
      return !fs.existsSync(path) || !definesTest(fs.readFileSync(path, "utf8"), name);
    }).map(([file, name]) => `${bug}: tests/${file} has no one test "${name}…"`)
  );
  assert.equal(missing.length, 0, `\n${missing.join("\n")}\n`);
  assert(KNOWN_BUGS.length > 40 && KNOWN_BUGS.every(({ tests }) => tests.length > 0));
  assert.equal(new Set(KNOWN_BUGS.map(({ bug }) => bug)).size, KNOWN_BUGS.length);
});

Deno.test("definesTest finds a test and nothing that only has its words", () => {
  assert(definesTest('Deno.test("a b", () => {});', "a"));
  assert(definesTest('Deno.test({\n  name: "a b",\n});', "a b"));
  assert(!definesTest('const x = "a b";', "a b"));
  assert(!definesTest('Deno.test("a b");\nDeno.test("a c");', "a"));
});
