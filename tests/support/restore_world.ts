/** What tests of restoring ask for. */
import type { RestoreRequest, RestoreResult } from "../../src/sync/history_api.ts";
import { syncService } from "../../src/sync/service.ts";
import type { SyncMachine } from "./sync_machine.ts";

/** A request that names nothing. */
export const RESTORE: RestoreRequest = {
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
  return syncService.restore(machine.context(), { ...RESTORE, ...request });
}
