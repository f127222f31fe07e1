/**
 * Brings sessions back: the newest state in its place, an earlier version as a session of its own,
 * or either as plain files. Nothing here is replaced that the vault has not.
 */
import { ClaudeSyncError } from "../errors.ts";
import type { LocalSession } from "../sessions/discover.ts";
import { TRANSCRIPT } from "../sessions/file_name.ts";
import { liveSessions } from "../sessions/live.ts";
import { cleanupPeriodDays } from "../sessions/retention.ts";
import { memoryShelfId } from "../sessions/shelf.ts";
import { readTranscriptTitle } from "../sessions/transcript_summary.ts";
import type { Failure, SyncContext } from "./api.ts";
import { type Run, withFreshVault } from "./fresh_vault.ts";
import { isSettled } from "./local_files.ts";
import type { RestoredSession, RestoreRequest, RestoreResult, VersionList } from "./history_api.ts";
import { pullSessions } from "./pull.ts";
import { restoredMtimeMs } from "./pull_write.ts";
import type { OpenVault } from "./vault_access.ts";
import { LocalView, transcriptOf } from "./pull_place.ts";
import { failureOf } from "./push.ts";
import {
  type ChoiceFacts,
  choiceFacts,
  chooseNamed,
  chooseProject,
  chooseSessions,
  titleOf,
} from "./restore_choice.ts";
import { restoreAsCopy } from "./restore_copy.ts";
import { recallNamed } from "./restore_recall.ts";
import { FilesFolder } from "./restore_files.ts";
import { partialFailure, recorded, type RunOutcome } from "./run_log.ts";
import { computeTargets } from "./targets.ts";
import {
  chooseVersion,
  machineNames,
  targetTranscript,
  versionedSession,
  versionRows,
  type Wanted,
} from "./versions.ts";

/** See `SyncService.restore`. */
export function restoreSessions(
  context: SyncContext,
  request: RestoreRequest,
): Promise<RestoreResult> {
  return recordedRestore(context, request, (run) => restore(run, request), (result) => ({
    failure: partialFailure(result.failures),
    sentSessions: 0,
    receivedSessions: result.restored,
    bytes: { sent: 0, ...result.bytes },
  }));
}

/** Runs `work` with the vault as new as the store, and notes in the journal what came of it. */
export function recordedRestore<Result>(
  context: SyncContext,
  request: Pick<RestoreRequest, "dryRun" | "to">,
  work: (run: Run) => Promise<Result>,
  outcomeOf: (result: Result) => RunOutcome,
): Promise<Result> {
  const staged = request.dryRun || request.to !== null ? "left" : "if-possible";
  const kind = { command: "restore", by: "user" } as const;
  return recorded(context, request, kind, () => withFreshVault(context, staged, work), outcomeOf);
}

/** See `SyncService.restoreVersions`. */
export function listVersions(
  context: SyncContext,
  queries: readonly string[],
): Promise<VersionList> {
  return withFreshVault(context, "left", async (run) => {
    const facts = await choiceFacts(run.vault);
    const ids = [...await chooseNamed(facts, queries)];
    const [id] = ids;
    if (id === undefined || ids.length > 1) {
      throw new ClaudeSyncError("usage", "Versions are shown of one session at a time");
    }
    const { index } = facts.vault;
    const target = targetTranscript(facts.targets.sessions.get(id));
    const key = { session: id, file: TRANSCRIPT };
    const stored = index.versions(id, TRANSCRIPT);
    const versions = versionRows(index, key, stored, target, machineNames(index));
    const title = await titleOf(facts, id);
    const { requests, ms } = run.meter.sinceLast();
    return { id, title, versions, requests, ms };
  });
}

/** What came of the sessions so far. */
interface Outcome {
  readonly sessions: RestoredSession[];
  readonly failures: Failure[];
  otherFiles: number;
  writtenBytes: number;
}

async function restore(run: Run, request: RestoreRequest): Promise<RestoreResult> {
  const recalled = await recallNamed(run, request, () => choiceFacts(run.vault));
  const facts = await choiceFacts(run.vault);
  const { vault } = facts;
  const ids = await chooseSessions(facts, request);
  if (request.version !== null && ids.length !== 1) {
    throw new ClaudeSyncError("usage", "A version belongs to one session: name that one");
  }
  const outcome: Outcome = { sessions: [], failures: [], otherFiles: 0, writtenBytes: 0 };
  const wanted = new Map<string, Wanted>();
  for (const id of ids) {
    try {
      const target = targetTranscript(facts.targets.sessions.get(id));
      const versions = vault.index.versions(id, TRANSCRIPT);
      const newest = target?.hash ?? null;
      wanted.set(id, chooseVersion(versions, versionedSession(id), newest, request));
    } catch (error) {
      // Who names one session is told about it alone; of many, the others go on.
      if (ids.length === 1 || !(error instanceof ClaudeSyncError)) throw error;
      const { code, message } = error;
      outcome.failures.push({ sessionId: id, path: null, code, message });
      outcome.sessions.push(failedSession(id, request.to === null ? "itself" : "files"));
    }
  }
  if (request.to !== null) await restoreFiles(facts, request, request.to, wanted, outcome);
  else {
    await restoreInPlace(run, facts, request, wanted, outcome);
    await restoreCopies(facts, request, wanted, outcome);
  }
  const { requests, receivedBytes, ms } = run.meter.sinceLast();
  const order = new Map(ids.map((id, at) => [id, at]));
  return {
    restored: outcome.sessions.filter((each) => each.outcome === "restored").length,
    otherFiles: outcome.otherFiles,
    sessions: outcome.sessions.sort((a, b) => order.get(a.of)! - order.get(b.of)!),
    bytes: { received: receivedBytes, written: outcome.writtenBytes },
    failures: outcome.failures,
    recalled,
    dryRun: request.dryRun,
    requests,
    ms,
  };
}

function failedSession(id: string, as: RestoredSession["as"]): RestoredSession {
  const nothing = { title: null, version: null, atMs: null, sizeBytes: 0, path: null };
  return { id, of: id, outcome: "failed", as, ...nothing };
}

async function restoreInPlace(
  { vault, sender }: Run,
  facts: ChoiceFacts,
  { dryRun, project }: RestoreRequest,
  wanted: ReadonlyMap<string, Wanted>,
  outcome: Outcome,
): Promise<void> {
  const ids = [...wanted].filter(([, { kind }]) => kind === "newest").map(([id]) => id);
  if (ids.length === 0) return;
  const shelves = new Set(
    project === null ? [] : [memoryShelfId(chooseProject(facts, project))],
  );
  const asked = { sessions: ids, shelves, all: true, dryRun, keptFor: "whole" } as const;
  const totals = await pullSessions(vault, sender, asked);
  // A pull knows of the whole vault; what else is wrong there is not what was asked.
  const roots = new Set<string>(ids.map((id) => facts.targets.sessions.get(id)?.root ?? id));
  const isAsked = ({ sessionId }: Failure) =>
    sessionId === null || wanted.has(sessionId) || roots.has(sessionId);
  const failures = totals.failures.filter(isAsked);
  outcome.failures.push(...failures);
  outcome.otherFiles += totals.otherFiles;
  outcome.writtenBytes += totals.writtenBytes;
  const failed = new Set(failures.map(({ sessionId }) => sessionId));
  const open = new Set(totals.waitingIds);
  const local = new LocalView(vault);
  const { fs } = vault.context.platform;
  const { sessions: targets } = await computeTargets(vault);
  for (const id of ids) {
    const here = local.copies(id)[0];
    const path = here === undefined ? null : transcriptOf(here)!.path;
    const target = targetTranscript(targets.get(id));
    const isWritten = totals.writtenIds.has(id);
    const isHere = path !== null && !failed.has(id);
    if (isHere && !isWritten && !open.has(id) && !dryRun) keepHere(vault, here!);
    if (!isWritten && !open.has(id) && path === null && !failed.has(id)) {
      outcome.failures.push(unplaced(id));
    }
    outcome.sessions.push({
      id,
      of: id,
      title: path === null ? vault.titles.of(id) : readTranscriptTitle(fs, path),
      outcome: open.has(id) ? "open" : isWritten ? "restored" : isHere ? "unchanged" : "failed",
      as: "itself",
      version: target?.hash ?? null,
      atMs: target?.mtimeMs ?? null,
      sizeBytes: target?.len ?? 0,
      path,
    });
  }
}

/** What is here and wanted is kept from the client's clean-up like what is brought here. */
function keepHere(vault: OpenVault, session: LocalSession): void {
  const { fs, host, clock } = vault.context.platform;
  if (liveSessions(fs, host, vault.root).has(session.id)) return;
  const days = cleanupPeriodDays(fs, vault.root);
  const rows = vault.locals.all();
  for (const { name, path, stat } of session.files) {
    const mtimeMs = restoredMtimeMs(stat.mtimeMs, days, clock.nowMs());
    if (mtimeMs === stat.mtimeMs) continue;
    fs.setMtime(path, mtimeMs);
    const row = rows.get(path);
    const now = fs.lstat(path);
    if (now === null || row === undefined || !isSettled(row, stat)) continue;
    vault.locals.remember(path, { session: session.id, file: name }, now, row, row.isDerived);
  }
}

function unplaced(sessionId: string): Failure {
  const message = "Its project has no folder here: claude-sync project map PROJECT DIR";
  return { sessionId, path: null, code: "not-found", message };
}

async function restoreCopies(
  facts: ChoiceFacts,
  { dryRun }: RestoreRequest,
  wanted: ReadonlyMap<string, Wanted>,
  outcome: Outcome,
): Promise<void> {
  for (const [id, each] of wanted) {
    if (each.kind === "newest") continue;
    facts.vault.context.signal.throwIfAborted();
    try {
      const { session, writtenBytes } = await restoreAsCopy(facts, id, each.version, dryRun);
      outcome.sessions.push(session);
      outcome.writtenBytes += writtenBytes;
    } catch (error) {
      outcome.failures.push(failureOf(error, id));
      outcome.sessions.push(failedSession(id, "copy"));
    }
  }
}

async function restoreFiles(
  facts: ChoiceFacts,
  request: RestoreRequest,
  dir: string,
  wanted: ReadonlyMap<string, Wanted>,
  outcome: Outcome,
): Promise<void> {
  const folder = new FilesFolder(facts, dir, request);
  for (const [id, each] of wanted) {
    facts.vault.context.signal.throwIfAborted();
    try {
      const { session, writtenBytes, failures } = await folder.restore(id, each);
      outcome.sessions.push(session);
      outcome.writtenBytes += writtenBytes;
      outcome.failures.push(...failures);
    } catch (error) {
      outcome.failures.push(failureOf(error, id));
      outcome.sessions.push(failedSession(id, "files"));
    }
  }
}
