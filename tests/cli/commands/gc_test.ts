import assert from "node:assert/strict";
import type { GcRequest, GcResult } from "../../../src/sync/gc_api.ts";
import { run } from "../stand_in.ts";

const IDLE: GcResult = {
  dryRun: false,
  compacted: null,
  retired: null,
  deleted: { objects: 0, bytes: 0 },
  waiting: null,
  leftovers: null,
  entries: 12,
  requests: 2,
  ms: 81,
};

const WORKED: GcResult = {
  ...IDLE,
  compacted: {
    machine: { id: "a", name: "desk" },
    entries: 5_000,
    written: { entries: 3, packs: 2, bytes: 14e6 },
    keptPacks: 1,
  },
  deleted: { objects: 37, bytes: 2.1e6 },
  waiting: { objects: 5_002, bytes: 31e6, daysLeft: 7 },
  leftovers: { objects: 1, bytes: 4096, daysLeft: 1 },
};

const COST = "(2 requests, 0.08 s)";

async function lines(result: GcResult, ...flags: string[]): Promise<string[]> {
  const { exit, out } = await run(["gc", ...flags], { gc: () => Promise.resolve(result) });
  assert.equal(exit, 0);
  return out.trimEnd().split("\n");
}

Deno.test("gc says what was compacted, deleted, and what waits until when", async () => {
  assert.deepEqual(await lines(WORKED), [
    `Compacted 5,000 log entries into 3 and 2 packs (14 MB); 1 pack stayed as it is.  ${COST}`,
    "Deleted 37 objects, 2.1 MB.",
    "5,002 objects, 31 MB, are replaced and kept for the other machines: deleted when this " +
    "machine has looked at the vault on 7 more days.",
    "1 object, 4.1 kB, is left by an interrupted push of this machine: deleted when this " +
    "machine has looked at the vault on 1 more day.",
  ]);
  const [first] = await lines(IDLE);
  assert.equal(
    first,
    `Nothing to do: this machine's log has 12 entries, and nothing is due.  ${COST}`,
  );
  const dry = { ...WORKED, dryRun: true, compacted: { ...WORKED.compacted!, written: null } };
  assert.deepEqual((await lines(dry, "--dry-run")).slice(0, 2), [
    `Would compact 5,000 log entries; 1 pack stayed as it is.  ${COST}`,
    "Would delete 37 objects, 2.1 MB.",
  ]);
});

Deno.test("a machine's name is shown harmlessly", async () => {
  const retired = { ...WORKED.compacted!, machine: { id: "a", name: "x\x1b[2J" }, keptPacks: 0 };
  const [first] = await lines({ ...IDLE, retired });
  assert.match(first!, /^Gave "x\u{fffd}\[2J" up: took over 5,000 log entries in 3 and 2 packs/u);
});

Deno.test("giving a machine up needs --yes where nobody can type, or if it was seen", async () => {
  const asking = (isRecent: boolean) => ({
    gc: async (_: unknown, { approve, machine }: GcRequest) => {
      const lost = { id: "ab12", name: machine!, lastSeenMs: Date.now() - 3_600_000, isRecent };
      assert.equal(await approve?.(lost) ?? true, true);
      return IDLE;
    },
  });
  for (const isRecent of [false, true]) {
    const refused = await run(["gc", "--machine", "old"], asking(isRecent));
    assert.equal(refused.exit, 2);
    assert.match(refused.err, /claude-sync gc --machine ab12 --yes/);
    assert.equal((await run(["gc", "--machine", "old", "--yes"], asking(isRecent))).exit, 0);
  }
  const recent = await run(["gc", "--machine", "old"], asking(true), { terminals: ["stdin"] });
  assert.match(recent.err, /"old" was seen 1 h ago and may not be lost/);
});
