/** Which project a session belongs to, here and in the vault. */
import type { FileSystem, Host } from "../platform/types.ts";
import type { LocalSession } from "../sessions/discover.ts";
import { identifyProject, parseProjectIdentity } from "../sessions/project.ts";
import { type ProjectIdentity, projectKey } from "../sessions/project.ts";
import { sessionFolder } from "../sessions/placement.ts";
import type { Config } from "./home.ts";
import type { SegmentIndex } from "./segment_index.ts";

/** Finds projects; asks the disk once per folder. */
export class ProjectFinder {
  readonly #fs: FileSystem;
  readonly #host: Host;
  readonly #index: SegmentIndex;
  readonly #byDir = new Map<string, ProjectIdentity>();
  readonly #byClaim = new Map<string, ProjectIdentity | null>();

  constructor(platform: { fs: FileSystem; host: Host }, index: SegmentIndex) {
    this.#fs = platform.fs;
    this.#host = platform.host;
    this.#index = index;
  }

  /**
   * The project of a local session: what the vault says of it, else that of the folder it was begun
   * in. Null when neither tells.
   */
  ofSession(session: LocalSession): ProjectIdentity | null {
    const claimed = this.ofVaultSession(session.id);
    if (claimed !== null) return claimed;
    const dir = sessionFolder(this.#fs, this.#host, session);
    return dir === null ? null : this.ofDir(dir);
  }

  /** The project that the vault's log names for a session; null when it names none. */
  ofVaultSession(session: string): ProjectIdentity | null {
    const claim = this.#index.projectClaim(session);
    if (claim === null) return null;
    const known = this.#byClaim.get(claim);
    if (known !== undefined) return known;
    const identity = parseProjectIdentity(JSON.parse(claim));
    this.#byClaim.set(claim, identity);
    return identity;
  }

  /** The project that a folder is. */
  ofDir(dir: string): ProjectIdentity {
    const known = this.#byDir.get(dir);
    if (known !== undefined) return known;
    const identity = identifyProject(this.#fs, this.#host, dir);
    this.#byDir.set(dir, identity);
    return identity;
  }
}

/** Whether the user keeps this project off the sync on this machine. */
export function isExcluded(config: Config, identity: ProjectIdentity | null): boolean {
  return identity !== null && config.excluded.includes(projectKey(identity));
}
