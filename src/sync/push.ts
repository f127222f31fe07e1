/**
 * The push: looks at every local file, sends what the vault does not have, one log entry per batch.
 */
import { isClaudeSyncError } from "../errors.ts";
import type { Memory } from "../platform/types.ts";
import type { LocalFile, LocalSession } from "../sessions/discover.ts";
import { foldedFileName, parseFileName, TRANSCRIPT } from "../sessions/file_name.ts";
import { liveSessions } from "../sessions/live.ts";
import { LIVE_QUIET_MS } from "../sessions/live.ts";
import { shelfArea } from "../sessions/shelf.ts";
import { isSettledIn, type LocalFileRow } from "./local_files.ts";
import type { Failure } from "./api.ts";
import type { LocalShelf } from "./local_shelves.ts";
import { LOOK_BYTES } from "./look_bytes.ts";
import { Exclusion, projectClaim, type ProjectFinder } from "./projects.ts";
import { BatchBuilder, type SessionItems } from "./push_batch.ts";
import { lookAt, type PushItem } from "./push_files.ts";
import { ForgottenPush } from "./push_forgotten.ts";
import { dueHistory, type LocalHistory, lookAtHistory } from "./push_history.ts";
import { Sender } from "./push_send.ts";
import type { ProjectClaim } from "../vault/entry_body.ts";
import type { OpenVault } from "./vault_access.ts";

/** Sessions after which a batch is closed, however small they are. */
const BATCH_SESSIONS_MAX = 1_000;

/** What looking at one changed file leaves behind in memory, and what sending its session does. */
const PLAN_BYTES = 8 * LOOK_BYTES;
const SAID_BYTES = 8 * LOOK_BYTES;

/** What to push. */
export interface PushScope {
  readonly sessions: readonly LocalSession[];
  /** Plans and memories, of projects that are not kept off. */
  readonly shelves: readonly LocalShelf[];
  /** Also sessions of excluded projects. */
  readonly all: boolean;
  readonly dryRun: boolean;
  /** Torn last lines are sent at once: the caller is about to replace these files. */
  readonly tearNow: boolean;
  /** Leaves the prompt history out. Default: no. */
  readonly withoutHistory?: boolean;
}

/** What a push did. */
export interface PushTotals {
  readonly pushedSessions: readonly string[];
  /** Files of shelves that had something to push. */
  readonly otherFiles: number;
  readonly plainBytes: number;
  readonly tornTails: number;
  readonly failures: readonly Failure[];
}

/**
 * Pushes the sessions of `scope`. The index must be fresh (`refresh`). A file or session that fails
 * is reported and the others go on; errors of the store end the push, and what was sent before
 * stays.
 */
export async function pushSessions(
  vault: OpenVault,
  sender: Sender,
  projects: ProjectFinder,
  scope: PushScope,
): Promise<PushTotals> {
  const { sessions, tornTails, failures: unplanned } = await planPush(vault, projects, scope);
  const pushed = new Set<string>();
  let sentBytes = 0;
  const failures = [...unplanned, ...unreadableObjects(vault)];
  const totalSessions = sessions.length;
  const { totalBytes, otherFiles } = sumOf(sessions);
  if (scope.dryRun) {
    const pushedSessions = sessions.filter(({ items }) => !items.some(isOfShelf))
      .map(({ session }) => session);
    return { pushedSessions, otherFiles, plainBytes: totalBytes, tornTails, failures };
  }
  const progress = (doneBytes: number) =>
    vault.context.onProgress({
      kind: "bytes",
      doneBytes,
      totalBytes,
      doneSessions: pushed.size,
      totalSessions,
    });
  if (totalBytes > 0) vault.context.onProgress({ kind: "phase", phase: "sending" });
  // From the end, so that nothing is held of what was sent.
  const queue = sessions.reverse();
  while (queue.length > 0) {
    vault.context.signal.throwIfAborted();
    const builder = new BatchBuilder(vault, sender.outbox, totalBytes);
    const inBatch: string[] = [];
    while (queue.length > 0 && !builder.isFull && inBatch.length < BATCH_SESSIONS_MAX) {
      vault.context.signal.throwIfAborted();
      const next = queue.pop()!;
      try {
        const rest = await builder.add(next);
        if (rest !== null) queue.push(rest);
        inBatch.push(next.session);
      } catch (error) {
        failures.push(failureOf(error, next.session));
      }
      vault.context.platform.memory.passed(SAID_BYTES);
      progress(sentBytes + builder.plainBytes);
    }
    if (inBatch.length === 0) {
      // Of the sessions that failed, packs may be staged.
      sender.outbox.clear();
      continue;
    }
    sentBytes += await sender.send(builder);
    for (const session of inBatch) pushed.add(session);
    progress(sentBytes);
  }
  return { pushedSessions: [...pushed], otherFiles, plainBytes: sentBytes, tornTails, failures };
}

function isOfShelf({ file }: PushItem): boolean {
  return shelfArea(file) !== null;
}

function sumOf(sessions: readonly SessionItems[]): { totalBytes: number; otherFiles: number } {
  let [totalBytes, otherFiles] = [0, 0];
  for (const { items } of sessions) {
    for (const item of items) {
      totalBytes += item.end - item.from.len;
      if (isOfShelf(item)) otherFiles++;
    }
  }
  return { totalBytes, otherFiles };
}

interface PushPlan {
  /** The caller's own. */
  readonly sessions: SessionItems[];
  readonly tornTails: number;
  readonly failures: readonly Failure[];
}

/** What is to be pushed of one session. Mostly that is one item, and there are many sessions. */
class PlannedSession implements SessionItems {
  readonly of: LocalSession | LocalShelf;
  project: ProjectClaim = null;
  newestMs = 0;
  readonly #first: PushItem;
  #more: readonly PushItem[] | null = null;

  constructor(of: LocalSession | LocalShelf, first: PushItem) {
    this.of = of;
    this.#first = first;
  }

  get session(): string {
    return this.of.id;
  }

  get items(): readonly PushItem[] {
    return [this.#first, ...this.#more ?? []];
  }

  add(item: PushItem): void {
    this.#more = [...this.#more ?? [], item];
  }
}

function isShelf(session: LocalSession | LocalShelf): session is LocalShelf {
  return "project" in session;
}

async function planPush(
  vault: OpenVault,
  projects: ProjectFinder,
  scope: PushScope,
): Promise<PushPlan> {
  const { fs, host, memory } = vault.context.platform;
  const live = liveSessions(fs, host, vault.root);
  const planned = new Map<string, PlannedSession>();
  const failures: Failure[] = [];
  const exclusion = new Exclusion(vault.config, projects, scope.sessions);
  const forgotten = new ForgottenPush(vault);
  let tornTails = 0;
  const look = async (
    session: LocalSession | LocalShelf,
    changed: readonly (LocalFile | LocalHistory)[],
    isGoneOnWith = false,
  ) => {
    const clashing = clashingNames(vault, session);
    for (const file of changed) {
      if (clashing.has(file.name)) {
        failures.push(clash(session.id, file.path));
        continue;
      }
      memory.passed(PLAN_BYTES);
      const mayTear = scope.tearNow || isQuiet(vault, file.stat.mtimeMs, live.has(session.id));
      try {
        const { item, isTorn } = "content" in file
          ? await lookAtHistory(vault, session, file)
          : await lookAt(vault, session, file, rows.get(file.path), mayTear, isGoneOnWith);
        if (isTorn && !mayTear) tornTails++;
        if (item !== null) addItem(planned, session, item, file.stat.mtimeMs);
      } catch (error) {
        failures.push(failureOf(error, session.id, file.path));
      }
    }
  };
  const isExcluded = (session: LocalSession | LocalShelf) =>
    !isShelf(session) && !scope.all && exclusion.excludes(session);
  const isLeftOut = (session: LocalSession) =>
    forgotten.isForgotten(session.id) || isExcluded(session);
  const history = scope.withoutHistory === true
    ? { due: new Map<string, LocalHistory>(), failures: [] }
    : dueHistory(vault, scope.sessions, isLeftOut);
  failures.push(...history.failures);
  const mayHaveNews = whatMayHaveNews(vault, scope, history.due, forgotten);
  const rows = mayHaveNews.length === 0 ? NO_ROWS : vault.locals.all();
  memory.passed(LOOK_BYTES * rows.size);
  const stillForgotten: LocalSession[] = [];
  for (const session of mayHaveNews) {
    vault.context.signal.throwIfAborted();
    const isForgotten = !isShelf(session) && forgotten.isForgotten(session.id);
    const changed: (LocalFile | LocalHistory)[] = forgotten.changed(session, rows, "there")
      .filter(({ name }) => !isForgotten || name === TRANSCRIPT);
    if (!isShelf(session)) changed.push(...owedWith(vault, session, changed, rows));
    const lines = history.due.get(session.id);
    // A session that stands in two folders has one history.
    if (lines !== undefined && history.due.delete(session.id)) changed.push(lines);
    if ((changed.length === 0 && !isForgotten) || isExcluded(session)) continue;
    if (isForgotten) stillForgotten.push(session);
    await look(session, changed);
  }
  // Only now is it known whose transcript goes, which may stand in another folder.
  const goneOnWith = stillForgotten.filter(({ id }) => planned.has(id));
  for (const [session, others] of otherFilesOf(vault, goneOnWith, forgotten, rows)) {
    await look(session, others, true);
  }
  return { sessions: inOrder([...planned.values()], projects, memory), tornTails, failures };
}

function addItem(
  planned: Map<string, PlannedSession>,
  session: LocalSession | LocalShelf,
  item: PushItem,
  mtimeMs: number,
): void {
  const known = planned.get(session.id);
  const entry = known ?? new PlannedSession(session, item);
  if (known === undefined) planned.set(session.id, entry);
  else known.add(item);
  entry.newestMs = Math.max(entry.newestMs, mtimeMs);
}

const NO_ROWS: ReadonlyMap<string, LocalFileRow> = new Map();

/**
 * Mostly a few of thousands. All the others are in the vault as they are, are none of those that it
 * makes itself (`owedWith`), and were never forgotten.
 */
function whatMayHaveNews(
  vault: OpenVault,
  { sessions, shelves }: PushScope,
  due: ReadonlyMap<string, LocalHistory>,
  forgotten: ForgottenPush,
): readonly (LocalSession | LocalShelf)[] {
  const settled = vault.locals.settled();
  const hasNoNews = ({ id, files }: LocalSession) => {
    for (const file of files) if (!isSettledIn(settled, file)) return false;
    return !due.has(id) && !forgotten.isTouched(id);
  };
  return [...sessions, ...shelves].filter((session) => !hasNoNews(session));
}

/** What goes with the transcripts of forgotten sessions that somebody went on with. */
function* otherFilesOf(
  vault: OpenVault,
  sessions: readonly LocalSession[],
  forgotten: ForgottenPush,
  rows: ReadonlyMap<string, LocalFileRow>,
): Generator<readonly [LocalSession, readonly (LocalFile | LocalHistory)[]]> {
  if (sessions.length === 0) return;
  const { due } = dueHistory(vault, sessions, () => false);
  for (const session of sessions) {
    const files = forgotten.changed(session, rows, "gone on with")
      .filter(({ name }) => name !== TRANSCRIPT);
    const lines = due.get(session.id);
    due.delete(session.id);
    yield [session, lines === undefined ? files : [...files, lines]];
  }
}

/** Newest first, so that an interrupted first push has saved what is most likely wanted next. */
function inOrder(
  planned: PlannedSession[],
  projects: ProjectFinder,
  memory: Pick<Memory, "passed">,
): SessionItems[] {
  planned.sort((a, b) => b.newestMs - a.newestMs || (a.session < b.session ? -1 : 1));
  for (const session of planned) {
    const { of } = session;
    // Whose project nobody knows yet is looked for in its transcript.
    memory.passed(PLAN_BYTES);
    session.project = projectClaim(isShelf(of) ? of.project : projects.ofSession(of));
  }
  return planned;
}

/**
 * Files that the vault could make itself as long as nobody went on with their session, and has to
 * get with it when somebody did: a restored version's (`restore_copy.ts`).
 */
function owedWith(
  vault: OpenVault,
  session: LocalSession,
  changed: readonly LocalFile[],
  rows: ReadonlyMap<string, LocalFileRow>,
): LocalFile[] {
  if (session.files.length === 1) return [];
  const owed = session.files.filter((file) =>
    file.name !== TRANSCRIPT && rows.get(file.path)?.isDerived === true && !changed.includes(file)
  );
  if (owed.length === 0) return [];
  const goesOn = changed.some(({ name }) => name === TRANSCRIPT) ||
    vault.index.leaves(session.id, TRANSCRIPT).length > 0;
  return goesOn ? owed : [];
}

/**
 * Names that differ from another one of the session only in case or Unicode form: not every disk
 * has room for both. What the vault has came first, then the first in order.
 */
function clashingNames(vault: OpenVault, session: LocalSession): ReadonlySet<string> {
  const clashing = new Set<string>();
  // Most sessions are a transcript and nothing else, and folding names is slow.
  if (session.files.length === 1) return clashing;
  const taken = new Map<string, string>();
  for (const text of vault.index.files(session.id)) {
    const name = parseFileName(text);
    if (name !== null) taken.set(foldedFileName(name), name);
  }
  for (const { name } of session.files) {
    const folded = foldedFileName(name);
    const first = taken.get(folded) ?? name;
    taken.set(folded, first);
    const isStored = first !== name && vault.index.leaves(session.id, name).length > 0;
    if (first !== name && !isStored) clashing.add(name);
  }
  return clashing;
}

function clash(sessionId: string, path: string): Failure {
  const message = `"${path}" is named like another file of its session but for the case of letters`;
  return { sessionId, path, code: "unsafe-file", message };
}

function isQuiet(vault: OpenVault, mtimeMs: number, isLive: boolean): boolean {
  // A time far in the future says nothing: the clock was set back.
  return !isLive && Math.abs(vault.context.platform.clock.nowMs() - mtimeMs) >= LIVE_QUIET_MS;
}

/**
 * Objects that were wanted to compare local files with and could not be read, said once. That keeps
 * nothing from the vault, but whoever reads a damaged vault says so.
 */
export function unreadableObjects(vault: OpenVault): Failure[] {
  return vault.reader.takeUnreadable().map(({ code, message, objectName }) => ({
    sessionId: null,
    path: null,
    code,
    message: `${message}: ${objectName}`,
  }));
}

/** Turns an error about one session into a report; every other error passes on. */
export function failureOf(error: unknown, sessionId: string, path?: string): Failure {
  // Only what concerns the files or the vault's content of this session leaves the others unharmed.
  const isOfFiles = isClaudeSyncError(error, "local-io", "too-large", "unsafe-file");
  // Damage that names a session is a lie of the machine that wrote it: the store's objects are all
  // as they were signed. Every other damage is an alarm.
  const isOfContent = isClaudeSyncError(error, "damaged", "incomplete") &&
    error.sessionId !== undefined;
  if (!isOfFiles && !isOfContent) throw error;
  return { sessionId, path: path ?? error.path ?? null, code: error.code, message: error.message };
}
