import assert from "node:assert/strict";
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
