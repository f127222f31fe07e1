/** What `status` and `list` show: local knowledge only, no request to the store. */
import { deriveEpoch, keyFingerprint } from "../crypto/root_key.ts";
import { discoverSessions, type LocalSession } from "../sessions/discover.ts";
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
import { Exclusion, ProjectFinder } from "./projects.ts";
import type { Leaf } from "./segment_index.ts";
import { type LocalState, withLocalState } from "./vault_access.ts";

/** See `SyncService.status`. */
export async function statusOf(context: SyncContext): Promise<StatusReport> {
  const config = readConfig(context.platform, homePaths(context.home));
  const key = config === null ? null : readKeyFile(context.platform, context.keyFile);
  const epoch = key === null ? null : await deriveEpoch(key);
  return await withLocalState(context, "reader", (local) => {
    const rows = sessionRows(local, config, { withTitles: false });
    const runs = readRuns(context.platform, local.paths);
    const { fs, host, clock } = context.platform;
    const counted = (where: SessionRow["where"]) => rows.filter((row) => row.where === where);
    const unsent = counted("here").length + counted("here-newer").length;
    const here = rows.filter((row) => row.where !== "vault");
    const hasFailed = runs.lastPush?.ok === false || runs.lastPull?.ok === false;
    const own = readMachineFile(context.platform, local.paths)?.tag ?? null;
    return Promise.resolve({
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
      unreceived: counted("vault-newer").length,
      archived: rows.filter((row) => row.archived).length,
      unplaced: 0,
      machines: local.index.machines().map((machine) => ({
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
    });
  });
}

/** See `SyncService.list`. */
export async function listSessions(context: SyncContext): Promise<readonly SessionRow[]> {
  const config = readConfig(context.platform, homePaths(context.home));
  return await withLocalState(
    context,
    "reader",
    (local) => Promise.resolve(sessionRows(local, config, { withTitles: true })),
  );
}

/** Rows of all sessions, newest first. */
function sessionRows(
  local: LocalState,
  config: Config | null,
  options: { readonly withTitles: boolean },
): SessionRow[] {
  const { fs, host } = local.context.platform;
  const projects = new ProjectFinder(local.context.platform, local.index);
  const leaves = leavesBySession(local);
  const rows: SessionRow[] = [];
  const live = liveSessions(fs, host, local.root);
  const known = local.locals.all();
  const { sessions } = discoverSessions(fs, local.root);
  const exclusion = config === null ? null : new Exclusion(config, projects, sessions);
  for (const session of longestPerId(sessions)) {
    const project = projects.ofSession(session);
    if (exclusion?.excludes(session) === true) continue;
    const files = session.files;
    const vaultLeaves = leaves.get(session.id);
    leaves.delete(session.id);
    const isSent = files.every((file) => isSettled(known.get(file.path), file.stat));
    const transcript = files.find((file) => file.name === TRANSCRIPT);
    const facts = options.withTitles && transcript !== undefined
      ? readTranscriptFacts(fs, transcript.path)
      : null;
    const at = transcript === undefined ? undefined : known.get(transcript.path);
    const isCurrent = vaultLeaves === undefined || at === undefined || at.isDerived ||
      vaultLeaves.some((leaf) => leaf.hash === at.hash);
    rows.push({
      id: session.id,
      title: facts?.title ?? null,
      project: project === null ? null : describeProject(project),
      dir: facts?.firstCwd ?? null,
      lastActivityMs: facts?.lastActivityMs ?? transcript?.stat.mtimeMs ?? null,
      sizeBytes: files.reduce((sum, file) => sum + file.stat.sizeBytes, 0),
      where: whereOf(vaultLeaves !== undefined || at?.isDerived === true, isSent, isCurrent),
      live: live.has(session.id),
      archived: false,
    });
  }
  for (const [id, own] of leaves) {
    const project = projects.ofVaultSession(id);
    rows.push({
      id,
      title: null,
      project: project === null ? null : describeProject(project),
      dir: config === null || project === null ? null : config.maps[projectKey(project)] ?? null,
      lastActivityMs: Math.max(...own.map((leaf) => leaf.mtimeMs)),
      sizeBytes: Math.max(...own.map((leaf) => leaf.len)),
      where: "vault",
      live: false,
      archived: true,
    });
  }
  return rows.sort((a, b) =>
    (b.lastActivityMs ?? 0) - (a.lastActivityMs ?? 0) || (a.id < b.id ? -1 : 1)
  );
}

function whereOf(inVault: boolean, isSent: boolean, isCurrent: boolean): SessionRow["where"] {
  if (!inVault) return "here";
  if (!isSent) return "here-newer";
  return isCurrent ? "both" : "vault-newer";
}

function leavesBySession(local: LocalState): Map<string, Leaf[]> {
  const bySession = new Map<string, Leaf[]>();
  for (const leaf of local.index.allLeaves()) {
    if (leaf.file !== TRANSCRIPT) continue;
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
