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
  #slugs: Map<string, ProjectIdentity> | null = null;
  readonly #byShelf = new Map<string, string>();

  /** `knownDirs`: existing folders, most recently used first. */
  constructor(vault: OpenVault, projects: ProjectFinder, knownDirs: () => readonly string[]) {
    this.#vault = vault;
    this.#projects = projects;
    this.#knownDirs = knownDirs;
  }

  /** The project whose memory stands in the folder `slug`; null when nothing here tells. */
  projectOf(slug: string): ProjectIdentity | null {
    return this.#all().get(slug) ?? null;
  }

  /** The folder name for the memory of the project with this shelf; null when it is not here. */
  slugOfShelf(id: string): string | null {
    this.#all();
    return this.#byShelf.get(id) ?? null;
  }

  #all(): ReadonlyMap<string, ProjectIdentity> {
    if (this.#slugs !== null) return this.#slugs;
    const { fs, host } = this.#vault.context.platform;
    this.#slugs = new Map();
    const mapped = Object.values(this.#vault.config.maps);
    // In the order in which sessions are placed.
    const chosen = [host.cwd(), ...mapped].flatMap((dir) => realpathIfAny(fs, dir) ?? []);
    const dirs = [...chosen, ...this.#knownDirs()];
    const tops = dirs.map((dir) => findRepository(fs, host.os, dir)?.mainDir ?? dir);
    for (const top of tops) this.#add(realpathIfAny(fs, top) ?? top, "belongs here");
    // A memory may also stand with a folder in a repository, or above one that is known.
    for (const dir of dirs) {
      const { dirname } = pathRules(host.os);
      for (let at = dir; dirname(at) !== at; at = dirname(at)) this.#add(at, "may stand here");
    }
    return this.#slugs;
  }

  #add(dir: string, how: "belongs here" | "may stand here"): void {
    const slug = slugOf(dir);
    const slugs = this.#slugs!;
    if (slugs.has(slug)) return;
    const project = this.#projects.ofDir(dir);
    slugs.set(slug, project);
    const id = memoryShelfId(project);
    if (how === "belongs here" && !this.#byShelf.has(id)) this.#byShelf.set(id, slug);
  }
}
