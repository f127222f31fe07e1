/** What tests of compaction do with machines again and again. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { withFreshVault } from "../../src/sync/fresh_vault.ts";
import type { GcRequest, GcResult } from "../../src/sync/gc_api.ts";
import { LogContent } from "../../src/sync/log_content.ts";
import { readLogContent } from "../../src/sync/log_entries.ts";
import type { Sender } from "../../src/sync/push_send.ts";
import { ownRow } from "../../src/sync/restate.ts";
import { syncService } from "../../src/sync/service.ts";
import { openStateDb } from "../../src/sync/state_db.ts";
import type { OpenVault } from "../../src/sync/vault_access.ts";
import { said, type SyncMachine, type TestClock } from "./sync_machine.ts";
import { historyOf, transcriptsOf } from "./sync_world.ts";

/** One day of a test's clock. */
export const DAY_MS = 24 * 3_600_000;

/** Ids of sessions. */
export const IDS = Array.from({ length: 8 }, (_, n) => `aaaaaaaa-0000-4000-8000-00000000000${n}`);

/** Runs `gc`; nobody is asked. */
export function gc(machine: SyncMachine, request: Partial<GcRequest> = {}): Promise<GcResult> {
  return syncService.gc(machine.context(), {
    dryRun: false,
    machine: null,
    approve: null,
    ...request,
  });
}

/** Appends a turn to a session, which is made when it is not there. */
export function speak(machine: SyncMachine, session: string, text: string): void {
  const facts = { session, cwd: machine.project, atMs: machine.platform.clock.nowMs() };
  const [path] = transcriptsOf(machine, session);
  const before = path === undefined ? "" : readFileSync(path, "utf8");
  machine.writeTranscript(session, before + said("user", text, facts));
}

/** Pushes so many turns, one by one. */
export async function pushTurns(
  machine: SyncMachine,
  clock: TestClock,
  turns: number,
): Promise<void> {
  for (let turn = 0; turn < turns; turn++) {
    speak(machine, IDS[turn % 3]!, `turn ${turn} of ${machine.name} at ${clock.nowMs()}`);
    const pushed = await machine.push();
    assert.deepEqual([pushed.pushed, pushed.failures], [1, []]);
    clock.advance(60_000);
  }
}

/** Looks at the vault on so many days. */
export async function liveOn(machine: SyncMachine, clock: TestClock, days: number): Promise<void> {
  for (let day = 0; day < days; day++) {
    clock.advance(DAY_MS);
    await machine.pull();
  }
}

/** Every state that the vault can give back, in an order that does not matter. */
export async function allStates(machine: SyncMachine): Promise<string[]> {
  return (await historyOf(machine)).map((state) => JSON.stringify(state)).sort();
}

/** What a checkpoint of a machine's own log is made from. */
export interface OwnContent {
  readonly vault: OpenVault;
  readonly sender: Sender;
  /** The database of `content`. */
  readonly scratch: DatabaseSync;
  readonly content: LogContent;
}

/** Runs `work` with everything that the machine's own log says, as `gc` reads it. */
export function withOwnContent<Result>(
  machine: SyncMachine,
  work: (own: OwnContent) => Promise<Result>,
): Promise<Result> {
  return withFreshVault(machine.context(), "required", async ({ vault, sender, seen }) => {
    const scratch = openStateDb(machine.platform.fs, ":memory:", "reader");
    try {
      const content = new LogContent(scratch);
      const listed = seen.logs.get(sender.tag) ?? [];
      await readLogContent(vault, ownRow(vault, sender), listed, content);
      return await work({ vault, sender, scratch, content });
    } finally {
      scratch.close();
    }
  });
}
