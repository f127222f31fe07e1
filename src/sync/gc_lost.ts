/** The machine that is to be given up: which one is meant, and whether the user still means it. */
import { ClaudeSyncError } from "../errors.ts";
import type { SyncContext } from "./api.ts";
import { type Run, withFreshVault } from "./fresh_vault.ts";
import type { GcRequest, GivenUpMachine } from "./gc_api.ts";
import type { MachineRow } from "./segment_index.ts";
import { DAY_MS } from "./watched_days.ts";

/** A machine that was seen within this time is not taken for lost without being told so. */
const RECENT_MS = 30 * DAY_MS;

/** Another machine that the user agreed to give up, as it was when they were asked. */
export interface ConfirmedMachine {
  readonly row: MachineRow;
  /** What asking has cost, without the time that the user took. */
  readonly requests: number;
  readonly ms: number;
}

/**
 * Finds the machine that is meant and asks. The vault is read for that and closed again: nobody
 * waits for this machine's lock while a user thinks. Null when there is nothing to ask. Errors:
 * `interrupted` when the user does not agree, those of `findOther` and of reading the vault.
 */
export async function confirmLost(
  context: SyncContext,
  { machine, approve, dryRun }: GcRequest,
): Promise<ConfirmedMachine | null> {
  if (machine === null || approve === null || dryRun) return null;
  const found = await withFreshVault(context, "left", (run) => {
    const row = findOther(run, machine);
    return Promise.resolve({ row, ...run.meter.sinceLast() });
  });
  const { row, requests, ms } = found;
  if (!await approve(shownOf(row, context.platform.clock.nowMs()))) {
    throw new ClaudeSyncError("interrupted", `"${row.name}" was not given up`);
  }
  return { row, requests, ms };
}

function shownOf({ id, name, lastSeenMs }: MachineRow, nowMs: number): GivenUpMachine {
  return { id, name, lastSeenMs, isRecent: nowMs - lastSeenMs < RECENT_MS };
}

/**
 * The machine that was confirmed, as the vault has it now. Errors: `busy` when it has pushed, or
 * was given up, since the user was asked.
 */
export function stillLost({ vault }: Run, { row }: ConfirmedMachine): MachineRow {
  const now = vault.index.machines().find(({ tag }) => tag === row.tag);
  const isSame = now?.seq === row.seq && now.base === row.base && now.isRetired === row.isRetired;
  if (now !== undefined && isSame) return now;
  const hint = "Nothing was changed. See the machines: claude-sync status";
  throw new ClaudeSyncError(
    "busy",
    now?.seq === row.seq
      ? `"${row.name}" was given up by another machine since you were asked`
      : `"${row.name}" has pushed since you were asked: it is not lost`,
    { hint },
  );
}

/** The other machine that is meant. Errors: `not-found`, `ambiguous`, `usage`. */
export function findOther({ vault, sender }: Run, query: string): MachineRow {
  const rows = vault.index.machines();
  const named = rows.filter(({ id, name }) => name === query || id === query);
  const begun = rows.filter(({ id }) => query.length >= 4 && id.startsWith(query));
  const found = named.length > 0 ? named : begun;
  const others = found.filter(({ tag }) => tag !== sender.tag);
  // A machine that came back has its old log beside the new one.
  const current = others.filter((row) => !isGivenUp(row));
  const [row, another] = current.length > 0 ? current : others;
  if (another !== undefined) {
    throw new ClaudeSyncError("ambiguous", `"${query}" fits several machines`, {
      hint: `Give the id: ${found.map(({ id }) => id).join(", ")}`,
    });
  }
  if (row !== undefined) return row;
  if (found.length > 0) {
    throw new ClaudeSyncError("usage", "This machine cannot give itself up", {
      hint: "Do it on another one; for this machine's own log: claude-sync gc",
    });
  }
  throw new ClaudeSyncError("not-found", `There is no machine "${query}" in the vault`, {
    hint: "See the machines: claude-sync status",
  });
}

/** Whether a log was taken over whole. */
export function isGivenUp({ isRetired, seq, base }: MachineRow): boolean {
  return isRetired && seq < base;
}
