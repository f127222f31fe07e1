import assert from "node:assert/strict";
import { type OutputStyle, printAnswer } from "../../src/cli/output.ts";
import type { Streams } from "../../src/cli/world.ts";

function printed(json: Readonly<Record<string, unknown>>) {
  const [parts, lines]: [string[], string[]] = [[], []];
  const streams = {
    out: (text: string) => void lines.push(text),
    outPart: (text: string) => void parts.push(text),
    err: () => {},
  } as unknown as Streams;
  const style: OutputStyle = {
    command: "list",
    json: true,
    quiet: false,
    verbose: false,
    paint: (_look, text) => text,
    memory: { passed: () => {} },
  };
  assert.equal(printAnswer(streams, style, { json }), 0);
  assert.equal(lines.length, 1);
  return { parts, text: parts.join("") + lines.join("") };
}

const NASTY = '\u202e \u{e0001} \u2028 \x9b31m "quoted" \\';

const CASES: readonly { readonly name: string; readonly fields: Record<string, unknown> }[] = [
  { name: "nothing", fields: {} },
  { name: "empty lists", fields: { a: [], b: [[]], c: {} } },
  { name: "what JSON has no word for", fields: { a: undefined, b: [undefined, null], c: NaN } },
  { name: "text that would steer a terminal", fields: { a: NASTY, b: [NASTY, { c: NASTY }] } },
];

for (const { name, fields } of CASES) {
  Deno.test(`an answer in JSON is what JSON.stringify gives: ${name}`, () => {
    const whole = { schema: 1, command: "list", ok: true, ...fields };
    const { text, parts } = printed(fields);
    assert.equal(JSON.stringify(JSON.parse(text)), JSON.stringify(whole));
    assert.deepEqual(parts, []);
    assert.doesNotMatch(text, /[\x7f-\x9f\p{Cf}\p{Zl}\p{Zp}]/u);
  });
}

Deno.test("a long list in JSON is written in parts that are together what it is", () => {
  const sessions = Array.from({ length: 20_000 }, (_, index) => ({ id: index, title: NASTY }));
  const { text, parts } = printed({ sessions, after: 1 });
  assert.ok(parts.length > 10 && parts.every(({ length }) => length < 200_000));
  assert.deepEqual(JSON.parse(text), { schema: 1, command: "list", ok: true, sessions, after: 1 });
});
