/**
 * Which projects the sessions of another computer, or of a backup, belong to: their folders are
 * mostly not here, or have another path.
 */
import type { Host } from "../platform/types.ts";
import { realpathIfAny, statIfAny } from "../sessions/foreign_file.ts";
import type { LocalSession } from "../sessions/discover.ts";
import { pathRules } from "../sessions/local_path.ts";
import { belowHome, pathUnderForeignHome } from "../sessions/placement.ts";
import {
  identifyProject,
  parseProjectIdentity,
  type ProjectIdentity,
} from "../sessions/project.ts";
import { slugOf } from "../sessions/slug.ts";
import { readTranscriptHead } from "../sessions/transcript_file.ts";
import { transcriptOf } from "./pull_place.ts";
import { ProjectFinder } from "./projects.ts";
import type { OpenVault } from "./vault_access.ts";

/** Folders above a working folder that may hold its memory. */
const PARENTS_MAX = 32;

/** Finds projects of imported sessions. */
export class ImportedProjects extends ProjectFinder {
  readonly #vault: OpenVault;
  /** The home folder that the imported folder lies in, when it is a `.claude` in one. */
  readonly #oldHome: string | null;
  readonly #sessions: readonly LocalSession[];
  #bySlug: Map<string, string> | null = null;

  constructor(vault: OpenVault, configDir: string, sessions: readonly LocalSession[]) {
    super(vault.context.platform, vault.index);
    const { basename, dirname } = pathRules(vault.root.os);
    this.#vault = vault;
    this.#oldHome = basename(configDir) === ".claude" ? dirname(configDir) : null;
    this.#sessions = sessions;
  }

  /**
   * As for a folder here when it is here; else what the old home, where the backup has it, tells;
   * else the same path below this home for one below another.
   */
  override ofDir(dir: string): ProjectIdentity {
    const { fs, host } = this.#vault.context.platform;
    const isAbsolute = pathRules(host.os).isAbsolute(dir) && !dir.includes("\0");
    if (isAbsolute && statIfAny(fs, dir)?.kind === "directory") return super.ofDir(dir);
    const below = pathUnderForeignHome(dir);
    if (below !== null) return this.#belowHome(below) ?? super.ofDir(dir);
    const drive = /^([A-Za-z]):[\\/]/.exec(dir);
    if (drive === null || host.os === "windows") return super.ofDir(dir);
    const path = `${drive[1]!.toUpperCase()}:/${dir.slice(3).replaceAll("\\", "/")}`;
    const identity = { kind: "path", path: path.normalize("NFC") };
    return parseProjectIdentity(identity) ?? super.ofDir(dir);
  }

  #belowHome(below: string): ProjectIdentity | null {
    const { fs, host } = this.#vault.context.platform;
    const homes: Host[] = [host];
    if (this.#oldHome !== null) homes.unshift({ ...host, home: this.#oldHome });
    for (const each of homes) {
      const dir = belowHome(each, below);
      const real = dir === null ? null : realpathIfAny(fs, dir);
      // A link in a backup may lead anywhere; then it tells nothing.
      if (real !== null && (each === host || real === dir)) return identifyProject(fs, each, real);
    }
    return parseProjectIdentity({ kind: "home", path: below.normalize("NFC") });
  }

  /** The project whose memory stands in the folder `slug`; null when no session tells. */
  projectOf(slug: string): ProjectIdentity | null {
    this.#bySlug ??= this.#foldersBySlug();
    const dir = this.#bySlug.get(slug);
    return dir === undefined ? null : this.ofDir(dir);
  }

  #foldersBySlug(): Map<string, string> {
    const { fs } = this.#vault.context.platform;
    const bySlug = new Map<string, string>();
    const parents: string[] = [];
    const add = (dir: string) => {
      const slug = slugOf(dir);
      if (!bySlug.has(slug)) bySlug.set(slug, dir);
    };
    for (const session of this.#sessions) {
      const transcript = transcriptOf(session);
      const cwd = transcript === undefined
        ? null
        : readTranscriptHead(fs, transcript.path)?.firstCwd;
      if (cwd === null || cwd === undefined) continue;
      add(cwd);
      parents.push(cwd);
    }
    // What a session names itself wins over what may stand above it.
    for (const cwd of parents) {
      const { dirname } = pathRules(/^[A-Za-z]:/.test(cwd) ? "windows" : "linux");
      for (let [at, steps] = [cwd, 0]; dirname(at) !== at && steps < PARENTS_MAX; steps++) {
        at = dirname(at);
        add(at);
      }
    }
    return bySlug;
  }
}
