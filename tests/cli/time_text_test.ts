import assert from "node:assert/strict";
import { parseTime, timeText } from "../../src/cli/time_text.ts";

const NOW = Date.UTC(2026, 0, 20, 12);
const local = (...parts: [number, number, number, number?, number?, number?, number?]) =>
  new Date(...parts).getTime();

const cases: [text: string, first: number | null, last: number | null][] = [
  ["2026-01-15", local(2026, 0, 15), local(2026, 0, 16) - 1],
  ["2026-01-15 12:30", local(2026, 0, 15, 12, 30), local(2026, 0, 15, 12, 30, 59, 999)],
  ["2026-01-15T12:30:05", local(2026, 0, 15, 12, 30, 5), local(2026, 0, 15, 12, 30, 5, 999)],
  [
    "2026-01-15 12:30:05.25",
    local(2026, 0, 15, 12, 30, 5, 250),
    local(2026, 0, 15, 12, 30, 5, 250),
  ],
  ["2026-01-15T12:30Z", Date.UTC(2026, 0, 15, 12, 30), Date.UTC(2026, 0, 15, 12, 30, 59, 999)],
  [
    "2026-01-15T12:30:00+02:00",
    Date.UTC(2026, 0, 15, 10, 30),
    Date.UTC(2026, 0, 15, 10, 30, 0, 999),
  ],
  ["2026-01-15T12:30:00-02:30", Date.UTC(2026, 0, 15, 15), Date.UTC(2026, 0, 15, 15, 0, 0, 999)],
  ["90m", NOW - 5_400_000, NOW - 5_400_000],
  ["2d", NOW - 2 * 86_400_000, NOW - 2 * 86_400_000],
  [" 1w ", NOW - 7 * 86_400_000, NOW - 7 * 86_400_000],
  ["100000d", NOW - 1e5 * 86_400_000, NOW - 1e5 * 86_400_000],
  ["100001d", null, null],
  ["2024-02-29", local(2024, 1, 29), local(2024, 2, 1) - 1],
  ["2026-02-29", null, null],
  ["2026-13-01", null, null],
  ["2026-00-10", null, null],
  ["2026-01-15 24:00", null, null],
  ["yesterday", null, null],
  ["2d ago", null, null],
  ["", null, null],
];

for (const [text, first, last] of cases) {
  Deno.test(`parseTime() understands "${text}"`, () => {
    assert.equal(parseTime(text, NOW, "first"), first);
    assert.equal(parseTime(text, NOW, "last"), last);
  });
}

Deno.test("timeText() is read back by parseTime()", () => {
  for (const atMs of [0, NOW, NOW + 123]) {
    const read = parseTime(timeText(atMs), NOW, "first")!;
    assert.ok(atMs - read >= 0 && atMs - read < 1000, timeText(atMs));
  }
});
