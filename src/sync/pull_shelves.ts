/**
 * The last part of a pull: plans and memories. It comes after the sessions, as a plan belongs where
 * a session names it.
 */
import { isClaudeSyncError } from "../errors.ts";
import { isSameFile, sweepTemps } from "../sessions/write_back.ts";
import type { Failure } from "./api.ts";
import { BranchTargets } from "./branch_targets.ts";
import type { ProjectFinder } from "./projects.ts";
import { hasBytesOf } from "./pull_file.ts";
import type { LocalView } from "./pull_place.ts";
import type { PullScope } from "./pull_plan.ts";
import { writeAll } from "./pull_write.ts";
import { failureOf, pushSessions } from "./push.ts";
import type { Sender } from "./push_send.ts";
import { writtenAfterPush } from "./shelf_dry_run.ts";
import { type ShelfPlan, ShelfPlanner } from "./shelf_plan.ts";
import { computeTargets, type SessionTarget } from "./targets.ts";
import type { OpenVault } from "./vault_access.ts";

/** How often shelves may turn out to need a push before they are replaced. */
const ROUNDS_MAX = 3;

/** What was done. */
export interface PulledShelves {
  /** Files written. */
  readonly files: number;
  readonly writtenBytes: number;
  readonly waitingIds: readonly string[];
  readonly failures: readonly Failure[];
}

/**
 * Writes what the vault has of the shelves that belong here; bytes that only this machine has are
 * pushed first. `view`: what is here by now. `shelves`: what the vault said of them before. Errors:
 * alarms, those of the store.
 */
export async function pullShelves(
  vault: OpenVault,
  sender: Sender,
  view: () => LocalView,
  projects: ProjectFinder,
  scope: PullScope & { readonly dryRun: boolean },
  shelves: readonly SessionTarget[],
): Promise<PulledShelves> {
  for (let [round, now] = [1, shelves];; round++) {
    if (now.length === 0) return NOTHING;
    const planner = new ShelfPlanner(vault, view(), projects, scope);
    const plan = await planner.plan(now);
    const { waitingIds } = plan;
    if (scope.dryRun) {
      const isAsked = scope.all || scope.ids !== null;
      return { ...await dryRunOf(vault, plan, isAsked), waitingIds };
    }
    const { fs, clock } = vault.context.platform;
    sweepTemps(fs, clock, planner.leftovers);
    const failures = await pushOwn(vault, sender, projects, plan);
    if (plan.pushFirst.length > failures.length && round < ROUNDS_MAX) {
      now = (await computeTargets(vault)).shelves;
      continue;
    }
    const written = await writeAll(vault, noBranches(vault), plan.families);
    const kept = removeOutdated(vault, plan, written.failures);
    return {
      files: written.files,
      writtenBytes: written.writtenBytes,
      waitingIds,
      failures: [...failures, ...plan.failures, ...written.failures, ...kept],
    };
  }
}

/** Nothing of a shelf is made of other leaves: what is derived has a source. */
function noBranches(vault: OpenVault): BranchTargets {
  return new BranchTargets(vault, () => []);
}

const NOTHING: PulledShelves = { files: 0, writtenBytes: 0, waitingIds: [], failures: [] };

async function dryRunOf(
  vault: OpenVault,
  plan: ShelfPlan,
  isAsked: boolean,
): Promise<Omit<PulledShelves, "waitingIds">> {
  const targets = plan.families.flatMap(({ writes }) => writes.map(({ target }) => target));
  const failures = [...plan.failures];
  for (const here of plan.pushFirst) {
    try {
      targets.push(...await writtenAfterPush(vault, here, isAsked));
    } catch (error) {
      failures.push(failureOf(error, here.id));
    }
  }
  const writtenBytes = targets.reduce((sum, { len }) => sum + len, 0);
  return { files: targets.length, writtenBytes, failures };
}

/**
 * Takes copies away that show what is no leaf any more: what has come in their place stands beside
 * them under another name. Gives those that cannot be removed.
 */
function removeOutdated(
  vault: OpenVault,
  { outdated }: ShelfPlan,
  failures: readonly Failure[],
): Failure[] {
  const { fs } = vault.context.platform;
  const failed = new Set(failures.map(({ sessionId }) => sessionId));
  const kept: Failure[] = [];
  for (const { shelf, file, row } of outdated) {
    if (failed.has(shelf)) continue;
    try {
      if (!hasBytesOf(vault, file, row)) {
        vault.locals.doubt(file.path);
        continue;
      }
      if (!isSameFile(fs.lstat(file.path), file.stat)) continue;
      // In this order: a file that is remembered and not there counts as taken away by the user.
      vault.locals.forget(file.path);
      fs.removeFile(file.path);
    } catch (error) {
      kept.push(failureOf(error, shelf, file.path));
    }
  }
  return kept;
}

/** A shelf that cannot be pushed keeps its files; the others go on. */
async function pushOwn(
  vault: OpenVault,
  sender: Sender,
  projects: ProjectFinder,
  { pushFirst }: ShelfPlan,
): Promise<readonly Failure[]> {
  if (pushFirst.length === 0) return [];
  const scope = { sessions: [], shelves: pushFirst, all: true, dryRun: false, tearNow: true };
  try {
    return (await pushSessions(vault, sender, projects, scope)).failures;
  } catch (error) {
    // A vault that takes nothing more can still be read.
    if (!isClaudeSyncError(error, "no-space", "store-refused")) throw error;
    const { code, message } = error;
    return pushFirst.map(({ id }) => ({ sessionId: id, path: null, code, message }));
  }
}
