/** The shelves that have files on this machine. */
import type { LocalFile, LocalSession } from "../sessions/discover.ts";
import type { ProjectIdentity } from "../sessions/project.ts";
import { planShelfId, plansOfFile } from "../sessions/shelf.ts";
import { isSettled } from "./local_files.ts";
import { PlanNames } from "./plan_names.ts";
import type { Exclusion, ProjectFinder } from "./projects.ts";
import type { OpenVault } from "./vault_access.ts";

/** A shelf with files here, in the form of a session. Its id is derived. */
export interface LocalShelf extends LocalSession {
  /** The project of its conversations; null when nothing tells. */
  readonly project: ProjectIdentity | null;
}

/**
 * Shelves of those `plans` that the vault may lack and that one of `sessions` names, unless that
 * one's project is kept off. Asks no transcript while there is nothing to push.
 */
export function planShelves(
  vault: OpenVault,
  plans: readonly LocalFile[],
  sessions: readonly LocalSession[],
  projects: ProjectFinder,
  exclusion: Exclusion | null,
): LocalShelf[] {
  if (plans.length === 0) return [];
  const rows = vault.locals.all();
  const changed = plans.filter((file) => !isSettled(rows.get(file.path), file.stat));
  if (changed.length === 0) return [];
  const { platform } = vault.context;
  const namers = new PlanNames(platform.fs, vault.database).namers(sessions);
  const shelves = new Map<string, { shelf: LocalShelf; files: LocalFile[] }>();
  for (const file of changed) {
    const owner = namerOf(file, namers, exclusion);
    if (owner === null) continue;
    const id = planShelfId(owner.plan);
    const known = shelves.get(id);
    if (known !== undefined) {
      known.files.push(file);
      continue;
    }
    const files = [file];
    const project = projects.ofSession(owner.session);
    shelves.set(id, { files, shelf: { id, slug: owner.session.slug, files, project } });
  }
  return [...shelves.values()].map(({ shelf }) => shelf);
}

function namerOf(
  file: LocalFile,
  namers: ReadonlyMap<string, readonly LocalSession[]>,
  exclusion: Exclusion | null,
): { plan: string; session: LocalSession } | null {
  for (const plan of plansOfFile(file.name.slice("plans/".length))) {
    const session = (namers.get(plan) ?? []).find((each) => exclusion?.excludes(each) !== true);
    if (session !== undefined) return { plan, session };
  }
  return null;
}
