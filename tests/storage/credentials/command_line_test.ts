import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { splitCommandLine } from "../../../src/storage/credentials/command_line.ts";

const POSIX: readonly (readonly [command: string, expected: string[] | null])[] = [
  ["aws-vault exec work", ["aws-vault", "exec", "work"]],
  ["  /opt/a  b\t c ", ["/opt/a", "b", "c"]],
  [`'/opt/my tool' --x="a b" c\\ d`, ["/opt/my tool", "--x=a b", "c d"]],
  [`a '' ""`, ["a", "", ""]],
  [`a 'b'"c"d`, ["a", "bcd"]],
  [`a "b\\"c\\\\d\\n"`, ["a", `b"c\\d\\n`]],
  [`a 'b\\'`, ["a", "b\\"]],
  ["a $HOME ~ `id` $(id) | b > c; d & e *", [
    ...["a", "$HOME", "~", "`id`", "$(id)", "|", "b", ">", "c;", "d", "&", "e", "*"],
  ]],
  ["a 'b", null],
  [`a "b`, null],
  ["a \\", null],
  ["", null],
  ["   ", null],
  ["''", null],
];

/** The examples of Microsoft's page on parsing arguments, and more. */
const WINDOWS: readonly (readonly [command: string, expected: string[] | null])[] = [
  [`p "abc" d e`, ["p", "abc", "d", "e"]],
  [`p a\\\\b d"e f"g h`, ["p", "a\\\\b", "de fg", "h"]],
  [`p a\\\\\\"b c d`, ["p", `a\\"b`, "c", "d"]],
  [`p a\\\\\\\\"b c" d e`, ["p", "a\\\\b c", "d", "e"]],
  [`p a"b"" c d"`, ["p", `ab" c d`]],
  [`"C:\\Program Files\\tool\\t.exe" --a 'b c'`, [
    ...["C:\\Program Files\\tool\\t.exe", "--a", "'b", "c'"],
  ]],
  [`C:\\t.exe "a\\\\" b`, ["C:\\t.exe", "a\\", "b"]],
  [`p "" x`, ["p", "", "x"]],
  [`p "b`, null],
  ["", null],
];

Deno.test("splitCommandLine splits as the user's system quotes", async (t) => {
  for (const [command, expected] of POSIX) {
    await t.step(`posix ${command}`, () => {
      assert.deepEqual(splitCommandLine(command, "linux"), expected);
      assert.deepEqual(splitCommandLine(command, "darwin"), expected);
    });
  }
  for (const [command, expected] of WINDOWS) {
    await t.step(`windows ${command}`, () => {
      assert.deepEqual(splitCommandLine(command, "windows"), expected);
    });
  }
});

Deno.test("splitCommandLine finds the words that a real shell finds", () => {
  const quoted = fc.string().filter((word) => !/[\0\n\r]/.test(word)).map((word) =>
    `'${word.replaceAll("'", `'\\''`)}'`
  );
  const doubled = fc.stringMatching(/^[ -~]{0,8}$/).map((word) =>
    `"${word.replaceAll(/[\\"$`]/g, (c) => (c === "\\" || c === '"' ? `\\${c}` : "_"))}"`
  );
  const word = fc.oneof(quoted, doubled, fc.stringMatching(/^[a-z0-9=/:.-]{1,8}$/));
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 5 }), (words) => {
      const command = ["p", ...words].join(" ");
      const shell = spawnSync("sh", ["-c", `printf '%s\\0' ${command}`], { encoding: "utf8" });
      assert.deepEqual(splitCommandLine(command, "linux"), shell.stdout.split("\0").slice(0, -1));
    }),
    { numRuns: 60 },
  );
});
