import assert from "node:assert/strict";
import * as fc from "fast-check";
import { utf8 } from "../../src/base/bytes.ts";
import {
  GIVEN_TITLE_CHARS_MAX,
  MACHINE_CHARS_MAX,
  machineSuffix,
  suffixOf,
  TITLE_CHARS_MAX,
  titleAt,
} from "../../src/sessions/branch_title.ts";

function titleOfPrompt(content: string): string {
  const bytes = utf8(JSON.stringify({ type: "user", message: { content } }) + "\n");
  return titleAt(bytes, bytes.length);
}

Deno.test("titleAt cuts a prompt at 60 characters as people see them", () => {
  const kept = "x".repeat(TITLE_CHARS_MAX);
  assert.equal(titleOfPrompt(kept), kept);
  assert.equal(titleOfPrompt(kept + "y"), kept + "…");
  for (const one of ["e\u0301", "👍🏽", "👩‍🚀", "🇩🇪", "❤️"]) {
    assert.equal(titleOfPrompt(one.repeat(TITLE_CHARS_MAX)), one.repeat(TITLE_CHARS_MAX));
    assert.equal(
      titleOfPrompt(one.repeat(TITLE_CHARS_MAX + 1)),
      one.repeat(TITLE_CHARS_MAX) + "…",
    );
  }
});

Deno.test("titleAt cuts a given title at its own limit", () => {
  for (const extra of [0, 1]) {
    const customTitle = "x".repeat(GIVEN_TITLE_CHARS_MAX + extra);
    const bytes = utf8(JSON.stringify({ type: "custom-title", customTitle }) + "\n");
    const expected = "x".repeat(GIVEN_TITLE_CHARS_MAX) + (extra ? "…" : "");
    assert.equal(titleAt(bytes, bytes.length), expected);
  }
});

Deno.test("titleAt looks at nothing behind the record", () => {
  const prompt = JSON.stringify({ type: "user", message: { content: "one" } }) + "\n";
  const later = JSON.stringify({ type: "custom-title", customTitle: "two" }) + "\n";
  assert.equal(titleAt(utf8(prompt + later), 0), "one");
});

Deno.test("machineSuffix is one line, of limited length and found again", () => {
  const names = ["", "mbp", "a (b)", "x (from y)", "\u001b[31m\u2066\n", "é".repeat(99)];
  for (const name of names) {
    const suffix = machineSuffix(name);
    assert.match(suffix, /^ \(from [^()\p{Cc}\p{Cf}]+\)$/u);
    assert.ok(suffix.length <= MACHINE_CHARS_MAX + " (from …)".length);
    assert.equal(suffixOf(`T (from z)${suffix}`), suffix);
  }
  assert.equal(suffixOf("T"), null);
});

/** What `titleAt` does, said in one go and without a thought for how long a text is. */
function plainTitle(content: string): string {
  // deno-lint-ignore no-control-regex
  const unsafe = /[\0-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu;
  const line = content.replace(/\s+/gu, " ").replace(unsafe, "").trim();
  return line === "" ? "Untitled" : line;
}

Deno.test("titleAt makes one line of a prompt", () => {
  const unit = fc.constantFrom(
    ..." \t\n\u00a0\ufeff\u200b\u202e\u2028x\u00e9\u{1f468}\ud800\0\u0085",
  );
  fc.assert(fc.property(fc.array(unit, { maxLength: 50 }), (units) => {
    assert.equal(titleOfPrompt(units.join("")), plainTitle(units.join("")));
  }));
});

Deno.test("titleAt looks no further into a prompt than a title goes", () => {
  const startMs = performance.now();
  assert.equal(titleOfPrompt("x".repeat(2 ** 24)), `${"x".repeat(TITLE_CHARS_MAX)}…`);
  assert(performance.now() - startMs < 3_000, "it takes too long");
});

Deno.test("titleAt cuts what is piled up on one character", () => {
  const emoji = "👩🏽‍❤️‍💋‍👨🏽";
  assert.equal(titleOfPrompt(emoji.repeat(TITLE_CHARS_MAX)), emoji.repeat(TITLE_CHARS_MAX));
  const piled = titleOfPrompt("e" + "\u0301".repeat(100_000));
  assert(piled.length < 2_000 && piled.endsWith("…"));
});
