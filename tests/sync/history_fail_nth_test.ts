/**
 * Breaks every single call of restore and import to the disk and to the store in turn, once and
 * from then on; see `fail_nth_stage.ts`.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { RestoreRequest } from "../../src/sync/history_api.ts";
import { syncService } from "../../src/sync/service.ts";
import { ANNA, type Scenario, survivesEveryFailure } from "../support/fail_nth_stage.ts";
import { APART, cleanUp, DAY_MS, FIRST, goOn, HOUR_MS, NOW } from "../support/history_world.ts";
import { oldLaptop, pushVersions, SECOND } from "../support/history_world.ts";
import type { SyncMachine } from "../support/sync_machine.ts";

/**
 * Of what is broken here, most is what any command does first. All of it was, and is with
 * `CLAUDE_SYNC_FAIL_NTH=all`.
 */
const STRIDE = 17;

/** FIRST has two versions, and SECOND is old. */
async function withVersions(anna: SyncMachine, bert: SyncMachine): Promise<void> {
  await anna.init();
  await bert.join(anna);
  await pushVersions(anna);
  goOn(anna, SECOND, "old", NOW - 20 * DAY_MS);
  await anna.push();
  await bert.pull();
}

async function restore(machine: SyncMachine, request: Partial<RestoreRequest>): Promise<void> {
  const nothing = { queries: [], project: null, archived: false, atMs: null, version: null };
  const more = { to: null, force: false, dryRun: false };
  const result = await syncService.restore(machine.context(), { ...nothing, ...more, ...request });
  for (const { code } of result.failures) assert.notEqual(code, "bug");
}

function oldDir({ home }: SyncMachine): string {
  return join(home, "backup", "annabelle", ".claude");
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: "restore of what was deleted, and of what is old",
    actor: ANNA,
    isRepeated: true,
    stride: STRIDE,
    prepare: async (anna, bert) => {
      await withVersions(anna, bert);
      cleanUp(anna, FIRST);
      goOn(bert, FIRST, "three", NOW - HOUR_MS);
      await bert.push();
    },
    run: (anna) => restore(anna, { queries: [FIRST, SECOND] }),
  },
  {
    name: "restore of an earlier version",
    actor: ANNA,
    isRepeated: true,
    isLocal: true,
    stride: STRIDE,
    prepare: withVersions,
    run: (anna) => restore(anna, { queries: [FIRST], atMs: NOW - 2.5 * DAY_MS }),
  },
  {
    name: "restore into a folder",
    actor: ANNA,
    isRepeated: true,
    stride: STRIDE,
    prepare: withVersions,
    run: (anna) => restore(anna, { queries: [FIRST, SECOND], to: join(anna.home, "out") }),
  },
  {
    name: "import of an old laptop",
    actor: ANNA,
    isRepeated: true,
    stride: STRIDE,
    prepare: async (anna, bert) => {
      await anna.init();
      await bert.join(anna);
      goOn(anna, FIRST, "one", NOW - 3 * DAY_MS);
      goOn(anna, APART, "base", NOW - 3 * DAY_MS);
      await anna.push();
      await bert.pull();
      oldLaptop(oldDir(anna), anna, "new");
      goOn(anna, APART, "anna's way", NOW - 2 * HOUR_MS);
    },
    run: (anna) =>
      syncService.import(anna.context(), { paths: [oldDir(anna)], all: false, dryRun: false }),
  },
];

for (const scenario of SCENARIOS) survivesEveryFailure(scenario);
