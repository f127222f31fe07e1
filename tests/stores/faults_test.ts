/**
 * Two machines over a line and a server that fail in every way: under each fault the main job is
 * done or fails with the right code, and when the fault is over nothing is missing.
 */
import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import type { ErrorCode } from "../../src/errors.ts";
import { type Fault, type FaultRule, startFaultProxy } from "../servers/fault_proxy.ts";
import { serverTest } from "../servers/servers.ts";
import { codeOf } from "../support/outcome.ts";
import { T0, turn } from "../support/pair.ts";
import { storePlace } from "../support/store_place.ts";
import { inTempDir, SyncMachine, TestClock } from "../support/sync_machine.ts";

const IDS = [1, 2].map((n) => `${n}1111111-1111-4111-8111-111111111111`);

/** One way to fail; `outcomes`: codes that the job may end with besides being done. */
interface FaultCase {
  readonly name: string;
  readonly rule: FaultRule;
  readonly on?: "rgw" | "git-http";
  readonly outcomes: readonly ErrorCode[];
  /** Whether the job must fail, so that the fault is known to matter. */
  readonly mustFail?: boolean;
}

/** Now and then: what Git tries again takes seven requests, and must not fail each time. */
const PERIOD = 11;
const once = (fault: Fault, more: Partial<FaultRule> = {}): FaultRule => ({
  fault,
  nth: (count) => count % PERIOD === 1,
  ...more,
});
const unavailable = (status: number, headers: readonly [string, string][] = []): Fault => ({
  kind: "answer",
  status,
  headers,
  body: "<Error><Code>SlowDown</Code></Error>",
});

const CASES: readonly FaultCase[] = [
  { name: "latency", rule: { fault: { kind: "latency", ms: 50 } }, outcomes: [] },
  { name: "requests cut", rule: once({ kind: "reset-request", afterBytes: 0 }), outcomes: [] },
  {
    name: "uploads cut in the middle",
    rule: once({ kind: "reset-request", afterBytes: 600 }),
    outcomes: [],
  },
  {
    name: "answers lost after the work is done",
    rule: once({ kind: "reset-response", afterBytes: 0 }),
    outcomes: [],
  },
  { name: "503 now and then", rule: once(unavailable(503)), outcomes: [] },
  { name: "500 now and then", rule: once(unavailable(500)), outcomes: [] },
  {
    name: "429 with Retry-After",
    on: "rgw",
    rule: once(unavailable(429, [["Retry-After", "1"]])),
    outcomes: [],
  },
  {
    // Git does not say how long to wait, so it is longer than a command waits.
    name: "429 now and then",
    on: "git-http",
    rule: once(unavailable(429)),
    outcomes: ["store-unreachable"],
  },
  {
    name: "503 for ever",
    rule: { fault: unavailable(503) },
    outcomes: ["store-unreachable"],
    mustFail: true,
  },
  {
    name: "every request cut",
    rule: { fault: { kind: "reset-request", afterBytes: 0 } },
    outcomes: ["store-unreachable"],
    mustFail: true,
  },
  {
    name: "answers that end early",
    rule: once({ kind: "truncate", share: 0.5 }),
    outcomes: ["store-unreachable", "store-invalid", "damaged", "incomplete", "rolled-back"],
  },
  {
    name: "lists that lag",
    on: "rgw",
    rule: { fault: { kind: "stale-list" } },
    outcomes: ["incomplete", "rolled-back"],
  },
  {
    name: "answers from before",
    rule: { method: "GET", fault: { kind: "stale-answer" } },
    outcomes: ["incomplete", "rolled-back", "store-unreachable"],
  },
  {
    name: "requests delivered twice",
    on: "rgw",
    rule: { fault: { kind: "duplicate" } },
    outcomes: [],
  },
  {
    name: "answers that drip",
    rule: { fault: { kind: "drip", bytes: 4000, everyMs: 5 } },
    outcomes: [],
  },
  {
    name: "a clock an hour off",
    on: "rgw",
    rule: { fault: { kind: "clock", offsetMs: 3_600_000, toleranceMs: 900_000 } },
    outcomes: [],
  },
  {
    name: "answers with more than was asked for",
    rule: once({ kind: "oversized", extraBytes: 3000, length: "declared" }, { method: "GET" }),
    outcomes: ["store-unreachable", "store-invalid", "damaged", "too-large"],
  },
];

for (const name of ["rgw", "git-http"] as const) {
  serverTest(name, `the main job through ${name} survives every fault`, async (_, t) => {
    for (const { name: fault, on, rule, outcomes, mustFail } of CASES) {
      if (on !== undefined && on !== name) continue;
      await t.step(fault, () =>
        inTempDir(async (dir) => {
          await using place = await storePlace(name, "through a proxy");
          const machine = async (who: string) => {
            const access = await place.access(join(dir, who));
            return new SyncMachine({ name: who, dir, clock: new TestClock(Date.now()), ...access });
          };
          const [a, b] = [await machine("anna"), await machine("bert")];
          await a.init();
          await b.join(a);
          for (const id of IDS) a.writeTranscript(id, turn(a, "base", T0, id));
          await a.push();
          await b.pull();
          appendFileSync(a.transcriptPath(IDS[0]!), turn(a, "from anna", T0 + 5000, IDS[0]!));
          appendFileSync(b.transcriptPath(IDS[1]!), turn(b, "from bert", T0 + 6000, IDS[1]!));
          const own = b.readTranscript(IDS[1]!);

          const injected = place.proxy!.inject(rule);
          const seen: (ErrorCode | null)[] = [];
          for (const step of [() => a.push(), () => b.pull(), () => b.push(), () => a.pull()]) {
            seen.push(await codeOf(step()));
          }
          const failed = seen.filter((code) => code !== null);
          for (const code of failed) assert.ok(outcomes.includes(code), `${code} in ${seen}`);
          if (mustFail) assert.equal(failed.length, seen.length, String(seen));
          assert.ok(injected.hits > 0, "the fault has struck");
          assert.equal(b.readTranscript(IDS[1]!), own);
          injected.remove();

          for (const step of [() => a.push(), () => b.sync(), () => a.sync()]) await step();
          for (const id of IDS) assert.equal(b.readTranscript(id), a.readTranscript(id));
          assert.equal(Object.keys(b.files()).length, IDS.length);
          assert.match(a.readTranscript(IDS[1]!), /from bert/);
          assert.match(b.readTranscript(IDS[0]!), /from anna/);
          for (const each of [a, b]) assert.deepEqual((await each.verify()).problems, []);
        }));
    }
  });

  serverTest(name, `a redirect by ${name} takes nothing elsewhere`, () =>
    inTempDir(async (dir) => {
      await using place = await storePlace(name, "through a proxy");
      await using elsewhere = await startFaultProxy({ upstream: null });
      const machine = new SyncMachine({
        name: "anna",
        dir,
        clock: new TestClock(Date.now()),
        ...await place.access(join(dir, "anna")),
      });
      await machine.init();
      machine.writeTranscript(IDS[0]!, turn(machine, "secret", T0, IDS[0]!));
      const fault: Fault = { kind: "redirect", status: 307, origin: elsewhere.origin };
      const rule = place.proxy!.inject({ fault });
      const code = await codeOf(machine.push());
      assert.ok(code !== null && code !== "bug", String(code));
      for (const { headers, bodyBytes } of elsewhere.requests) {
        const names = headers.map(([header]) => header.toLowerCase());
        assert.deepEqual(names.filter((each) => /authorization|token|cookie/.test(each)), []);
        assert.equal(bodyBytes, 0);
      }
      rule.remove();
      assert.equal((await machine.push()).pushed, 1);
    }));
}
