/** Where the sessions are on this machine, and where one that is not here would go. */
import {
  discoverSessions,
  type Discovery,
  type LocalFile,
  type LocalSession,
} from "../sessions/discover.ts";
import { TRANSCRIPT } from "../sessions/file_name.ts";
import { type KnownFolder, placeProject } from "../sessions/placement.ts";
import { translatedDir } from "../sessions/placement.ts";
import { type ProjectIdentity, projectKey } from "../sessions/project.ts";
import { slugOfDir } from "../sessions/slug.ts";
import { foldersKnownHere } from "./known_folders.ts";
import { LOOK_BYTES } from "./look_bytes.ts";
import type { OpenVault } from "./vault_access.ts";

/** One look at the local files. */
export class LocalView {
  /** Our own temporary files among the client's, which a crash may have left. */
  readonly leftovers: Discovery["temps"];
  /** What sessions have written down for later ones, by project. */
  readonly memories: Discovery["memories"];
  readonly #slugLinks: Discovery["slugLinks"];
  readonly #empties: Discovery["empties"];
  readonly #vault: OpenVault;
  readonly #all: readonly LocalSession[];
  /** The first copy of each. */
  readonly #sessions = new Map<string, LocalSession>();
  /** All copies of those that stand in several folders. */
  readonly #copies = new Map<string, LocalSession[]>();
  readonly #maps: ReadonlyMap<string, string>;
  #known: readonly KnownFolder[] | null = null;
  /** What `slugFor` gave: hundreds of sessions may wait for one project's folder. */
  readonly #slugs = new Map<string, string | null>();

  /** `discovery`: what was found just now, when the caller has looked. */
  constructor(
    vault: OpenVault,
    discovery = discoverSessions(vault.context.platform.fs, vault.root),
  ) {
    this.#vault = vault;
    this.#maps = new Map(Object.entries(vault.config.maps));
    this.leftovers = discovery.temps;
    this.memories = discovery.memories;
    this.#slugLinks = discovery.slugLinks;
    this.#empties = discovery.empties;
    this.#all = discovery.sessions;
    vault.context.platform.memory.passed(this.#all.length * LOOK_BYTES);
    for (const session of this.#all) {
      const first = this.#sessions.get(session.id);
      const copies = this.#copies.get(session.id);
      if (first === undefined) this.#sessions.set(session.id, session);
      else if (copies === undefined) this.#copies.set(session.id, [first, session]);
      else copies.push(session);
    }
  }

  /** Ids of all sessions that are here. */
  ids(): Iterable<string> {
    return this.#sessions.keys();
  }

  /** Everything of every session that is here. */
  all(): readonly LocalSession[] {
    return this.#all;
  }

  /**
   * Every place that holds the session's transcript, the longest first. One that a power cut has
   * emptied is none beside another that has text: filled again, the session would be listed twice.
   */
  copies(id: string): readonly LocalSession[] {
    const first = this.#sessions.get(id);
    if (first === undefined) return [];
    const all = this.#copies.get(id) ?? [first];
    const copies = all.filter((session) => transcriptOf(session) !== undefined);
    if (copies.length < 2) return copies;
    const size = (session: LocalSession) => transcriptOf(session)!.stat.sizeBytes;
    const sorted = copies.toSorted((a, b) => size(b) - size(a) || (a.slug < b.slug ? -1 : 1));
    return sorted.filter((session, index) => index === 0 || size(session) > 0);
  }

  /** The folder name where the session stands with an empty transcript and nothing else. */
  slugOfEmpty(id: string): string | null {
    return this.#empties.get(id) ?? null;
  }

  /** The folder name for a session of which nobody knows the project: that of `dir`. */
  slugOfDir(dir: string): string {
    const { fs, host } = this.#vault.context.platform;
    const slug = slugOfDir(fs, host, dir);
    return this.#slugLinks.get(slug) ?? slug;
  }

  /** The folders here that Claude Code was used in. */
  known(): readonly KnownFolder[] {
    return this.#known ??= foldersKnownHere(this.#vault, this.all());
  }

  /**
   * The folder name below `projects/` for a session of `project`, or null when nothing tells where
   * the project is. `mayTranslate`: take the other machine's path then, even if it is not here.
   */
  slugFor(project: ProjectIdentity, mayTranslate: boolean): string | null {
    const key = `${mayTranslate}/${projectKey(project)}`;
    const known = this.#slugs.get(key);
    if (known !== undefined) return known;
    const slug = this.#findSlug(project, mayTranslate);
    this.#slugs.set(key, slug);
    return slug;
  }

  #findSlug(project: ProjectIdentity, mayTranslate: boolean): string | null {
    const { fs, host } = this.#vault.context.platform;
    const maps = this.#maps;
    const placed = placeProject(project, { fs, host, maps, known: this.known(), cwd: host.cwd() });
    const dir = placed?.dir ?? (mayTranslate ? translatedDir(project, host) : null);
    return dir === null ? null : this.slugOfDir(dir);
  }
}

/** The session's transcript, when it has one here. */
export function transcriptOf(session: LocalSession): LocalFile | undefined {
  const first = session.files[0];
  return first?.name === TRANSCRIPT ? first : undefined;
}
