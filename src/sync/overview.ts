/** What `status` and `list` show: local knowledge only, no request to the store. */
import { deriveEpoch, type Epoch, keyFingerprint } from "../crypto/root_key.ts";
import { discoverSessions, type LocalFile, type LocalSession } from "../sessions/discover.ts";
import { TRANSCRIPT } from "../sessions/file_name.ts";
import { liveSessions } from "../sessions/live.ts";
import { describeProject, type ProjectIdentity, projectKey } from "../sessions/project.ts";
import { cleanupPeriodDays } from "../sessions/retention.ts";
import { hooksInstalled } from "../sessions/hook_status.ts";
import { summaryTitle } from "../sessions/transcript_summary.ts";
import { formatStoreLocation } from "../storage/location.ts";
import type { SessionRow, StatusReport, SyncContext } from "./api.ts";
import { type Config, homePaths, readConfig, readRuns } from "./home.ts";
import { readKeyFile } from "./key_file.ts";
import { isSettled } from "./local_files.ts";
import { readMachineFile } from "./home.ts";
import { LOOK_BYTES } from "./look_bytes.ts";
import { peekNews, type VaultNews } from "./peek.ts";
import { Exclusion, ProjectFinder } from "./projects.ts";
import { keyOfProject } from "./pull_plan.ts";
import { skippedFailures, skippedHere } from "./skipped.ts";
import { SharedTexts } from "./state_db.ts";
import { type LocalState, withLocalState } from "./vault_access.ts";

/** See `SyncService.status`. */
export async function statusOf(context: SyncContext): Promise<StatusReport> {
  const config = readConfig(context.platform, homePaths(context.home));
  const epoch = await epochOf(context);
  return await withLocalState(context, "reader", async (local) => {
    const around = await lookAround(local, config, epoch, "counts");
    const { rows, missed, unplacedProjects, withoutProject } = around;
    const runs = readRuns(context.platform, local.paths);
    const { fs, host, clock } = context.platform;
    const counts = { unsent: missed, here: 0, hereBytes: 0, news: 0, archived: 0 };
    for (const { row, isNews } of rows) {
      const isUnsent = row.where === "here" ? !row.forgotten : row.where === "here-newer";
      if (isUnsent) counts.unsent++;
      if (row.where !== "vault") counts.here++;
      if (row.where !== "vault") counts.hereBytes += row.sizeBytes;
      if (isNews) counts.news++;
      if (row.archived) counts.archived++;
    }
    const { unsent } = counts;
    const hasFailed = runs.lastPush?.ok === false || runs.lastPull?.ok === false;
    const own = readMachineFile(context.platform, local.paths)?.tag ?? null;
    return {
      verdict: config === null
        ? "not-set-up"
        : epoch === null
        ? "needs-key"
        : hasFailed
        ? "failing"
        : unsent > 0
        ? "waiting"
        : "ok",
      store: config === null ? null : formatStoreLocation(config.store),
      vaultId: config?.vaultId ?? null,
      machineName: config?.machineName ?? null,
      keyFingerprint: epoch === null ? null : keyFingerprint(epoch.kid),
      localSessions: counts.here,
      localBytes: counts.hereBytes,
      vaultSessions: local.index.sessionCount(),
      vaultBytesStored: local.index.storedBytes(),
      unsent,
      unreceived: counts.news,
      archived: counts.archived,
      unplaced: unplacedProjects,
      withoutProject,
      // Who was given up and has not been seen since is no machine of the vault any more.
      machines: local.index.machines().filter((machine) =>
        !machine.isRetired || machine.seq >= machine.base
      ).map((machine) => ({
        id: machine.id,
        name: machine.name,
        lastSeenMs: machine.lastSeenMs,
        thisOne: machine.tag === own,
      })),
      lastPush: runs.lastPush,
      lastPull: runs.lastPull,
      hooks: hooksInstalled(fs, host),
      cleanupPeriodDays: cleanupPeriodDays(fs, local.root),
      nowMs: clock.nowMs(),
    };
  });
}

/** See `SyncService.list`. */
export async function listSessions(context: SyncContext): Promise<readonly SessionRow[]> {
  const config = readConfig(context.platform, homePaths(context.home));
  const epoch = await epochOf(context);
  return await withLocalState(context, "reader", async (local) => {
    const { rows, sessions } = await lookAround(local, config, epoch, "all");
    const seen = Array.from(rows, ({ row }) => row);
    local.transcripts.finish(sessions);
    return seen.sort((a, b) =>
      (b.lastActivityMs ?? 0) - (a.lastActivityMs ?? 0) || (a.id < b.id ? -1 : 1)
    );
  });
}

async function epochOf(context: SyncContext): Promise<Epoch | null> {
  const key = readKeyFile(context.platform, context.keyFile);
  return key === null ? null : await deriveEpoch(key);
}

/** A row, and whether a pull would write something of it here. */
interface Seen {
  readonly row: SessionRow;
  readonly isNews: boolean;
}

/** What reading the summary of one transcript leaves behind besides its bytes. */
const SUMMARY_BYTES = 8 * LOOK_BYTES;

/** For `counts` nothing is asked that only people read: titles, projects, folders. */
type Detail = "all" | "counts";

interface Surroundings {
  /** All sessions, one after the other: there may be a hundred thousand. */
  readonly rows: Iterable<Seen>;
  /** What is here. */
  readonly sessions: readonly LocalSession[];
  /** Places with sessions that cannot be taken. */
  readonly missed: number;
  /** Projects of the vault that have no folder here. */
  readonly unplacedProjects: number;
  /** Sessions that have no place here because they tell no project. */
  readonly withoutProject: number;
}

async function lookAround(
  local: LocalState,
  config: Config | null,
  epoch: Epoch | null,
  detail: Detail,
): Promise<Surroundings> {
  const { platform } = local.context;
  const projects = new ProjectFinder(platform, local.index);
  const discovery = discoverSessions(platform.fs, local.root);
  platform.memory.passed(discovery.sessions.length * LOOK_BYTES);
  const exclusion = config === null ? null : new Exclusion(config, projects, discovery.sessions);
  const news = config === null || epoch === null
    ? null
    : await peekNews(local, config, epoch, discovery);
  const names = new ProjectNames();
  const view: View = { local, config, projects, names, exclusion, news, detail };
  const skipped = exclusion === null
    ? discovery.skipped
    : skippedHere(discovery.skipped, local.root, exclusion);
  const unplaced = new Set<string>();
  let withoutProject = 0;
  for (const { project } of news?.unplaced ?? []) {
    if (project === null) withoutProject++;
    else unplaced.add(keyOfProject(project));
  }
  return {
    rows: rowsOf(view, discovery.sessions),
    sessions: discovery.sessions,
    missed: skippedFailures(skipped).length,
    unplacedProjects: unplaced.size,
    withoutProject,
  };
}

interface View {
  readonly local: LocalState;
  readonly config: Config | null;
  readonly projects: ProjectFinder;
  readonly names: ProjectNames;
  readonly exclusion: Exclusion | null;
  readonly news: VaultNews | null;
  readonly detail: Detail;
}

/** Names of projects; one text for all sessions of each. */
class ProjectNames {
  readonly #names = new Map<ProjectIdentity, string>();

  of(project: ProjectIdentity | null): string | null {
    if (project === null) return null;
    const name = this.#names.get(project) ?? describeProject(project);
    this.#names.set(project, name);
    return name;
  }
}

function* rowsOf(view: View, sessions: readonly LocalSession[]): Generator<Seen> {
  yield* localRows(view, sessions);
  yield* vaultRows(view, new Set(sessions.map(({ id }) => id)));
}

function* localRows(view: View, sessions: readonly LocalSession[]): Generator<Seen> {
  const { local, projects, names, exclusion, news } = view;
  const { fs, host, memory } = local.context.platform;
  const live = liveSessions(fs, host, local.root);
  const known = local.locals.all();
  const folders = new SharedTexts();
  for (const session of longestPerId(sessions)) {
    if (exclusion?.excludes(session) === true) continue;
    const { id, files } = session;
    const isSettledHere = (file: LocalFile) => isSettled(known.get(file.path), file.stat);
    const transcript = files.find((file) => file.name === TRANSCRIPT);
    const isHidden = local.forgotten.isSession(id);
    // Of a forgotten session nothing is sent unless its transcript is.
    const isSent = isHidden
      ? transcript === undefined || isSettledHere(transcript)
      : files.every(isSettledHere);
    const summary = view.detail === "all" && transcript !== undefined
      ? local.transcripts.of(transcript, (bytes) => memory.passed(bytes + SUMMARY_BYTES))
      : null;
    const isDerived = transcript !== undefined && known.get(transcript.path)?.isDerived === true;
    const inVault = local.index.hasFile(id, TRANSCRIPT) || (isDerived && !isHidden);
    // What cannot be told without the vault's bytes is not called received.
    const isNews = news?.unreceived.has(id) === true ||
      (isSent && news?.undecided.has(id) === true);
    const row: SessionRow = {
      id,
      title: summary === null ? null : summaryTitle(summary),
      project: view.detail === "all" ? names.of(projects.ofSession(session)) : null,
      dir: typeof summary?.firstCwd === "string" ? folders.of(summary.firstCwd) : null,
      lastActivityMs: summary?.lastActivityMs ?? transcript?.stat.mtimeMs ?? null,
      sizeBytes: files.reduce((sum, file) => sum + file.stat.sizeBytes, 0),
      where: whereOf(inVault, isSent, !isNews),
      live: live.has(id),
      archived: false,
      forgotten: isHidden && isSent,
    };
    memory.passed(LOOK_BYTES);
    yield { row, isNews };
  }
}

/** Sessions that the vault has and that are not here. */
function* vaultRows(view: View, here: ReadonlySet<string>): Generator<Seen> {
  const { local, config, projects, names, news } = view;
  const archived = new Set<string>((news?.archived ?? []).map(({ id }) => id));
  for (const { id, root, lastActivityMs, sizeBytes } of vaultSessions(view, here)) {
    const project = view.detail === "all" ? projects.ofVaultSession(root) : null;
    const { titles } = local;
    const row: SessionRow = {
      id,
      // A branch that nobody has stored is told by the session that it came from.
      title: view.detail === "all" ? titles.of(id) ?? titles.of(root) : null,
      project: names.of(project),
      dir: config === null || project === null ? null : config.maps[projectKey(project)] ?? null,
      lastActivityMs,
      sizeBytes,
      where: "vault",
      live: false,
      forgotten: false,
      archived: news === null || archived.has(id),
    };
    const isNews = news?.unreceived.has(id) === true || news?.undecided.has(id) === true;
    local.context.platform.memory.passed(LOOK_BYTES);
    yield { row, isNews };
  }
}

function whereOf(inVault: boolean, isSent: boolean, isCurrent: boolean): SessionRow["where"] {
  if (!inVault) return "here";
  if (!isSent) return "here-newer";
  return isCurrent ? "both" : "vault-newer";
}

interface VaultSession {
  readonly id: string;
  /** The session whose project this one has. */
  readonly root: string;
  readonly lastActivityMs: number;
  readonly sizeBytes: number;
}

/**
 * Those that are not `here`, as a pull would write them; what the vault would have to decide, as it
 * is stored.
 */
function* vaultSessions({ local, news }: View, here: ReadonlySet<string>): Generator<VaultSession> {
  for (const session of news?.sessions.values() ?? []) {
    if (here.has(session.id)) continue;
    const { id, root, files } = session;
    if (files[0]?.name !== TRANSCRIPT) continue;
    const lastActivityMs = Math.max(...files.map((file) => file.mtimeMs));
    const sizeBytes = files.reduce((sum, file) => sum + file.len, 0);
    yield { id, root, lastActivityMs, sizeBytes };
  }
  const isTold = (id: string) =>
    news?.sessions.get(id)?.files[0]?.name === TRANSCRIPT || news?.covered.has(id) === true;
  let stored: VaultSession | null = null;
  for (const { session: id, file, mtimeMs, len } of local.index.eachLeaf()) {
    local.context.platform.memory.passed(LOOK_BYTES);
    if (file !== TRANSCRIPT || here.has(id) || isTold(id)) continue;
    if (stored !== null && stored.id !== id) yield stored;
    const before: VaultSession | null = stored?.id === id ? stored : null;
    const lastActivityMs = Math.max(before?.lastActivityMs ?? mtimeMs, mtimeMs);
    const sizeBytes = Math.max(before?.sizeBytes ?? len, len);
    stored = { id, root: id, lastActivityMs, sizeBytes };
  }
  if (stored !== null) yield stored;
}

/** Each session once; of one that stands in several folders the longest. */
function* longestPerId(sessions: readonly LocalSession[]): Generator<LocalSession> {
  const size = (session: LocalSession) =>
    session.files.find((file) => file.name === TRANSCRIPT)?.stat.sizeBytes ?? -1;
  const seen = new Set<string>();
  const longest = new Map<string, LocalSession | null>();
  for (const { id } of sessions) {
    if (seen.has(id)) longest.set(id, null);
    seen.add(id);
  }
  for (const session of sessions) {
    const other = longest.get(session.id);
    if (other === undefined) yield session;
    else if (other === null || size(session) > size(other)) longest.set(session.id, session);
  }
  for (const session of longest.values()) if (session !== null) yield session;
}
