import assert from "node:assert/strict";
import type { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { nodePlatform } from "../../src/platform/node.ts";
import { openStateDb } from "../../src/sync/state_db.ts";
import { DAY_MS, FORGET_DAYS, ForgetDays, WatchedDays } from "../../src/sync/watched_days.ts";

const START_MS = Date.UTC(2026, 5, 1);
/** A clock whose battery is empty. */
const NEVER_SET_MS = Date.UTC(2000, 0, 1);

/** Something that is counted, beginning with the first look. */
interface Counted {
  /** A look at the vault: gives the days counted so far. */
  look(nowMs: number): number;
}

/** Both graces count by the same rule. */
const COUNTERS: readonly { name: string; begin: (database: DatabaseSync) => Counted }[] = [
  {
    name: "replaced objects",
    begin: (database) => ({
      look: (nowMs) => {
        const days = new WatchedDays(database);
        days.count(nowMs);
        days.watch("a", nowMs);
        return days.days("a")!;
      },
    }),
  },
  {
    name: "forgotten text",
    begin: (database) => {
      database.exec("INSERT INTO forget VALUES ('a', 'session', 'machine', 0)");
      return {
        look: (nowMs) => {
          const days = new ForgetDays(database);
          days.count(nowMs);
          return FORGET_DAYS - days.left("a");
        },
      };
    },
  },
];

function withEach(name: string, work: (withCounted: WithCounted) => void): void {
  for (const counter of COUNTERS) {
    Deno.test(`${name}: ${counter.name}`, () =>
      work((use) => {
        const database = openStateDb(nodePlatform().fs, ":memory:", "reader");
        try {
          use(counter.begin(database));
        } finally {
          database.close();
        }
      }));
  }
}

type WithCounted = (use: (counted: Counted) => void) => void;

withEach(
  "a day counts once, and 24 hours after the last that counted",
  (withCounted) =>
    withCounted(({ look }) => {
      assert.equal(look(START_MS), 0);
      const looks = [1, DAY_MS - 1, DAY_MS, DAY_MS + 1, 2 * DAY_MS - 1, 5 * DAY_MS, 6 * DAY_MS];
      assert.deepEqual(looks.map((afterMs) => look(START_MS + afterMs)), [0, 0, 1, 1, 1, 2, 3]);
    }),
);

withEach(
  "a clock that was ahead takes nothing away once it is right again",
  (withCounted) =>
    withCounted(({ look }) => {
      for (let day = 0; day <= 3; day++) look(START_MS + day * DAY_MS);
      assert.equal(look(START_MS + 400 * DAY_MS), 4, "while it is wrong nobody can tell");
      assert.equal(look(START_MS + 800 * DAY_MS), 5);
      assert.equal(look(START_MS + 3 * DAY_MS + 1), 3, "days that have not been do not count");
      assert.equal(look(START_MS + 4 * DAY_MS), 4, "and it goes on");
    }),
);

withEach(
  "a clock that is never set at first counts for nothing",
  (withCounted) =>
    withCounted(({ look }) => {
      look(NEVER_SET_MS);
      assert.equal(look(START_MS), 0, "the count begins when there is a time");
      for (let start = 0; start < 40; start++) {
        look(NEVER_SET_MS + start * 60_000);
        assert.equal(look(START_MS + start * 60_000), 0, `start ${start}`);
      }
      assert.equal(look(START_MS + DAY_MS), 1);
      look(NEVER_SET_MS);
      assert.equal(look(START_MS + 2 * DAY_MS), 2, "and takes nothing away");
    }),
);

withEach(
  "a clock that was ahead when the count began begins it anew",
  (withCounted) =>
    withCounted(({ look }) => {
      for (let day = 0; day < 5; day++) look(START_MS + (50 + day) * DAY_MS);
      assert.equal(look(START_MS), 0);
      assert.equal(look(START_MS + DAY_MS), 1);
    }),
);

const PASSED = fc.record({
  passedMs: fc.nat(3 * DAY_MS),
  /** By how much the clock is wrong at this look. */
  errorMs: fc.oneof(fc.constant(0), fc.integer({ min: -60 * DAY_MS, max: 60 * DAY_MS })),
});

withEach("however often a clock was wrong, no day is counted that was not", (withCounted) => {
  const looks = fc.array(PASSED, { minLength: 1, maxLength: 60 });
  fc.assert(fc.property(looks, (all) =>
    withCounted(({ look }) => {
      let realMs = START_MS;
      look(realMs);
      let [before, forward, behind, isBehind] = [0, 0, 0, false];
      const set = (errorMs: number) => {
        if (errorMs > before) forward++;
        // The count began anew before there was anything, as far as that clock could tell.
        if (errorMs > before && isBehind) behind++;
        isBehind ||= realMs + errorMs < START_MS;
        before = errorMs;
      };
      for (const { passedMs, errorMs } of all) {
        realMs += passedMs;
        set(errorMs);
        const most = (realMs - START_MS) / DAY_MS;
        const counted = look(realMs + errorMs);
        assert.ok(counted <= most + forward, `${counted} days, ${forward} times set forward`);
        if (errorMs === 0) assert.ok(counted <= most + behind, `${counted} days of ${most}`);
      }
      set(0);
      assert.ok(look(realMs) <= (realMs - START_MS) / DAY_MS + behind);
    })));
});

withEach(
  "a clock set back before the beginning takes a day each time it is set forward",
  (use) =>
    use(({ look }) => {
      look(START_MS);
      assert.equal(look(START_MS - 2 * DAY_MS), 0);
      assert.equal(look(START_MS), 1, "nobody can tell");
      assert.equal(look(START_MS - DAY_MS), 1);
      assert.equal(look(START_MS + 1), 2);
      assert.equal(look(START_MS + DAY_MS), 2, "and no other one");
    }),
);

withEach("a clock that is right from now on comes to an end", (withCounted) => {
  fc.assert(fc.property(fc.array(PASSED, { maxLength: 20 }), (all) =>
    withCounted(({ look }) => {
      let realMs = START_MS;
      for (const { passedMs, errorMs } of all) look((realMs += passedMs) + errorMs);
      for (let day = 0; day < FORGET_DAYS; day++) look(realMs + day * DAY_MS);
      assert.ok(look(realMs + FORGET_DAYS * DAY_MS) >= FORGET_DAYS);
    })));
});

Deno.test("what is no longer waited for is not counted", () => {
  const database = openStateDb(nodePlatform().fs, ":memory:", "reader");
  const days = new WatchedDays(database);
  days.watch("a", START_MS);
  days.end("a");
  assert.equal(days.days("a"), null);
  database.close();
});
