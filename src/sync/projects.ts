/** Which project a session belongs to, here and in the vault. */
import { utf8 } from "../base/bytes.ts";
import type { FileSystem, Host } from "../platform/types.ts";
import { mayBeBranchId } from "../sessions/branch_id.ts";
import type { LocalSession } from "../sessions/discover.ts";
import { identifyProject, parseProjectIdentity } from "../sessions/project.ts";
import { type ProjectIdentity, projectKey } from "../sessions/project.ts";
import { sessionFolder } from "../sessions/placement.ts";
import type { SessionId } from "../sessions/session_id.ts";
import type { ProjectClaim } from "../vault/entry_body.ts";
import { PROJECT_TEXT_BYTES_MAX } from "../vault/format.ts";
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
   * The project of a local session: what the vault says of it or of the session it branched off,
   * else that of the folder it was begun in. Null when none tells.
   */
  ofSession(session: LocalSession): ProjectIdentity | null {
    const claimed = this.ofVaultSession(session.id) ?? this.#ofRoot(session.id);
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

  #ofRoot(session: SessionId): ProjectIdentity | null {
    const root = mayBeBranchId(session) ? this.#index.rootOf(session) : null;
    return root === null ? null : this.ofVaultSession(root);
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

/**
 * The project as an entry can say it; null when its path is longer than the format takes. Such a
 * session is synced all the same.
 */
export function projectClaim(identity: ProjectIdentity | null): ProjectClaim {
  if (identity === null) return null;
  const isTooLong = (text: string) => utf8(text).length > PROJECT_TEXT_BYTES_MAX;
  return Object.values(identity).some(isTooLong) ? null : identity;
}

/** Whether the user keeps this project, or one whose folder it lies in, off the sync here. */
export function isExcluded(config: Config, identity: ProjectIdentity | null): boolean {
  if (identity === null) return false;
  const key = projectKey(identity);
  return config.excluded.some((excluded) => key === excluded || liesBelow(key, excluded));
}

function liesBelow(key: string, excluded: string): boolean {
  // Who excludes the home folder or a whole disk means what is begun right there.
  if (/^(home:|path:([A-Z]:)?\/)$/.test(excluded)) return false;
  const isRepository = excluded.startsWith("git:") && !excluded.includes("//");
  return key.startsWith(isRepository ? `${excluded}//` : `${excluded}/`);
}

/** Says which local sessions belong to excluded projects. */
export class Exclusion {
  readonly #config: Config;
  readonly #projects: ProjectFinder;
  readonly #sessions: readonly LocalSession[];
  readonly #bySlug = new Map<string, boolean | null>();

  /** `sessions`: all that are here. */
  constructor(config: Config, projects: ProjectFinder, sessions: readonly LocalSession[]) {
    this.#config = config;
    this.#projects = projects;
    this.#sessions = sessions;
  }

  /**
   * Whether the session is kept off. Parts of one whose transcript is elsewhere, or nowhere, go by
   * that transcript, else by the other sessions in the same folder; and stay here when there is
   * nothing to go by: what was excluded must not get out.
   */
  excludes(session: LocalSession): boolean {
    if (this.#config.excluded.length === 0) return false;
    const project = this.#projects.ofSession(session) ?? this.#ofOtherCopy(session);
    return project === null
      ? this.#verdictOn(session.slug) ?? true
      : isExcluded(this.#config, project);
  }

  #ofOtherCopy({ id, slug }: LocalSession): ProjectIdentity | null {
    for (const other of this.#sessions) {
      if (other.id !== id || other.slug === slug) continue;
      const project = this.#projects.ofSession(other);
      if (project !== null) return project;
    }
    return null;
  }

  /** Whether the folder `slug` is known to hold sessions of an excluded project. */
  excludesSlug(slug: string): boolean {
    return this.#config.excluded.length > 0 && this.#verdictOn(slug) === true;
  }

  #verdictOn(slug: string): boolean | null {
    const known = this.#bySlug.get(slug);
    if (known !== undefined) return known;
    const projects = this.#sessions.filter((session) => session.slug === slug)
      .flatMap((session) => this.#projects.ofSession(session) ?? []);
    const excludes = projects.length === 0
      ? null
      : projects.some((project) => isExcluded(this.#config, project));
    this.#bySlug.set(slug, excludes);
    return excludes;
  }
}
