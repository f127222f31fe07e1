/**
 * The pull: makes local sessions what the vault says they are, without replacing a byte that the
 * vault does not have.
 */
import { once } from "../base/once.ts";
import { isClaudeSyncError } from "../errors.ts";
import type { LocalSession } from "../sessions/discover.ts";
import { describeProject } from "../sessions/project.ts";
import { TRANSCRIPT } from "../sessions/file_name.ts";
import { readTranscriptTitle } from "../sessions/transcript_summary.ts";
import { discoverPlans } from "../sessions/plans.ts";
import { sweepTemps } from "../sessions/write_back.ts";
import type { Failure, MadeBranch, PullResult } from "./api.ts";
import { LOOK_BYTES } from "./look_bytes.ts";
import { Exclusion, ProjectFinder } from "./projects.ts";
import { type AddedHistory, HistoryPull } from "./pull_history.ts";
import { LocalView } from "./pull_place.ts";
import { newBytesOf, type WriteFamily, type WriteOperation, writesOf } from "./pull_file.ts";
import { keyOfProject, type PullPlan, PullPlanner } from "./pull_plan.ts";
import { type PulledShelves, pullShelves } from "./pull_shelves.ts";
import { type KeptFor, writeAll, type Written } from "./pull_write.ts";
import { pushSessions, unreadableObjects } from "./push.ts";
import type { Sender } from "./push_send.ts";
import { matchIds } from "./session_query.ts";
import { unsettledSessions } from "./settled_here.ts";
import { computeTargets, type SessionTarget, type Targets } from "./targets.ts";
import type { OpenVault } from "./vault_access.ts";

/** What a pull did, before the caller adds requests and time. */
export type PullTotals = Omit<PullResult, "requests" | "ms" | "dryRun" | "bytes"> & {
  readonly writtenBytes: number;
  /** Sessions written or extended here; with a dry run those that would be. */
  readonly writtenIds: ReadonlySet<string>;
};

/** How often sessions may turn out to need a push before they are replaced. */
const ROUNDS_MAX = 3;

/** What to pull. */
export interface PullRequest {
  /** Full ids or unique prefixes; empty = all. */
  readonly sessions: readonly string[];
  readonly all: boolean;
  readonly dryRun: boolean;
  /** Ids of memories that are wanted, too, when `sessions` are named. */
  readonly shelves?: ReadonlySet<string>;
  /** Default: half. */
  readonly keptFor?: KeptFor;
}

/**
 * Pulls. The index must be fresh. Bytes that only this machine has are pushed before their file is
 * replaced, so the outcome depends on the vault's content alone. Errors: `not-found` and
 * `ambiguous` for `sessions`, alarms, those of the store.
 */
export async function pullSessions(
  vault: OpenVault,
  sender: Sender,
  request: PullRequest,
): Promise<PullTotals> {
  const pushFailures: Failure[] = [];
  for (let round = 1;; round++) {
    const projects = new ProjectFinder(vault.context.platform, vault.index);
    const local = new LocalView(vault);
    const plans = discoverPlans(vault.context.platform.fs, vault.root);
    const isNamed = request.sessions.length > 0;
    const targets = await computeTargets(
      vault,
      isNamed ? null : unsettledSessions(vault, local, plans.files),
    );
    const { all, shelves: wanted = new Set() } = request;
    const scope = { ids: chosenIds(request.sessions, targets, local), all, shelves: wanted };
    const plan = await new PullPlanner(vault, local, projects, scope).plan(targets);
    if (plan.pushFirst.length > 0 && round < ROUNDS_MAX && !request.dryRun) {
      const pushed = await pushOwn(vault, sender, projects, plan);
      pushFailures.splice(0, Infinity, ...pushed);
      // The next look finds what could be pushed safe; without any progress there is no next look.
      const failed = new Set(pushed.map(({ sessionId }) => sessionId));
      if (plan.pushFirst.some(({ id }) => !failed.has(id))) continue;
    }
    const history = new HistoryPull(vault, scope);
    const { fs, clock } = vault.context.platform;
    if (!request.dryRun) sweepTemps(fs, clock, [...local.leftovers, ...plans.temps]);
    const written = request.dryRun
      ? dryRunOf(plan)
      : await writeAll(vault, targets.branches, plan.families, {
        beside: holdHistory(history),
        keptFor: request.keptFor ?? "half",
      });
    const totals = totalsOf(vault, sender, projects, targets, plan, written, pushFailures, request);
    const { shelves: stored } = targets;
    // What was written just now may name plans that were of no use here before. Who asks looks; of
    // many sessions nothing is held by then that was needed to write them.
    const isAsBefore = written.files === 0 || request.dryRun;
    const view = isAsBefore ? () => local : once(() => lookAgain(vault, written.sessions.size));
    const added = request.dryRun
      ? { bytes: 0, failures: [] }
      : await history.add(() => view().all(), exclusionOf(vault, projects, view, request.all));
    const asked = { ...scope, dryRun: request.dryRun };
    const shelves = await pullShelves(vault, sender, view, projects, asked, stored);
    return withOthers(totals, shelves, added, unreadableObjects(vault));
  }
}

/** Nothing is left by now of the plans of the sessions that were written. */
function lookAgain(vault: OpenVault, writtenCount: number): LocalView {
  vault.context.platform.memory.passed(LOOK_BYTES * writtenCount);
  return new LocalView(vault);
}

function holdHistory(history: HistoryPull): (family: WriteFamily) => Promise<void> {
  return async ({ writes }) => {
    for (const id of new Set(writes.map(({ session }) => session.id))) await history.hold(id);
  };
}

function exclusionOf(
  vault: OpenVault,
  projects: ProjectFinder,
  view: () => LocalView,
  all: boolean,
): (session: LocalSession) => boolean {
  const exclusion = once(() => new Exclusion(vault.config, projects, view().all()));
  return (session) => !all && exclusion().excludes(session);
}

function withOthers(
  totals: PullTotals,
  shelves: PulledShelves,
  history: AddedHistory,
  unreadable: readonly Failure[],
): PullTotals {
  const waitingIds = [...new Set([...totals.waitingIds, ...shelves.waitingIds])];
  return {
    ...totals,
    otherFiles: shelves.files,
    waitingIds,
    waiting: waitingIds.length,
    failures: [...totals.failures, ...shelves.failures, ...history.failures, ...unreadable],
    writtenBytes: totals.writtenBytes + shelves.writtenBytes + history.bytes,
  };
}

function chosenIds(
  queries: readonly string[],
  targets: Targets,
  local: LocalView,
): ReadonlySet<string> | null {
  if (queries.length === 0) return null;
  return matchIds(queries, new Set([...targets.sessions.keys(), ...local.ids()]));
}

/** A session that cannot be pushed keeps its file; the others go on. */
async function pushOwn(
  vault: OpenVault,
  sender: Sender,
  projects: ProjectFinder,
  plan: PullPlan,
): Promise<readonly Failure[]> {
  const scope = { sessions: plan.pushFirst, shelves: [], all: true, dryRun: false, tearNow: true };
  try {
    return (await pushSessions(vault, sender, projects, scope)).failures;
  } catch (error) {
    // A vault that takes nothing more can still be read.
    if (!isClaudeSyncError(error, "no-space", "store-refused")) throw error;
    const { code, message } = error;
    return plan.pushFirst.map(({ id }) => ({ sessionId: id, path: null, code, message }));
  }
}

function dryRunOf(plan: PullPlan): Written {
  const sessions = new Set<string>();
  let [files, writtenBytes] = [0, 0];
  for (const operation of writesOf(plan.families)) {
    sessions.add(operation.session.id);
    files++;
    writtenBytes += newBytesOf(operation);
  }
  return { sessions, files, writtenBytes, busy: new Set(), failures: [] };
}

function totalsOf(
  vault: OpenVault,
  sender: Sender,
  projects: ProjectFinder,
  targets: Targets,
  plan: PullPlan,
  written: Written,
  pushFailures: readonly Failure[],
  { dryRun }: PullRequest,
): PullTotals {
  const planned = new Map<string, SessionTarget>();
  for (const { session } of writesOf(plan.families)) {
    if (written.sessions.has(session.id)) planned.set(session.id, session);
  }
  const pulled = [...planned.values()];
  const failed = new Set(pushFailures.map(({ sessionId }) => sessionId));
  const own = plan.pushFirst.map(({ id }) => id).filter((id) => !failed.has(id));
  const sentFirstIds = dryRun ? own : [];
  // What is still ahead after all those pushes is being written to.
  const growing = dryRun ? [] : own;
  const open = [...plan.waiting.map(({ id }) => id), ...growing, ...written.busy];
  const waitingIds = [...new Set(open)];
  const { fs, memory } = vault.context.platform;
  // What follows looks at each of them twice more.
  memory.passed(2 * LOOK_BYTES * pulled.length);
  const newBranches: WriteOperation[] = [];
  for (const operation of writesOf(plan.families)) {
    const { session, expected } = operation;
    const isBranch = session.root !== session.id && written.sessions.has(session.id);
    if (!isBranch || expected !== null) continue;
    if (operation.target.name === TRANSCRIPT) newBranches.push(operation);
  }
  const names = new Map(vault.index.machines().map(({ id, name }) => [id, name]));
  const from = new Set<string>();
  for (const { machines } of pulled) {
    for (const id of machines) if (id !== sender.machineId) from.add(names.get(id) ?? id);
  }
  return {
    pulled: pulled.length,
    otherFiles: 0,
    waiting: waitingIds.length,
    waitingIds,
    sentFirstIds,
    unplaced: plan.unplaced.length,
    unplacedProjects: unplacedProjects(plan),
    branches: newBranches.length,
    branchSessions: newBranches.map(({ session, path }) => ({
      id: session.id,
      of: session.root,
      title: readTranscriptTitle(fs, path) ?? "",
      how: howMade(session, targets, plan),
    })),
    archived: plan.archived.length,
    byProject: countByProject(projects, pulled),
    from: [...from].sort(),
    failures: [...pushFailures, ...plan.failures, ...written.failures],
    writtenBytes: written.writtenBytes,
    writtenIds: written.sessions,
  };
}

function howMade(
  { id, root, machines }: SessionTarget,
  { sessions }: Targets,
  { beside }: PullPlan,
): MadeBranch["how"] {
  if (beside.has(id)) return "forgotten";
  const writers = new Set([...machines, ...sessions.get(root)?.machines ?? []]);
  return writers.size > 1 ? "machines" : "apart";
}

function unplacedProjects(plan: PullPlan): PullTotals["unplacedProjects"] {
  const byKey = new Map<string, { key: string; name: string; sessions: number }>();
  for (const { project } of plan.unplaced) {
    const key = keyOfProject(project);
    const name = project === null ? "unknown" : describeProject(project);
    const row = byKey.get(key) ?? { key, name, sessions: 0 };
    row.sessions++;
    byKey.set(key, row);
  }
  return [...byKey.values()].sort((a, b) => b.sessions - a.sessions || (a.key < b.key ? -1 : 1));
}

function countByProject(
  projects: ProjectFinder,
  sessions: readonly SessionTarget[],
): PullTotals["byProject"] {
  const counts = new Map<string, number>();
  for (const { root } of sessions) {
    const project = projects.ofVaultSession(root);
    const name = project === null ? "unknown" : describeProject(project);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts].map(([name, sessions]) => ({ name, sessions }))
    .sort((a, b) => b.sessions - a.sessions || (a.name < b.name ? -1 : 1));
}
