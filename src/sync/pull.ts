/**
 * The pull: makes local sessions what the vault says they are, without replacing a byte that the
 * vault does not have.
 */
import { describeProject } from "../sessions/project.ts";
import { TRANSCRIPT } from "../sessions/file_name.ts";
import { readTranscriptFacts } from "../sessions/transcript_file.ts";
import { sweepTemps } from "../sessions/write_back.ts";
import type { PullResult } from "./api.ts";
import { ProjectFinder } from "./projects.ts";
import { keyOfProject, type PullPlan, PullPlanner, type PullScope } from "./pull_plan.ts";
import { writeAll, type Written } from "./pull_write.ts";
import { pushSessions } from "./push.ts";
import type { Sender } from "./push_send.ts";
import { computeTargets, type SessionTarget, type Targets } from "./targets.ts";
import type { OpenVault } from "./vault_access.ts";

/** What a pull did, before the caller adds requests and time. */
export type PullTotals = Omit<PullResult, "requests" | "ms" | "dryRun" | "bytes"> & {
  readonly writtenBytes: number;
};

/** How often sessions may turn out to need a push before they are replaced. */
const ROUNDS_MAX = 3;

/**
 * Pulls the sessions of `scope`. The index must be fresh. Bytes that only this machine has are
 * pushed before their file is replaced, so the outcome depends on the vault's content alone.
 */
export async function pullSessions(
  vault: OpenVault,
  sender: Sender,
  scope: PullScope & { readonly dryRun: boolean },
): Promise<PullTotals> {
  for (let round = 1;; round++) {
    const projects = new ProjectFinder(vault.context.platform, vault.index);
    const targets = await computeTargets(vault);
    const planner = new PullPlanner(vault, projects, scope);
    const plan = await planner.plan(targets);
    if (plan.pushFirst.length > 0 && round < ROUNDS_MAX && !scope.dryRun) {
      await pushSessions(vault, sender, projects, {
        sessions: plan.pushFirst,
        all: true,
        dryRun: false,
        tearNow: true,
      });
      continue;
    }
    const { fs, clock } = vault.context.platform;
    if (!scope.dryRun) sweepTemps(fs, clock, planner.leftovers);
    const written = scope.dryRun
      ? dryRunOf(plan)
      : await writeAll(vault, targets.branches, plan.writes);
    return totalsOf(vault, projects, targets, plan, written);
  }
}

function dryRunOf(plan: PullPlan): Written {
  return {
    sessions: new Set(plan.writes.map((operation) => operation.session.id)),
    writtenBytes: plan.writes.reduce(
      (sum, { target, base }) => sum + Math.max(0, target.len - (base?.len ?? 0)),
      0,
    ),
    changedMeanwhile: new Set(),
    failures: [],
  };
}

function totalsOf(
  vault: OpenVault,
  projects: ProjectFinder,
  targets: Targets,
  plan: PullPlan,
  written: Written,
): PullTotals {
  const pulled = [...targets.sessions.values()].filter(({ id }) => written.sessions.has(id));
  // A session that still has bytes of its own, or changed under our hands, is as good as open.
  const busy = [...plan.pushFirst.map(({ id }) => id), ...written.changedMeanwhile];
  const waitingIds = [...new Set([...plan.waiting.map(({ id }) => id), ...busy])];
  const { fs } = vault.context.platform;
  const newBranches = plan.writes.filter(({ session, target, expected }) =>
    session.root !== session.id && target.name === TRANSCRIPT && expected === null &&
    written.sessions.has(session.id)
  );
  const names = new Map(vault.index.machines().map(({ id, name }) => [id, name]));
  const own = vault.config.machineName;
  const from = new Set(pulled.flatMap(({ machines }) => machines.map((id) => names.get(id) ?? id)));
  from.delete(own);
  return {
    pulled: pulled.length,
    waiting: waitingIds.length,
    waitingIds,
    unplaced: plan.unplaced.length,
    unplacedProjects: unplacedProjects(plan),
    branches: newBranches.length,
    branchSessions: newBranches.map(({ session, path }) => ({
      id: session.id,
      of: session.root,
      title: readTranscriptFacts(fs, path)?.title ?? "",
    })),
    archived: plan.archived.length,
    byProject: countByProject(projects, pulled),
    from: [...from].sort(),
    failures: [...plan.failures, ...written.failures],
    writtenBytes: written.writtenBytes,
  };
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
