import assert from "node:assert/strict";
import { nodeClock, nodePlatform, nodeRandom } from "../../src/platform/node.ts";
import { parseProcStat } from "../../src/platform/node_host.ts";

Deno.test("nodeClock sleeps, and stops at once when aborted", async () => {
  const clock = nodeClock();
  const start = clock.monotonicMs();
  await clock.sleep(5);
  assert.ok(clock.monotonicMs() - start >= 4);
  const reason = new RangeError("enough");
  await assert.rejects(clock.sleep(60_000, AbortSignal.abort(reason)), (error) => error === reason);
  const controller = new AbortController();
  // Longer than any timer takes: it must not fire at once.
  const sleeping = clock.sleep(2 ** 40, controller.signal);
  await clock.sleep(2);
  controller.abort(reason);
  await assert.rejects(sleeping, (error) => error === reason);
});

Deno.test("nodeRandom gives any length, different each time", () => {
  const random = nodeRandom();
  for (const length of [0, 1, 65_536, 65_537, 200_000]) {
    assert.equal(random.bytes(length).length, length);
  }
  const long = random.bytes(200_000);
  assert.ok(long.subarray(131_072).some((byte) => byte !== 0), "the last part is filled");
  assert.notDeepEqual(random.bytes(16), random.bytes(16));
});

Deno.test("nodeHost knows itself and its processes", () => {
  const { host } = nodePlatform();
  assert.equal(host.process(host.pid).alive, true);
  assert.equal(host.env("CLAUDE_SYNC_SURELY_UNSET"), undefined);
  assert.ok(host.home.length > 0 && host.cwd().length > 0 && host.hostname.length > 0);
  for (const pid of [0, -1, 1.5, NaN, 2 ** 22 + 1]) {
    assert.deepEqual(host.process(pid), { alive: false, startTicks: null });
  }
  if (host.os === "linux") {
    assert.match(host.process(host.pid).startTicks ?? "", /^\d+$/);
    // Somebody else's process is alive although it cannot be signalled.
    assert.equal(host.process(1).alive, true);
  }
});

Deno.test("parseProcStat counts from the last parenthesis of the program's name", () => {
  const rest = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 99";
  for (const name of ["bash", "a b", "x) S 1 1 (y", "\n)", ""]) {
    assert.deepEqual(parseProcStat(`77 (${name}) ${rest}`), {
      startTicks: "4242",
      zombie: false,
    });
  }
  assert.equal(parseProcStat(`77 (x) ${rest.replace("S", "Z")}`)?.zombie, true);
  for (
    const text of [
      "",
      "77 (x",
      "77 (x) S 1 2",
      "no parenthesis at all",
      "77 (x) S" + " x".repeat(30),
    ]
  ) {
    assert.equal(parseProcStat(text), null);
  }
});
