/** The shelves that have files on this machine. */
import type { LocalFile, LocalMemory, LocalSession } from "../sessions/discover.ts";
import type { ProjectIdentity } from "../sessions/project.ts";
import { memoryShelfId, planShelfId, plansOfFile } from "../sessions/shelf.ts";
import { isSettled, isSettledIn, type LocalFileRow } from "./local_files.ts";
import type { MemoryFolders } from "./memory_folders.ts";
import { PlanNames } from "./plan_names.ts";
import { type Exclusion, isExcluded, projectClaim, type ProjectFinder } from "./projects.ts";
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
  const settled = vault.locals.settled();
  const others = plans.filter((file) => !isSettledIn(settled, file));
  if (others.length === 0) return [];
  const rows = vault.locals.all();
  const changed = others.filter((file) => !isSettled(rows.get(file.path), file.stat));
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

/**
 * Shelves of the memories with something that the vault may lack, unless their project is kept off
 * (`all`: also then). A memory whose project nothing tells stays where it is.
 */
export function memoryShelves(
  vault: OpenVault,
  memories: readonly LocalMemory[],
  projects: ProjectFinder,
  folders: Pick<MemoryFolders, "projectOf">,
  all: boolean,
): LocalShelf[] {
  if (memories.length === 0) return [];
  const settled = vault.locals.settled();
  const others = memories.filter(({ files }) => !files.every((file) => isSettledIn(settled, file)));
  if (others.length === 0) return [];
  const rows = vault.locals.all();
  const shelves: LocalShelf[] = [];
  for (const { slug, files } of others) {
    if (files.every((file) => isSettled(rows.get(file.path), file.stat))) continue;
    const project = projectOfRows(files, rows, projects) ?? folders.projectOf(slug);
    if (project === null || projectClaim(project) === null) continue;
    if (!all && isExcluded(vault.config, project)) continue;
    shelves.push({ id: memoryShelfId(project), slug, files, project });
  }
  return shelves;
}

/** The project that the files were synced for before. */
function projectOfRows(
  files: readonly LocalFile[],
  rows: ReadonlyMap<string, LocalFileRow>,
  projects: ProjectFinder,
): ProjectIdentity | null {
  const id = shelfOfRows(files, rows);
  const project = id === null ? null : projects.ofVaultSession(id);
  return project !== null && memoryShelfId(project) === id ? project : null;
}

/** The shelf that the files were synced with before. */
export function shelfOfRows(
  files: readonly LocalFile[],
  rows: ReadonlyMap<string, LocalFileRow>,
): string | null {
  for (const { path } of files) {
    const row = rows.get(path);
    if (row !== undefined) return row.session;
  }
  return null;
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
