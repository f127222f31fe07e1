/** Which plan or file of a memory is meant, what of it the vault has, and where it belongs here. */
import { ClaudeSyncError } from "../errors.ts";
import type { LocalFile, LocalSession } from "../sessions/discover.ts";
import { type FileName, parseFileName } from "../sessions/file_name.ts";
import { findRepository } from "../sessions/git_folder.ts";
import { pathOf } from "../sessions/layout.ts";
import { discoverPlans } from "../sessions/plans.ts";
import { describeProject, type ProjectIdentity } from "../sessions/project.ts";
import type { SessionId } from "../sessions/session_id.ts";
import { memoryShelfId, planShelfId, plansOfFile, shelfArea } from "../sessions/shelf.ts";
import { stateKey } from "./forgotten.ts";
import type { FileQuery } from "./history_api.ts";
import { shelfOfRows } from "./local_shelves.ts";
import { MemoryFolders } from "./memory_folders.ts";
import { PlanNames } from "./plan_names.ts";
import { matchProject } from "./project_query.ts";
import { type ChoiceFacts, chooseProject } from "./restore_choice.ts";
import type { Leaf, StoredVersion } from "./segment_index.ts";
import { newestFirst, planOfShelf, shelfFiles } from "./shelf_targets.ts";
import type { Versioned } from "./versions.ts";

/** One file of a shelf in the vault. */
export interface ShelfFile {
  readonly shelf: SessionId;
  readonly name: FileName;
  /** Of a memory; null for a plan. */
  readonly project: ProjectIdentity | null;
  /** What stands under the name on every machine. */
  readonly newest: Leaf;
  /** With the newest one; the others stand beside it. */
  readonly leaves: readonly Leaf[];
  /** All that is not forgotten, newest first. */
  readonly versions: readonly StoredVersion[];
}

/** Where a file of a shelf belongs on this machine. */
export interface ShelfPlace {
  /** Name of the folder below `projects/`; of a plan, of a session that names it, or empty. */
  readonly slug: string;
  readonly path: string;
  /** What stands there; null when nothing does. */
  readonly here: LocalFile | null;
  /** The sessions here that name the plan; none for a memory. */
  readonly namers: readonly LocalSession[];
}

/** Words that every shell takes as they stand. */
const PLAIN_WORD = /^[\w./:@+][\w./:@+-]*$/;

/** The file as something that has versions, called as it was asked for. */
export function versionedFile({ name, project }: ShelfFile, asked: FileQuery): Versioned {
  const file = PLAIN_WORD.test(name) ? name : "FILE";
  return { name: nameWithProject(name, project), query: file + projectFlag(asked) };
}

function nameWithProject(name: FileName, project: ProjectIdentity | null): string {
  return project === null ? `"${name}"` : `"${name}" of ${describeProject(project)}`;
}

function projectFlag({ project }: FileQuery): string {
  if (project === null) return "";
  return ` --project ${PLAIN_WORD.test(project) ? project : "P"}`;
}

/**
 * The file that is asked for. Errors: `usage` for what is no such name, `not-found`, and those of
 * choosing a project.
 */
export function findShelfFile(facts: ChoiceFacts, asked: FileQuery): ShelfFile {
  const { file, project } = asked;
  const { host } = facts.vault.context.platform;
  const name = parseFileName(host.os === "windows" ? file.replaceAll("\\", "/") : file);
  const area = name === null ? null : shelfArea(name);
  if (name === null || area === null) {
    throw new ClaudeSyncError("usage", "That is no name of a plan or of a file of a memory", {
      hint: "Write it as plans/NAME.md or memory/NAME.md",
    });
  }
  const of = area === "memory" ? memoryProject(facts, project) : null;
  const shelves = of === null ? plansOfFile(planOf(name)).map(planShelfId) : [memoryShelfId(of)];
  for (const shelf of shelves) {
    const found = shelfFile(facts, shelf, name, of);
    if (found === null) continue;
    requireSound(facts, shelf, area);
    return found;
  }
  const { forgotten } = facts.vault;
  const isForgotten = shelves.some((shelf) => forgotten.files(shelf).includes(name));
  const named = nameWithProject(name, of);
  const what = isForgotten ? `${named} is forgotten` : `No ${named} in the vault`;
  const all = of === null ? "plans/" : `memory/${projectFlag(asked)}`;
  throw new ClaudeSyncError("not-found", what, {
    hint: `See what is there with: claude-sync restore ${all} --list`,
  });
}

/** Refuses what a pull refuses (FORMAT.md section 8). Errors: `unsafe-file`. */
function requireSound({ vault }: ChoiceFacts, shelf: SessionId, area: "plans" | "memory"): void {
  const { index } = vault;
  const leaves = index.files(shelf).map((file) => [file, index.leaves(shelf, file)] as const);
  const files = shelfFiles(shelf, new Map(leaves));
  if (area === "memory" || planOfShelf(shelf, files) !== null) return;
  throw new ClaudeSyncError("unsafe-file", "The vault has other files with that plan", {
    sessionId: shelf,
    hint: "A machine that is no claude-sync has written them; see: claude-sync verify",
  });
}

/**
 * Every plan of the vault, or every file of one memory, by name. Errors: those of choosing a
 * project.
 */
export function shelfFilesIn(
  facts: ChoiceFacts,
  area: "plans" | "memory",
  project: string | null,
): { readonly project: ProjectIdentity | null; readonly files: readonly ShelfFile[] } {
  const of = area === "memory" ? memoryProject(facts, project) : null;
  const shelf = of === null ? null : memoryShelfId(of);
  const found = new Map<string, ShelfFile>();
  for (const { session, file } of facts.vault.index.allLeaves()) {
    const name = shelfArea(file) === area ? parseFileName(file) : null;
    if (name === null || found.has(`${session}/${name}`)) continue;
    const own = shelf ?? plansOfFile(planOf(name)).map(planShelfId).find((id) => id === session);
    if (own !== session) continue;
    const stored = shelfFile(facts, own, name, of);
    if (stored !== null) found.set(`${session}/${name}`, stored);
  }
  const files = [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return { project: of, files };
}

function planOf(name: FileName): string {
  return name.slice("plans/".length);
}

function shelfFile(
  { vault }: ChoiceFacts,
  shelf: SessionId,
  name: FileName,
  project: ProjectIdentity | null,
): ShelfFile | null {
  const { index, forgotten } = vault;
  const leaves = index.leaves(shelf, name).toSorted(newestFirst);
  const [newest] = leaves;
  if (newest === undefined) return null;
  const hidden = forgotten.hidden(shelf, name);
  const versions = index.versions(shelf, name)
    .filter((version) => !hidden.has(stateKey(version)));
  return { shelf, name, project, newest, leaves, versions };
}

/** The client keeps a memory with the top of the main work tree, wherever it was started. */
function memoryProject(facts: ChoiceFacts, wanted: string | null): ProjectIdentity {
  const { vault, projects } = facts;
  const { fs, host } = vault.context.platform;
  if (wanted === null) {
    const dir = host.cwd();
    const real = fs.realpath(dir) ?? dir;
    return projects.ofDir(findRepository(fs, host.os, real)?.mainDir ?? real);
  }
  const shelves = new Set<string>();
  for (const { session, file } of vault.index.allLeaves()) {
    if (shelfArea(file) === "memory") shelves.add(session);
  }
  const remembered = [...shelves].map((shelf) => projects.ofVaultSession(shelf));
  const found = matchProject(remembered, wanted);
  if (found !== null) return found;
  const project = chooseProject(facts, wanted);
  return project.kind === "git" ? { ...project, sub: "" } : project;
}

/**
 * Where the file belongs here. Errors: `not-found` when its project has no folder, `unsafe-file`
 * when that has another memory.
 */
export function placeOfShelfFile(facts: ChoiceFacts, file: ShelfFile): ShelfPlace {
  const { vault, local } = facts;
  const { fs } = vault.context.platform;
  if (file.project === null) {
    const namers = new PlanNames(fs, vault.database).namers(local.all());
    const plan = plansOfFile(planOf(file.name)).find((each) => planShelfId(each) === file.shelf)!;
    const own = namers.get(plan) ?? [];
    const slug = own[0]?.slug ?? "";
    const path = pathOf(vault.root, slug, file.shelf, file.name);
    const here = discoverPlans(fs, vault.root).files.find((each) => each.path === path) ?? null;
    return { slug, path, here, namers: own };
  }
  const slug = memorySlug(facts, file.shelf, file.project);
  if (slug === null) {
    throw new ClaudeSyncError("not-found", "The memory's project has no folder here", {
      hint: "Say where it is (claude-sync project map PROJECT DIR), or take --to DIR",
    });
  }
  const path = pathOf(vault.root, slug, file.shelf, file.name);
  const files = local.memories.find((memory) => memory.slug === slug)?.files ?? [];
  // As a pull does: the vault may have two memories for one folder, and the first one stays.
  if ((shelfOfRows(files, vault.locals.all()) ?? file.shelf) !== file.shelf) {
    throw new ClaudeSyncError("unsafe-file", "The folder of that project holds another memory", {
      hint: "It is from before the project got its remote; take --to DIR",
    });
  }
  return { slug, path, here: files.find((each) => each.path === path) ?? null, namers: [] };
}

/** The folder below `projects/` that a memory stands in, or shall; null when nothing tells. */
export function memorySlug(
  { vault, local, projects }: ChoiceFacts,
  shelf: SessionId,
  project: ProjectIdentity,
): string | null {
  const folders = new MemoryFolders(vault, projects, () => local.known().map(({ dir }) => dir));
  const wanted = folders.slugOfShelf(shelf);
  const rows = vault.locals.all();
  const there = local.memories.filter(({ files }) => shelfOfRows(files, rows) === shelf);
  const isThere = there.some(({ slug }) => slug === wanted);
  return (isThere ? null : there[0]?.slug) ?? wanted ?? local.slugFor(project, true);
}
