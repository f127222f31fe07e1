/**
 * Compares what every session should be with what is here, and says what is to be written. Writes
 * nothing.
 */
import { isClaudeSyncError } from "../errors.ts";
import type { FileStat } from "../platform/types.ts";
import { discoverSessions, type Discovery, type LocalSession } from "../sessions/discover.ts";
import { TRANSCRIPT } from "../sessions/file_name.ts";
import { pathOf } from "../sessions/layout.ts";
import { liveSessions, looksLive } from "../sessions/live.ts";
import { type KnownFolder, knownFolders, placeProject } from "../sessions/placement.ts";
import { translatedDir } from "../sessions/placement.ts";
import { type ProjectIdentity, projectKey } from "../sessions/project.ts";
import { cleanupPeriodDays, isPastRetention } from "../sessions/retention.ts";
import { slugOf } from "../sessions/slug.ts";
import { readTranscriptTail } from "../sessions/transcript_file.ts";
import type { Failure } from "./api.ts";
import { isSettled, isUnchanged, type LocalFileRow } from "./local_files.ts";
import { isExcluded, type ProjectFinder } from "./projects.ts";
import { failureOf } from "./push.ts";
import { lookAt } from "./push_files.ts";
import type { FileState } from "./segment_index.ts";
import type { FileTarget, SessionTarget, Targets } from "./targets.ts";
import type { OpenVault } from "./vault_access.ts";

/** One file to write. */
export interface WriteOperation {
  readonly session: SessionTarget;
  readonly target: FileTarget;
  readonly path: string;
  /** The file as it is now; null when there is none. */
  readonly expected: FileStat | null;
  /** The state that all of the present file is, when it is one. */
  readonly base: FileState | null;
}

/** Which sessions a pull is about. */
export interface PullScope {
  /** Null = all. Sessions named by the user are brought back from the archive too. */
  readonly ids: ReadonlySet<string> | null;
  readonly all: boolean;
  /** Folder that a hook reports. */
  readonly hookCwd: string | null;
}

/** What is to be done, in order of writing, and what is not and why. */
export interface PullPlan {
  readonly writes: readonly WriteOperation[];
  /** Sessions with bytes that the vault must have before they are replaced. */
  readonly pushFirst: readonly LocalSession[];
  readonly waiting: readonly SessionTarget[];
  readonly unplaced: readonly {
    readonly session: SessionTarget;
    readonly project: ProjectIdentity | null;
  }[];
  readonly archived: readonly SessionTarget[];
  readonly failures: readonly Failure[];
}

interface Draft {
  readonly writes: WriteOperation[];
  readonly pushFirst: LocalSession[];
  readonly waiting: SessionTarget[];
  readonly unplaced: { session: SessionTarget; project: ProjectIdentity | null }[];
  readonly archived: SessionTarget[];
  readonly failures: Failure[];
}

/** Plans for one look at the local files. */
export class PullPlanner {
  /** Our own temporary files among the client's, which a crash may have left. */
  readonly leftovers: Discovery["temps"];
  readonly #slugLinks: Discovery["slugLinks"];
  readonly #vault: OpenVault;
  readonly #projects: ProjectFinder;
  readonly #scope: PullScope;
  readonly #rows: ReadonlyMap<string, LocalFileRow>;
  readonly #local = new Map<string, LocalSession[]>();
  readonly #live: ReadonlySet<string>;
  readonly #cleanupDays: number;
  #known: readonly KnownFolder[] | null = null;
  readonly #draft: Draft = {
    writes: [],
    pushFirst: [],
    waiting: [],
    unplaced: [],
    archived: [],
    failures: [],
  };

  constructor(vault: OpenVault, projects: ProjectFinder, scope: PullScope) {
    const { fs, host } = vault.context.platform;
    this.#vault = vault;
    this.#projects = projects;
    this.#scope = scope;
    this.#rows = vault.locals.all();
    this.#live = liveSessions(fs, host, vault.root);
    this.#cleanupDays = cleanupPeriodDays(fs, vault.root);
    const discovery = discoverSessions(fs, vault.root);
    this.leftovers = discovery.temps;
    this.#slugLinks = discovery.slugLinks;
    for (const session of discovery.sessions) {
      this.#local.set(session.id, [...(this.#local.get(session.id) ?? []), session]);
    }
  }

  /** Plans all sessions of `targets`. Errors: those of reading the vault. */
  async plan(targets: Targets): Promise<PullPlan> {
    const newestFirst = [...targets.sessions.values()]
      .map((session) => ({ session, atMs: newestMs(session) }))
      .sort((a, b) => b.atMs - a.atMs || (a.session.id < b.session.id ? -1 : 1));
    for (const { session } of newestFirst) {
      this.#vault.context.signal.throwIfAborted();
      if (this.#scope.ids !== null && !this.#scope.ids.has(session.id)) continue;
      try {
        await this.#planSession(session);
      } catch (error) {
        this.#draft.failures.push(failureOf(error, session.id));
      }
    }
    return { ...this.#draft, failures: [...targets.failures, ...this.#draft.failures] };
  }

  async #planSession(session: SessionTarget): Promise<void> {
    const here = this.#here(session.id);
    if (here === null) return this.#planAbsent(session);
    const stale = session.files.filter((file) => !this.#isCurrent(here, file));
    if (stale.length === 0) return;
    if (this.#isExcluded(this.#projects.ofSession(here))) return;
    const writes: WriteOperation[] = [];
    let needsPush = false;
    for (const target of stale) {
      const planned = await this.#planFile(session, here, target);
      if (planned === "push-first") needsPush = true;
      else if (planned !== null) writes.push(planned);
    }
    if (writes.length === 0 && !needsPush) return;
    if (this.#isLive(here)) this.#draft.waiting.push(session);
    else if (needsPush) this.#draft.pushFirst.push(here);
    else this.#draft.writes.push(...writes);
  }

  #isExcluded(project: ProjectIdentity | null): boolean {
    return !this.#scope.all && isExcluded(this.#vault.config, project);
  }

  /** Of an id that stands in two folders, the one with the longest transcript. */
  #here(id: string): LocalSession | null {
    const size = (session: LocalSession) =>
      session.files.find((file) => file.name === TRANSCRIPT)?.stat.sizeBytes ?? -1;
    const all = this.#local.get(id) ?? [];
    const [best] = all.length > 1 ? all.toSorted((a, b) => size(b) - size(a)) : all;
    return best !== undefined && size(best) >= 0 ? best : null;
  }

  #isCurrent(here: LocalSession, target: FileTarget): boolean {
    const file = here.files.find((each) => each.name === target.name);
    if (file === undefined) return this.#wasRemovedHere(here, target);
    const row = this.#rows.get(file.path);
    return isSettled(row, file.stat) && row!.hash === target.hash && row!.gen === target.gen;
  }

  /** A file that was here at this very state and was taken away stays away. */
  #wasRemovedHere(here: LocalSession, target: FileTarget): boolean {
    if (this.#scope.all) return false;
    const row = this.#rows.get(pathOf(this.#vault.root, here.slug, here.id, target.name));
    return row !== undefined && row.hash === target.hash;
  }

  async #planFile(
    session: SessionTarget,
    here: LocalSession,
    target: FileTarget,
  ): Promise<WriteOperation | "push-first" | null> {
    const file = here.files.find((each) => each.name === target.name);
    if (file === undefined) {
      const path = pathOf(this.#vault.root, here.slug, here.id, target.name);
      return { session, target, path, expected: null, base: null };
    }
    const operation = { session, target, path: file.path, expected: file.stat };
    const row = this.#rows.get(file.path);
    if (row !== undefined && isSettled(row, file.stat)) return { ...operation, base: row };
    const looked = await lookAt(this.#vault, here, file, row, true);
    const { state, item, scan } = looked;
    if (state === null || scan === null) return { ...operation, base: null };
    const reaches = (one: FileState) => one.hash === target.hash && one.gen === target.gen;
    if (item !== null) return reaches(state) && item.replaces === null ? null : "push-first";
    const isWhole = state.len === scan.sizeBytes;
    if (isWhole && reaches(state)) return null;
    return { ...operation, expected: scan.stat, base: isWhole ? state : null };
  }

  #isLive(here: LocalSession): boolean {
    if (this.#live.has(here.id)) return true;
    const transcript = here.files.find((file) => file.name === TRANSCRIPT)!;
    const row = this.#rows.get(transcript.path);
    if (row !== undefined && isUnchanged(row, transcript.stat)) return false;
    const { fs, clock } = this.#vault.context.platform;
    const lastVersion = readTranscriptTail(fs, transcript.path)?.lastVersion ?? null;
    return looksLive({ mtimeMs: transcript.stat.mtimeMs, lastVersion, nowMs: clock.nowMs() });
  }

  #planAbsent(session: SessionTarget): void {
    const transcript = session.files.find((file) => file.name === TRANSCRIPT);
    if (transcript === undefined) return;
    const project = this.#projects.ofVaultSession(session.root);
    if (this.#isExcluded(project)) return;
    const isAsked = this.#scope.all || this.#scope.ids !== null;
    const nowMs = this.#vault.context.platform.clock.nowMs();
    const wasHere = this.#vault.locals.ofFile(session.id, TRANSCRIPT)
      .some((row) => row.hash === transcript.hash);
    const isOld = isPastRetention(transcript.mtimeMs, this.#cleanupDays, nowMs);
    if (!isAsked && (wasHere || isOld)) {
      this.#draft.archived.push(session);
      return;
    }
    const slug = this.#slugOf(session, project, isAsked);
    if (slug === null) {
      this.#draft.unplaced.push({ session, project });
      return;
    }
    for (const target of session.files) {
      const path = pathOf(this.#vault.root, slug, session.id, target.name);
      const expected = this.#vault.context.platform.fs.lstat(path);
      // What is there was not written by a session of this id that we know: it stays.
      if (expected !== null && expected.sizeBytes > 0) continue;
      this.#draft.writes.push({ session, target, path, expected, base: null });
    }
  }

  /**
   * The folder name for a session that is not here; a branch stands beside the session it came
   * from.
   */
  #slugOf(
    session: SessionTarget,
    project: ProjectIdentity | null,
    isAsked: boolean,
  ): string | null {
    const root = session.root === session.id ? null : this.#here(session.root);
    if (root !== null) return root.slug;
    const dir = project === null ? null : this.#dirOf(project, isAsked);
    if (dir === null) return null;
    const slug = slugOf(this.#vault.context.platform.fs.realpath(dir) ?? dir);
    return this.#slugLinks.get(slug) ?? slug;
  }

  #dirOf(project: ProjectIdentity, isAsked: boolean): string | null {
    const { fs, host } = this.#vault.context.platform;
    this.#known ??= knownFolders(fs, host, this.#vault.root, [...this.#local.values()].flat());
    const placed = placeProject(project, {
      fs,
      host,
      maps: new Map(Object.entries(this.#vault.config.maps)),
      known: this.#known,
      ...(this.#scope.hookCwd === null ? {} : { hookCwd: this.#scope.hookCwd }),
    });
    if (placed !== null) return placed.dir;
    return isAsked ? translatedDir(project, host) : null;
  }
}

function newestMs(session: SessionTarget): number {
  return Math.max(0, ...session.files.map((file) => file.mtimeMs));
}

/** Key and short name for sessions whose project is unknown. */
export function keyOfProject(project: ProjectIdentity | null): string {
  return project === null ? "unknown" : projectKey(project);
}

/** Whether `error` says that the vault itself is not to be trusted right now. */
export function isAlarm(error: unknown): boolean {
  return isClaudeSyncError(error, "damaged", "rolled-back", "forked", "incomplete");
}
