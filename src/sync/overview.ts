/** What `status` and `list` show: local knowledge only, no request to the store. */
import { deriveEpoch, type Epoch, keyFingerprint } from "../crypto/root_key.ts";
import { discoverSessions, type LocalFile, type LocalSession } from "../sessions/discover.ts";
import { TRANSCRIPT } from "../sessions/file_name.ts";
import { liveSessions } from "../sessions/live.ts";
import { describeProject, projectKey } from "../sessions/project.ts";
import { cleanupPeriodDays } from "../sessions/retention.ts";
import { hooksInstalled } from "../sessions/hook_status.ts";
import { readTranscriptFacts } from "../sessions/transcript_file.ts";
import { formatStoreLocation } from "../storage/location.ts";
import type { SessionRow, StatusReport, SyncContext } from "./api.ts";
import { type Config, homePaths, readConfig, readRuns } from "./home.ts";
import { readKeyFile } from "./key_file.ts";
import { isSettled } from "./local_files.ts";
import { readMachineFile } from "./home.ts";
import { peekNews, type VaultNews } from "./peek.ts";
import { Exclusion, ProjectFinder } from "./projects.ts";
import { keyOfProject } from "./pull_plan.ts";
import type { Leaf } from "./segment_index.ts";
import { skippedFailures, skippedHere } from "./skipped.ts";
import { type LocalState, withLocalState } from "./vault_access.ts";

/** See `SyncService.status`. */
export async function statusOf(context: SyncContext): Promise<StatusReport> {
  const config = readConfig(context.platform, homePaths(context.home));
  const epoch = await epochOf(context);
  return await withLocalState(context, "reader", async (local) => {
    const { rows, missed, unplacedProjects } = await lookAround(local, config, epoch, false);
    const runs = readRuns(context.platform, local.paths);
    const { fs, host, clock } = context.platform;
    const counted = (where: SessionRow["where"]) => rows.filter((row) => row.where === where);
    const kept = rows.filter(({ forgotten }) => forgotten).length;
    const unsent = counted("here").length - kept + counted("here-newer").length + missed;
    const here = rows.filter((row) => row.where !== "vault");
    const archived = rows.filter((row) => row.archived).length;
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
      localSessions: here.length,
      localBytes: here.reduce((sum, row) => sum + row.sizeBytes, 0),
      vaultSessions: local.index.sessionCount(),
      vaultBytesStored: local.index.storedBytes(),
      unsent,
      unreceived: rows.filter((row) => row.isNews).length,
      archived,
      unplaced: unplacedProjects,
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
    const { rows } = await lookAround(local, config, epoch, true);
    return rows.map(({ isNews: _, ...row }) => row);
  });
}

async function epochOf(context: SyncContext): Promise<Epoch | null> {
  const key = readKeyFile(context.platform, context.keyFile);
  return key === null ? null : await deriveEpoch(key);
}

/** A row, and whether a pull would write something of it here. */
type Row = SessionRow & { readonly isNews: boolean };

interface Surroundings {
  /** All sessions, newest first. */
  readonly rows: readonly Row[];
  /** Places with sessions that cannot be taken. */
  readonly missed: number;
  /** Projects of the vault that have no folder here. */
  readonly unplacedProjects: number;
}

async function lookAround(
  local: LocalState,
  config: Config | null,
  epoch: Epoch | null,
  withTitles: boolean,
): Promise<Surroundings> {
  const { platform } = local.context;
  const projects = new ProjectFinder(platform, local.index);
  const discovery = discoverSessions(platform.fs, local.root);
  const exclusion = config === null ? null : new Exclusion(config, projects, discovery.sessions);
  const news = config === null || epoch === null ? null : await peekNews(local, config, epoch, discovery);
  const view: View = { local, config, projects, exclusion, news, withTitles };
  const here = localRows(view, discovery.sessions);
  const rows = [...here, ...vaultRows(view, new Set(discovery.sessions.map(({ id }) => id)))];
  const skipped = exclusion === null
    ? discovery.skipped
    : skippedHere(discovery.skipped, local.root, exclusion);
  const unplaced = new Set((news?.unplaced ?? []).map(({ project }) => keyOfProject(project)));
  return {
    rows: rows.sort((a, b) =>
      (b.lastActivityMs ?? 0) - (a.lastActivityMs ?? 0) || (a.id < b.id ? -1 : 1)
    ),
    missed: skippedFailures(skipped).length,
    unplacedProjects: unplaced.size,
  };
}

interface View {
  readonly local: LocalState;
  readonly config: Config | null;
  readonly projects: ProjectFinder;
  readonly exclusion: Exclusion | null;
  readonly news: VaultNews | null;
  readonly withTitles: boolean;
}

function localRows(view: View, sessions: readonly LocalSession[]): Row[] {
  const { local, projects, exclusion, news } = view;
  const { fs, host } = local.context.platform;
  const live = liveSessions(fs, host, local.root);
  const known = local.locals.all();
  const inVault = local.index.sessionsWith(TRANSCRIPT);
  const rows: Row[] = [];
  for (const session of longestPerId(sessions)) {
    if (exclusion?.excludes(session) === true) continue;
    const { id, files } = session;
    const project = projects.ofSession(session);
    const isSettledHere = (file: LocalFile) => isSettled(known.get(file.path), file.stat);
    const transcript = files.find((file) => file.name === TRANSCRIPT);
    const isHidden = local.forgotten.isSession(id);
    // Of a forgotten session nothing is sent unless its transcript is.
    const isSent = isHidden
      ? transcript === undefined || isSettledHere(transcript)
      : files.every(isSettledHere);
    const facts = view.withTitles && transcript !== undefined
      ? readTranscriptFacts(fs, transcript.path)
      : null;
    const isDerived = transcript !== undefined && known.get(transcript.path)?.isDerived === true;
    // What cannot be told without the vault's bytes is not called received.
    const isNews = news?.unreceived.has(id) === true ||
      (isSent && news?.undecided.has(id) === true);
    rows.push({
      id,
      title: facts?.title ?? null,
      project: project === null ? null : describeProject(project),
      dir: facts?.firstCwd ?? null,
      lastActivityMs: facts?.lastActivityMs ?? transcript?.stat.mtimeMs ?? null,
      sizeBytes: files.reduce((sum, file) => sum + file.stat.sizeBytes, 0),
      where: whereOf(inVault.has(id) || (isDerived && !isHidden), isSent, !isNews),
      live: live.has(id),
      archived: false,
      forgotten: isHidden && isSent,
      isNews,
    });
  }
  return rows;
}

/** Sessions that the vault has and that are not here. */
function vaultRows(view: View, here: ReadonlySet<string>): Row[] {
  const { config, projects, news } = view;
  const archived = new Set<string>((news?.archived ?? []).map(({ id }) => id));
  const rows: Row[] = [];
  for (const { id, root, lastActivityMs, sizeBytes } of vaultSessions(view, here)) {
    const project = projects.ofVaultSession(root);
    rows.push({
      id,
      title: null,
      project: project === null ? null : describeProject(project),
      dir: config === null || project === null ? null : config.maps[projectKey(project)] ?? null,
      lastActivityMs,
      sizeBytes,
      where: "vault",
      live: false,
      forgotten: false,
      archived: news === null || archived.has(id),
      isNews: news?.unreceived.has(id) === true || news?.undecided.has(id) === true,
    });
  }
  return rows;
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
function vaultSessions({ local, news }: View, here: ReadonlySet<string>): VaultSession[] {
  const sessions = new Map<string, VaultSession>();
  for (const [id, leaves] of leavesBySession(local, here)) {
    const lastActivityMs = Math.max(...leaves.map((leaf) => leaf.mtimeMs));
    const sizeBytes = Math.max(...leaves.map((leaf) => leaf.len));
    sessions.set(id, { id, root: id, lastActivityMs, sizeBytes });
  }
  for (const { id, root, files } of news?.sessions.values() ?? []) {
    if (files[0]?.name !== TRANSCRIPT || here.has(id)) continue;
    const lastActivityMs = Math.max(...files.map((file) => file.mtimeMs));
    const sizeBytes = files.reduce((sum, file) => sum + file.len, 0);
    sessions.set(id, { id, root, lastActivityMs, sizeBytes });
  }
  return [...sessions.values()];
}

function leavesBySession(
  local: LocalState,
  here: ReadonlySet<string>,
): Map<string, Leaf[]> {
  const bySession = new Map<string, Leaf[]>();
  for (const leaf of local.index.allLeaves()) {
    if (leaf.file !== TRANSCRIPT || here.has(leaf.session)) continue;
    bySession.set(leaf.session, [...(bySession.get(leaf.session) ?? []), leaf]);
  }
  return bySession;
}

function longestPerId(sessions: readonly LocalSession[]): LocalSession[] {
  const size = (session: LocalSession) =>
    session.files.find((file) => file.name === TRANSCRIPT)?.stat.sizeBytes ?? -1;
  const best = new Map<string, LocalSession>();
  for (const session of sessions) {
    const other = best.get(session.id);
    if (other === undefined || size(session) > size(other)) best.set(session.id, session);
  }
  return [...best.values()];
}
