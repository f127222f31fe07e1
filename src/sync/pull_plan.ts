/**
 * Compares what every session should be with what is here, and says what is to be written. Writes
 * nothing. A session and its branches are one unit: where the content of one file moves to another,
 * either both are written or none.
 */
import { once } from "../base/once.ts";
import { ClaudeSyncError } from "../errors.ts";
import type { LocalSession } from "../sessions/discover.ts";
import { TRANSCRIPT } from "../sessions/file_name.ts";
import { pathOf } from "../sessions/layout.ts";
import { liveSessions, looksLive } from "../sessions/live.ts";
import { pathBelow } from "../sessions/local_path.ts";
import { type ProjectIdentity, projectKey } from "../sessions/project.ts";
import { cleanupPeriodDays, isPastRetention } from "../sessions/retention.ts";
import { parseSessionId } from "../sessions/session_id.ts";
import { readTranscriptTail } from "../sessions/transcript_file.ts";
import type { Failure } from "./api.ts";
import type { TranscriptTarget } from "./branch_targets.ts";
import { isSettled, isUnchanged, type LocalFileRow } from "./local_files.ts";
import { isExcluded, type ProjectFinder } from "./projects.ts";
import { LOOK_BYTES } from "./look_bytes.ts";
import { familyOf, NewTranscript, planFile } from "./pull_file.ts";
import type { WriteFamily, WriteOperation } from "./pull_file.ts";
import { type LocalView, transcriptOf } from "./pull_place.ts";
import { failureOf } from "./push.ts";
import type { FileTarget, SessionTarget, Targets } from "./targets.ts";
import type { OpenVault } from "./vault_access.ts";

/** Which sessions a pull is about. */
export interface PullScope {
  /** Null = all. Sessions named by the user are brought back from the archive too. */
  readonly ids: ReadonlySet<string> | null;
  readonly all: boolean;
  /** Memories that come along with `ids`; none unless given. */
  readonly shelves?: ReadonlySet<string>;
}

/** What is to be done, in order of writing, and what is not and why. */
export interface PullPlan {
  readonly families: readonly WriteFamily[];
  /** Sessions with bytes that the vault must have before they are replaced. */
  readonly pushFirst: readonly LocalSession[];
  readonly waiting: readonly SessionTarget[];
  readonly unplaced: readonly UnplacedSession[];
  readonly archived: readonly SessionTarget[];
  /** Ids that sessions have here because a forgotten transcript keeps their place. */
  readonly beside: ReadonlySet<string>;
  readonly failures: readonly Failure[];
}

/** A session whose project has no folder here. */
export interface UnplacedSession {
  readonly session: SessionTarget;
  readonly project: ProjectIdentity | null;
}

/** What planning one family leaves behind in memory. */
const FAMILY_BYTES = 4 * LOOK_BYTES;

interface FamilyDraft {
  readonly writes: WriteOperation[];
  readonly pushFirst: LocalSession[];
  readonly waiting: SessionTarget[];
  /** Where a forgotten transcript keeps its place, what others went on with, under its own id. */
  readonly beside: SessionTarget[];
  /** Some file loses content that is to stand in another one. */
  isReplaced: boolean;
}

/** Plans for one look at the local files. */
export class PullPlanner {
  readonly #vault: OpenVault;
  readonly #local: LocalView;
  readonly #projects: ProjectFinder;
  readonly #scope: PullScope;
  readonly #rows: () => ReadonlyMap<string, LocalFileRow>;
  /** Transcripts of `#rows` by session; made when the first session is not here. */
  #transcripts: ReadonlyMap<string, readonly LocalFileRow[]> | null = null;
  readonly #live: () => ReadonlySet<string>;
  readonly #cleanupDays: () => number;
  #branches: Targets["branches"] | null = null;
  readonly #unplaced: UnplacedSession[] = [];
  readonly #archived: SessionTarget[] = [];

  constructor(vault: OpenVault, local: LocalView, projects: ProjectFinder, scope: PullScope) {
    const { fs, host } = vault.context.platform;
    this.#vault = vault;
    this.#local = local;
    this.#projects = projects;
    this.#scope = scope;
    this.#rows = once(() => vault.locals.all());
    this.#live = once(() => liveSessions(fs, host, vault.root));
    this.#cleanupDays = once(() => cleanupPeriodDays(fs, vault.root));
  }

  /** Plans all sessions of `targets`. Errors: those of reading the vault. */
  async plan(targets: Targets): Promise<PullPlan> {
    this.#branches = targets.branches;
    const families: WriteFamily[] = [];
    const pushFirst: LocalSession[] = [];
    const waiting: SessionTarget[] = [];
    const failures: Failure[] = [...targets.failures];
    const beside = new Set<string>();
    const isStale = (session: SessionTarget) => !this.#isAllCurrent(session);
    for (const [root, members] of familiesWith(isStale, targets)) {
      this.#vault.context.signal.throwIfAborted();
      this.#vault.context.platform.memory.passed(FAMILY_BYTES);
      const { ids } = this.#scope;
      if (ids !== null && !members.some(({ id }) => ids.has(id))) continue;
      try {
        const draft = await this.#planFamily(members);
        waiting.push(...draft.waiting);
        for (const { id } of draft.beside) beside.add(id);
        if (draft.waiting.length > 0) continue;
        pushFirst.push(...draft.pushFirst);
        if (draft.pushFirst.length > 0 || draft.writes.length === 0) continue;
        families.push(familyOf(root, draft.writes));
      } catch (error) {
        failures.push(failureOf(error, root));
      }
    }
    const [unplaced, archived] = [this.#unplaced, this.#archived];
    return { families, pushFirst, waiting, unplaced, archived, beside, failures };
  }

  /** Whether every copy is here as it should be, so that there is nothing to plan. */
  #isAllCurrent(session: SessionTarget): boolean {
    this.#vault.context.platform.memory.passed(LOOK_BYTES);
    const copies = this.#local.copies(session.id);
    if (copies.length === 0) return false;
    for (const here of copies) {
      for (const file of session.files) if (!this.#isCurrent(here, file)) return false;
    }
    return true;
  }

  async #planFamily(members: readonly SessionTarget[]): Promise<FamilyDraft> {
    const draft: FamilyDraft = {
      ...{ writes: [], pushFirst: [], waiting: [], beside: [] },
      isReplaced: false,
    };
    const absent: SessionTarget[] = [];
    for (const session of members) {
      const copies = this.#local.copies(session.id);
      if (copies.length === 0) absent.push(session);
      for (const here of copies) await this.#planPresent(session, here, draft);
    }
    for (const session of absent) this.#planAbsent(session, draft, this.#archived);
    const isMember = (copy: SessionTarget) => members.some(({ id }) => id === copy.id);
    // A copy may find a file that stays, too, and then has one beside itself.
    for (const copy of draft.beside) {
      if (isMember(copy)) continue;
      const copies = this.#local.copies(copy.id);
      for (const here of copies) await this.#planPresent(copy, here, draft);
      // What was taken away or is old is no session of the vault that could be asked for.
      if (copies.length === 0) this.#planAbsent(copy, draft, []);
    }
    return draft;
  }

  async #planPresent(
    session: SessionTarget,
    here: LocalSession,
    draft: FamilyDraft,
  ): Promise<void> {
    const stale = session.files.filter((file) => !this.#isCurrent(here, file));
    if (stale.length === 0) return;
    const project = this.#projects.ofSession(here);
    if (this.#isExcluded(project)) return;
    const writes: WriteOperation[] = [];
    let needsPush = false;
    for (const target of stale) {
      const planned = await planFile(
        this.#vault,
        this.#rows(),
        session,
        here,
        target,
        this.#branches,
      );
      if (planned === "push-first") needsPush = true;
      else if (planned !== null && "beside" in planned) {
        addBeside(draft.beside, session, planned.beside);
      } // Files outside `projects/` are the same ones for every copy of the session.
      else if (planned !== null && !draft.writes.some(({ path }) => path === planned.path)) {
        writes.push(planned);
      }
    }
    if (writes.length === 0 && !needsPush) return;
    if (needsPush) this.#requireMaySend(session, project);
    if (this.#isLive(here)) draft.waiting.push(session);
    if (needsPush) draft.pushFirst.push(here);
    draft.writes.push(...writes);
    draft.isReplaced ||= needsPush || writes.some((operation) => this.#replaces(operation));
  }

  /** Whether the file loses what it has, instead of being continued. */
  #replaces({ session, target, base }: WriteOperation): boolean {
    if (target.name !== TRANSCRIPT) return false;
    if (base === null || target.isDerived) return true;
    const chain = this.#vault.index.chain(session.id, target.name, target) ?? [];
    return !chain.some(({ gen, hash }) => gen === base.gen && hash === base.hash);
  }

  /** Who names a session of an excluded project has not asked to send what is new in it. */
  #requireMaySend({ id: sessionId }: SessionTarget, project: ProjectIdentity | null): void {
    if (this.#scope.all || !isExcluded(this.#vault.config, project)) return;
    const message = "Turns here of an excluded project would have to be sent first; --all does so";
    throw new ClaudeSyncError("unsafe-file", message, { sessionId });
  }

  /** Who names a session wants it, whatever its project. */
  #isExcluded(project: ProjectIdentity | null): boolean {
    const { all, ids } = this.#scope;
    return !all && ids === null && isExcluded(this.#vault.config, project);
  }

  #isCurrent(here: LocalSession, target: FileTarget): boolean {
    const file = target.name === TRANSCRIPT
      ? transcriptOf(here)
      : here.files.find((each) => each.name === target.name);
    if (file === undefined) return this.#wasRemovedHere(here, target);
    const row = this.#rows().get(file.path);
    return isSettled(row, file.stat) && row!.hash === target.hash && row!.gen === target.gen;
  }

  /** A file that was here at this very state and was taken away stays so until it is asked for. */
  #wasRemovedHere(here: LocalSession, target: FileTarget): boolean {
    if (this.#scope.all || this.#scope.ids?.has(here.id)) return false;
    const row = this.#rows().get(pathOf(this.#vault.root, here.slug, here.id, target.name));
    return row !== undefined && row.hash === target.hash;
  }

  #isLive(here: LocalSession): boolean {
    if (this.#live().has(here.id)) return true;
    const transcript = transcriptOf(here)!;
    const row = this.#rows().get(transcript.path);
    if (transcript.stat.sizeBytes === 0) return false;
    if (row !== undefined && isUnchanged(row, transcript.stat)) return false;
    const { fs, clock } = this.#vault.context.platform;
    const lastVersion = readTranscriptTail(fs, transcript.path)?.lastVersion ?? null;
    return looksLive({ mtimeMs: transcript.stat.mtimeMs, lastVersion, nowMs: clock.nowMs() });
  }

  /** Who names a session means the folder that he is in; of all sessions nobody can say that. */
  #slugWithoutProject(): string | null {
    const { host } = this.#vault.context.platform;
    if (this.#scope.ids !== null) return this.#local.slugOfDir(host.cwd());
    return this.#scope.all ? this.#local.slugOfDir(host.home) : null;
  }

  /** Whether the session's transcript stood here at that very state. */
  #wasHere(id: string, hash: string): boolean {
    this.#transcripts ??= transcriptRows(this.#rows());
    const { os, configDir } = this.#vault.root;
    return (this.#transcripts.get(id) ?? []).some((row) =>
      // Another configuration folder of this user is another place.
      row.hash === hash && pathBelow(os, configDir, row.path) !== null
    );
  }

  #planAbsent(session: SessionTarget, draft: FamilyDraft, archived: SessionTarget[]): void {
    const transcript = session.files.find((file) => file.name === TRANSCRIPT);
    if (transcript === undefined) return;
    // A vault of many years has thousands that are not here: they are not asked for one by one.
    const mayBeExcluded = this.#vault.config.excluded.length > 0;
    if (mayBeExcluded && this.#isExcluded(this.#projects.ofVaultSession(session.root))) return;
    const isAsked = this.#scope.all || this.#scope.ids !== null;
    const nowMs = this.#vault.context.platform.clock.nowMs();
    // Claude Code and people remove files; one that is here and empty is what a power cut leaves.
    const emptied = this.#local.slugOfEmpty(session.id);
    const wasHere = emptied === null && this.#wasHere(session.id, transcript.hash);
    const isOld = isPastRetention(transcript.mtimeMs, this.#cleanupDays(), nowMs);
    // What another file of the family is about to lose must stand here, however old it is.
    if (!isAsked && !draft.isReplaced && (wasHere || isOld)) {
      archived.push(session);
      return;
    }
    const project = this.#projects.ofVaultSession(session.root);
    // A branch stands beside the session it came from, an emptied session where it was.
    const beside = emptied ?? this.#local.copies(session.root)[0]?.slug ?? null;
    const slug = beside ??
      (project === null ? this.#slugWithoutProject() : this.#local.slugFor(project, isAsked));
    if (slug === null) {
      this.#unplaced.push({ session, project });
      return;
    }
    const isAlone = session.files.length === 1 && session.root === session.id;
    for (const target of session.files) {
      const path = pathOf(this.#vault.root, slug, session.id, target.name);
      const expected = this.#vault.context.platform.fs.lstat(path);
      // What is there was not written by a session of this id that we know: it stays.
      if (expected !== null && expected.sizeBytes > 0) continue;
      draft.writes.push(
        isAlone
          ? new NewTranscript(this.#vault.root, slug, session, expected)
          : { session, target, path, expected, base: null },
      );
    }
  }
}

/** Two places of a session have one copy. */
function addBeside(
  beside: SessionTarget[],
  { root, machines }: SessionTarget,
  { session, ...state }: TranscriptTarget,
): void {
  const id = parseSessionId(session)!;
  if (beside.some((copy) => copy.id === id)) return;
  beside.push({ id, root, files: [{ name: TRANSCRIPT, ...state }], machines });
}

function transcriptRows(
  rows: ReadonlyMap<string, LocalFileRow>,
): ReadonlyMap<string, readonly LocalFileRow[]> {
  const bySession = new Map<string, LocalFileRow[]>();
  for (const row of rows.values()) {
    if (row.file !== TRANSCRIPT) continue;
    const known = bySession.get(row.session);
    if (known === undefined) bySession.set(row.session, [row]);
    else known.push(row);
  }
  return bySession;
}

/**
 * The families in which `isWanted` holds for a session: sessions with their branches, the root
 * first; families by their newest file, newest first. Mostly there are few or none among thousands.
 */
function* familiesWith(
  isWanted: (session: SessionTarget) => boolean,
  targets: Targets,
): Generator<[root: string, members: readonly SessionTarget[]]> {
  const wanted = new Set<string>();
  for (const session of targets.sessions.values()) {
    if (!wanted.has(session.root) && isWanted(session)) wanted.add(session.root);
  }
  const order = familiesOf(wanted, targets);
  wanted.clear();
  order.sort((a, b) => a.newestMs - b.newestMs || (a.root < b.root ? 1 : -1));
  // From the end, so that nothing is held of what was planned.
  for (let family = order.pop(); family !== undefined; family = order.pop()) {
    yield [family.root, family.members()];
  }
}

function familiesOf(wanted: ReadonlySet<string>, targets: Targets): Family[] {
  const families = new Map<string, Family>();
  for (const session of targets.sessions.values()) {
    if (!wanted.has(session.root)) continue;
    const family = families.get(session.root);
    if (family === undefined) families.set(session.root, new Family(session));
    else family.add(session);
  }
  return [...families.values()];
}

/** A session with its branches. Most have none, and there may be a hundred thousand. */
class Family {
  newestMs: number;
  #first: SessionTarget;
  #others: SessionTarget[] | null = null;

  constructor(first: SessionTarget) {
    this.#first = first;
    this.newestMs = newestOf(first);
  }

  get root(): string {
    return this.#first.root;
  }

  add(session: SessionTarget): void {
    this.newestMs = Math.max(this.newestMs, newestOf(session));
    this.#others ??= [];
    if (session.id !== session.root) {
      this.#others.push(session);
      return;
    }
    this.#others.unshift(this.#first);
    this.#first = session;
  }

  /** The root first, where it is one of them. */
  members(): readonly SessionTarget[] {
    return [this.#first, ...this.#others ?? []];
  }
}

function newestOf({ files }: SessionTarget): number {
  let newestMs = 0;
  for (const { mtimeMs } of files) newestMs = Math.max(newestMs, mtimeMs);
  return newestMs;
}

/** Key and short name for sessions whose project is unknown. */
export function keyOfProject(project: ProjectIdentity | null): string {
  return project === null ? "unknown" : projectKey(project);
}
