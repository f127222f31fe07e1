import assert from "node:assert/strict";
import fc from "fast-check";
import { nodePlatform } from "../../src/platform/node.ts";
import { openStateDb } from "../../src/sync/state_db.ts";
import { DAY_MS, WatchedDays } from "../../src/sync/watched_days.ts";

const START_MS = Date.UTC(2026, 0, 1);

function withDays(work: (days: WatchedDays) => void): void {
  const database = openStateDb(nodePlatform().fs, ":memory:", "reader");
  try {
    work(new WatchedDays(database));
  } finally {
    database.close();
  }
}

Deno.test("a day counts once, and 24 hours after the last that counted", () =>
  withDays((days) => {
    days.watch("a", START_MS);
    const counted = [1, DAY_MS - 1, DAY_MS, DAY_MS + 1, 2 * DAY_MS - 1, 5 * DAY_MS, 6 * DAY_MS]
      .map((afterMs) => {
        days.count(START_MS + afterMs);
        days.watch("a", START_MS + afterMs);
        return days.days("a");
      });
    assert.deepEqual(counted, [0, 0, 1, 1, 1, 2, 3]);
    days.end("a");
    assert.equal(days.days("a"), null);
  }));

Deno.test("a clock that was far ahead begins the counting anew, a step back does not", () =>
  withDays((days) => {
    days.watch("a", START_MS);
    for (let day = 1; day <= 3; day++) days.count(START_MS + day * DAY_MS);
    days.count(START_MS + 3 * DAY_MS - 1_000);
    assert.equal(days.days("a"), 3);
    days.count(START_MS + 400 * DAY_MS);
    assert.equal(days.days("a"), 4);
    days.count(START_MS + 3 * DAY_MS);
    assert.equal(days.days("a"), 0);
    days.count(START_MS + 4 * DAY_MS);
    assert.equal(days.days("a"), 1);
  }));

Deno.test("a clock that is wrong for a while takes away one day at most", () => {
  const world = fc.record({
    passedMs: fc.array(fc.nat(3 * DAY_MS), { minLength: 1, maxLength: 40 }),
    errorMs: fc.integer({ min: -30 * DAY_MS, max: 30 * DAY_MS }),
    from: fc.nat(40),
    until: fc.nat(40),
  });
  fc.assert(fc.property(world, ({ passedMs, errorMs, from, until }) =>
    withDays((days) => {
      let realMs = START_MS;
      days.watch("a", realMs);
      for (const [at, ms] of passedMs.entries()) {
        realMs += ms;
        days.count(realMs + (at >= from && at < until ? errorMs : 0));
        const counted = days.days("a")!;
        assert.ok(counted <= (realMs - START_MS) / DAY_MS + 1, `${counted} days`);
      }
    })));
});
