/** What tests of restoring ask for. */
import type { RestoreRequest, RestoreResult } from "../../src/sync/history_api.ts";
import { syncService } from "../../src/sync/service.ts";
import type { SyncMachine } from "./sync_machine.ts";

const NOTHING: RestoreRequest = {
  queries: [],
  project: null,
  archived: false,
  atMs: null,
  version: null,
  to: null,
  force: false,
  dryRun: false,
};

/** Restores what `request` names. */
export function restore(
  machine: SyncMachine,
  request: Partial<RestoreRequest>,
): Promise<RestoreResult> {
  return syncService.restore(machine.context(), { ...NOTHING, ...request });
}
