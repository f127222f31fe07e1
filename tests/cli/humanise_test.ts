import assert from "node:assert/strict";
import { agoText, bytesText, countText, durationText, numberText } from "../../src/cli/humanise.ts";

Deno.test("bytesText counts in thousands and rounds up into the next unit", () => {
  const cases: [number, string][] = [
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [9949, "9.9 kB"],
    [9950, "10 kB"],
    [118_000, "118 kB"],
    [999_499, "999 kB"],
    [999_500, "1.0 MB"],
    [1.2e6, "1.2 MB"],
    [105e6, "105 MB"],
    [3.4e9, "3.4 GB"],
    [5e15, "5000 TB"],
  ];
  for (const [bytes, text] of cases) assert.equal(bytesText(bytes), text);
});

Deno.test("durationText gets coarser as time goes by", () => {
  const cases: [number, string][] = [
    [0, "0.00 s"],
    [-5, "0.00 s"],
    [208, "0.21 s"],
    [9994, "9.99 s"],
    [9995, "10.0 s"],
    [59_949, "59.9 s"],
    [60_000, "1 min 0 s"],
    [3_599_000, "59 min 59 s"],
    [7_260_000, "2 h 1 min"],
  ];
  for (const [ms, text] of cases) assert.equal(durationText(ms), text);
});

Deno.test("agoText reads like people speak, also with a clock that went back", () => {
  const now = 1_000_000_000;
  const cases: [number, string][] = [
    [-60_000, "just now"],
    [1999, "just now"],
    [40_000, "40 s ago"],
    [120_000, "2 min ago"],
    [47 * 3_600_000, "47 h ago"],
    [48 * 3_600_000, "2 days ago"],
  ];
  for (const [ago, text] of cases) assert.equal(agoText(now - ago, now), text);
});

Deno.test("countText and numberText group thousands and know one", () => {
  assert.equal(numberText(1204), "1,204");
  assert.equal(numberText(1_234_567), "1,234,567");
  assert.equal(countText(1, "session"), "1 session");
  assert.equal(countText(0, "session"), "0 sessions");
  assert.equal(countText(2, "entry", "entries"), "2 entries");
});
