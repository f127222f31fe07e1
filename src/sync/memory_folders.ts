/**
 * Whose memory a folder below `projects/` holds, and where a project's memory belongs here. The
 * client keeps it with the top of the main work tree, wherever in the repository it was started.
 */
import { realpathIfAny } from "../sessions/foreign_file.ts";
import { findRepository } from "../sessions/git_folder.ts";
import { pathRules } from "../sessions/local_path.ts";
import { type ProjectIdentity } from "../sessions/project.ts";
import { memoryShelfId } from "../sessions/shelf.ts";
import { slugOf } from "../sessions/slug.ts";
import type { ProjectFinder } from "./projects.ts";
import type { OpenVault } from "./vault_access.ts";

/** The folders that Claude Code was used in here. Asks the disk when it is asked. */
export class MemoryFolders {
  readonly #vault: OpenVault;
  readonly #projects: ProjectFinder;
  readonly #knownDirs: () => readonly string[];
  readonly #slugs = new Map<string, ProjectIdentity>();
  /** Folders that were looked at for where a memory belongs; null = not yet. */
  #dirs: readonly string[] | null = null;
  #hasParents = false;
  readonly #byShelf = new Map<string, string>();

  /** `knownDirs`: existing folders, most recently used first. */
  constructor(vault: OpenVault, projects: ProjectFinder, knownDirs: () => readonly string[]) {
    this.#vault = vault;
    this.#projects = projects;
    this.#knownDirs = knownDirs;
  }

  /** The project whose memory stands in the folder `slug`; null when nothing here tells. */
  projectOf(slug: string): ProjectIdentity | null {
    const dirs = this.#lookAtTops();
    const { dirname } = pathRules(this.#vault.context.platform.host.os);
    // A memory may also stand with a folder in a repository, or above one that is known.
    for (const dir of this.#hasParents ? [] : dirs) {
      for (let at = dir; dirname(at) !== at; at = dirname(at)) this.#add(at, "may stand here");
    }
    this.#hasParents = true;
    return this.#slugs.get(slug) ?? null;
  }

  /** The folder name for the memory of the project with this shelf; null when it is not here. */
  slugOfShelf(id: string): string | null {
    this.#lookAtTops();
    return this.#byShelf.get(id) ?? null;
  }

  #lookAtTops(): readonly string[] {
    if (this.#dirs !== null) return this.#dirs;
    const { fs, host } = this.#vault.context.platform;
    const mapped = Object.values(this.#vault.config.maps);
    // In the order in which sessions are placed.
    const chosen = [host.cwd(), ...mapped].flatMap((dir) => realpathIfAny(fs, dir) ?? []);
    this.#dirs = [...chosen, ...this.#knownDirs()];
    const tops = this.#dirs.map((dir) => findRepository(fs, host.os, dir)?.mainDir ?? dir);
    for (const top of tops) this.#add(realpathIfAny(fs, top) ?? top, "belongs here");
    return this.#dirs;
  }

  #add(dir: string, how: "belongs here" | "may stand here"): void {
    const slug = slugOf(dir);
    if (this.#slugs.has(slug)) return;
    const project = this.#projects.ofDir(dir);
    this.#slugs.set(slug, project);
    const id = memoryShelfId(project);
    if (how === "belongs here" && !this.#byShelf.has(id)) this.#byShelf.set(id, slug);
  }
}
