import assert from "node:assert/strict";
import fc from "fast-check";
import { parseIni } from "../../../../src/storage/s3/credentials/ini.ts";

function plain(text: string): Record<string, Record<string, string>> {
  return Object.fromEntries([...parseIni(text)].map(([n, s]) => [n, Object.fromEntries(s)]));
}

const CASES: readonly (readonly [name: string, text: string, expected: object])[] = [
  ["settings of a section", "[a]\nx = 1\ny=2\n", { a: { x: "1", y: "2" } }],
  ["names in capitals", "[a]\nAWS_Access_Key_Id = X", { a: { aws_access_key_id: "X" } }],
  ["names of sections as they are", "[Work]\nx=1", { Work: { x: "1" } }],
  ["a colon in place of the sign", "[a]\nx: 1\nurl: http://h:1", {
    a: { x: "1", url: "http://h:1" },
  }],
  ["more signs in a value", "[a]\nx = a=b==", { a: { x: "a=b==" } }],
  ["line ends of Windows and old Macs", "[a]\r\nx=1\r\n[b]\ry=2", { a: { x: "1" }, b: { y: "2" } }],
  ["comments on lines of their own", "# c\n; d\n[a]\n#x=1\n  ; y=2\nz=3", { a: { z: "3" } }],
  ["comments after a space", "[a] # c\nx = 1 # c\ny = 2 ;c\nz = 3#4;5", {
    a: { x: "1", y: "2", z: "3#4;5" },
  }],
  ["spaces in brackets", "[ profile   a  b ]\nx=1", { "profile a b": { x: "1" } }],
  ["one section in two places", "[a]\nx=1\ny=1\n[b]\n[a]\nx=2", { a: { x: "2", y: "1" }, b: {} }],
  ["a nested group", "[a]\ns3 =\n  x = 1\n  y = 2\nz = 3", {
    a: { "s3.x": "1", "s3.y": "2", z: "3" },
  }],
  ["two nested groups", "[s]\ns3 =\n\tendpoint_url = e\nsts=\n  endpoint_url = f", {
    s: { "s3.endpoint_url": "e", "sts.endpoint_url": "f" },
  }],
  ["a group that ends with its section", "[a]\ns3 =\n[b]\n  x = 1", { a: {}, b: { x: "1" } }],
  ["settings indented for nothing", "[a]\n  x = 1\n   y = 2", { a: { x: "1", y: "2" } }],
  ["settings before any section", "x = 1\n[a]", { a: {} }],
  ["what is no setting", "[a]\njust text\n= 1\n[unclosed\nx = 1", { a: { x: "1" } }],
  ["a name that objects have already", "[__proto__]\nconstructor = 1\n[a]\n__proto__=2", {
    ["__proto__"]: { constructor: "1" },
    a: { ["__proto__"]: "2" },
  }],
  ["a comment with a line end of Unicode's", "[a]\nx = 1 # y\u2028z", { a: { x: "1" } }],
  ["nothing", "", {}],
];

Deno.test("parseIni reads AWS's files with their quirks", async (t) => {
  for (const [name, text, expected] of CASES) {
    await t.step(name, () => assert.deepEqual(plain(text), expected));
  }
});

Deno.test("parseIni takes any text, and gives trimmed lines without line ends", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    for (const [name, section] of parseIni(text)) {
      for (const part of [name, ...section.keys(), ...section.values()]) {
        assert.doesNotMatch(part, /[\r\n]|^\s|\s$/);
      }
    }
  }));
});

Deno.test("parseIni is done with four MiB of the worst in no time", () => {
  const size = 4 * 1024 * 1024;
  for (const text of [" ", "a ", "[", "=", "[a]\nx = ", "\t#", "a".padEnd(99) + "\n"]) {
    const startMs = performance.now();
    parseIni("[a]\n" + text.repeat(size / text.length));
    // A line of Unicode's ends no line of such a file.
    parseIni("[a]\n" + text.repeat(size / text.length) + "\u2028");
    assert(performance.now() - startMs < 3_000, `${JSON.stringify(text)} takes too long`);
  }
});
