import assert from "node:assert/strict";
import fc from "fast-check";
import {
  displayWidth,
  fitColumns,
  tableLines,
  TERMINAL_GRAPHEMES_MAX,
  terminalText,
} from "../../src/cli/terminal_text.ts";

const HOSTILE = [
  ["ESC sequence", "\x1b[31mred", "\u{fffd}[31mred"],
  ["C1 CSI", "\x9b31mred", "\u{fffd}31mred"],
  ["OSC 8 link", "\x1b]8;;http://x\x07y", "\u{fffd}]8;;http://x\u{fffd}y"],
  ["backspace and carriage return", "a\bb\rc", "a\u{fffd}b\u{fffd}c"],
  ["newline and tab", "a\nb\tc", "a\u{fffd}b\u{fffd}c"],
  ["DEL", "a\x7f", "a\u{fffd}"],
  ["bidi override", "a\u{202e}b\u{2066}c\u{061c}", "a\u{fffd}b\u{fffd}c\u{fffd}"],
  ["zero width", "a\u{200b}b\u{feff}c\u{200d}", "a\u{fffd}b\u{fffd}c\u{fffd}"],
  ["tag characters", "a\u{e0041}\u{e007f}", "a\u{fffd}\u{fffd}"],
  ["lone surrogate", "a\ud800b", "a\u{fffd}b"],
  ["line separators", "a\u{2028}b\u{2029}", "a\u{fffd}b\u{fffd}"],
  ["ordinary text", "Grüße, 日本語 👍 é", "Grüße, 日本語 👍 é"],
] as const;

for (const [name, text, expected] of HOSTILE) {
  Deno.test(`terminalText makes this harmless: ${name}`, () => {
    assert.equal(terminalText(text), expected);
  });
}

Deno.test("terminalText leaves nothing that a terminal could obey", () => {
  const unsafe = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 400 }), (text) => {
    const shown = terminalText(text);
    assert.ok(!unsafe.test(shown));
    assert.equal(terminalText(shown), shown, "twice is the same as once");
  }));
});

Deno.test("terminalText keeps 200 graphemes and cuts 201", () => {
  const exact = "é".repeat(TERMINAL_GRAPHEMES_MAX);
  assert.equal(terminalText(exact), exact);
  assert.equal(terminalText(`${exact}x`), `${"é".repeat(TERMINAL_GRAPHEMES_MAX - 1)}…`);
  assert.ok(terminalText("a".repeat(10_000_000)).length <= TERMINAL_GRAPHEMES_MAX);
  assert.ok(terminalText("e" + "\u{301}".repeat(1_000_000)).length < 20_000);
});

Deno.test("displayWidth counts columns", () => {
  assert.equal(displayWidth("abc"), 3);
  assert.equal(displayWidth("日本"), 4);
  assert.equal(displayWidth("é"), 1);
  assert.equal(displayWidth("👍"), 2);
  assert.equal(displayWidth("…✓"), 2);
});

Deno.test("fitColumns gives exactly the columns asked for", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "grapheme", maxLength: 30 }).map((text) => terminalText(text)),
      fc.integer({ min: 1, max: 40 }),
      (text, columns) => assert.equal(displayWidth(fitColumns(text, columns)), columns),
    ),
  );
});

Deno.test("tableLines aligns by display width and cuts the flexible column", () => {
  assert.deepEqual(tableLines([["a", "日本", "x"], ["bb", "c", "y"]]), [
    "a   日本  x",
    "bb  c     y",
  ]);
  const cut = tableLines([["a", "a long title that does not fit", "z"]], 1, 20);
  assert.deepEqual(cut, ["a  a long title …  z"]);
});
