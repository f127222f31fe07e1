import assert from "node:assert/strict";
import { absolutePath, pathBelow } from "../../src/sessions/local_path.ts";

Deno.test("absolutePath is absolute, normal and without a trailing separator", () => {
  const cases = [
    ["linux", "/w", "a/../b/", "/w/b"],
    ["linux", "/w", "/x//y/.", "/x/y"],
    ["linux", "/w", "/", "/"],
    ["linux", "/w", "..", "/"],
    ["windows", "C:\\w", "a/b/", "C:\\w\\a\\b"],
    ["windows", "C:\\w", "D:/x/", "D:\\x"],
    ["windows", "C:\\w", "D:\\", "D:\\"],
  ] as const;
  for (const [os, base, path, expected] of cases) {
    assert.equal(absolutePath(os, base, path), expected, path);
  }
});

Deno.test("pathBelow keeps to whole folder names", () => {
  const cases = [
    ["linux", "/home/al", "/home/al", ""],
    ["linux", "/home/al", "/home/al/x/y", "x/y"],
    ["linux", "/home/al", "/home/alice", null],
    ["linux", "/home/al", "/home/AL/x", null],
    ["linux", "/", "/x", "x"],
    ["linux", "/a/b", "/a", null],
    ["windows", "C:\\Users\\Bob", "c:\\users\\bob\\src\\x", "src/x"],
    ["windows", "C:\\", "C:\\x", "x"],
    ["windows", "C:\\a", "D:\\a\\x", null],
  ] as const;
  for (const [os, parent, path, expected] of cases) {
    assert.equal(pathBelow(os, parent, path), expected, path);
  }
});
