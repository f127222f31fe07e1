import assert from "node:assert/strict";
import fc from "fast-check";
import { parseGitConfig, remoteUrl } from "../../src/sessions/git_config.ts";

const url = (text: string) => remoteUrl(parseGitConfig(text));

Deno.test("remoteUrl reads origin, else the first remote", () => {
  const cases: readonly (readonly [string, string | null])[] = [
    ['[core]\n\tbare = false\n[remote "origin"]\n\turl = git@h:a/b\n', "git@h:a/b"],
    ['[remote "up"]\n\turl = one\n[remote "origin"]\n\turl = two\n', "two"],
    ['[remote "up"]\n\turl = one\n[remote "fork"]\n\turl = two\n', "one"],
    ['[REMOTE "origin"]\nURL=x', "x"],
    ['[remote "Origin"]\nurl=cased', "cased"],
    ["[remote.origin]\nurl=dotted", "dotted"],
    ['[remote "origin"] url = inline', "inline"],
    ['[remote "origin"]\n\turl = x ; comment', "x"],
    ['[remote "origin"]\n\turl = x#y', "x"],
    ['[remote "origin"]\n\turl = "x#y; z" # comment', "x#y; z"],
    ['[remote "origin"]\n\turl = C:\\\\src\\\\app', "C:\\src\\app"],
    ['[remote "origin"]\n\turl = lo\\\nng', "long"],
    ['[remote "origin"]\r\n\turl = crlf\r\n', "crlf"],
    ['\ufeff[remote "origin"]\nurl = bom', "bom"],
    ['[remote "origin"]\nurl = first\nurl = second', "first"],
    ['[remote "origin"]\nurl =\n[remote "b"]\nurl = b', "b"],
    ['[remote "origin"]\npushurl = p', null],
    ['[remote "or\\"i\\\\gin"]\nurl = odd', "odd"],
    ["[remote]\nurl = none", null],
    ['; [remote "origin"]\n# url = x', null],
    ["url = outside", null],
    ['[remote "origin"]\n\t# no \\\n\turl = after', "after"],
    ['[remote "origin"]\n\turl = a\\\n# b', "a"],
    ['[remote "origin"]\n\\\n  # no \\\n\turl = after', "after"],
    ["", null],
    ["\0\0garbage ][\n[[[", null],
  ];
  for (const [text, expected] of cases) assert.equal(url(text), expected, JSON.stringify(text));
});

Deno.test("parseGitConfig never throws", () => {
  const part = fc.oneof(
    fc.constantFrom("[", "]", '"', "\\", "\n", "=", "remote", "url", " ", "#"),
    fc.string(),
  );
  fc.assert(fc.property(fc.array(part), (parts) => void parseGitConfig(parts.join(""))));
});

Deno.test("parseGitConfig is done with a megabyte of the worst in no time", () => {
  for (const text of ["[a ", " ", "a\\\n", "\\\n", "[a]\n\\", '[a "', '"\\"', "a = ;", "[a]["]) {
    const startMs = performance.now();
    parseGitConfig(`[a${text.repeat(2 ** 20 / text.length)}x`);
    parseGitConfig(`[a]\n${text.repeat(2 ** 20 / text.length)}`);
    assert(performance.now() - startMs < 3_000, `${JSON.stringify(text)} takes too long`);
  }
});
