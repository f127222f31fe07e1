/** Push, pull and sync as a user or a hook runs them. */
import { discoverSessions, type LocalSession } from "../sessions/discover.ts";
import { discoverPlans } from "../sessions/plans.ts";
import type { PullResult, PushResult, RunRecord, SyncContext, SyncRequest } from "./api.ts";
import { type Run, withFreshVault } from "./fresh_vault.ts";
import { foldersKnownHere } from "./known_folders.ts";
import { memoryShelves, planShelves } from "./local_shelves.ts";
import { MemoryFolders } from "./memory_folders.ts";
import { Exclusion, ProjectFinder } from "./projects.ts";
import { pullSessions } from "./pull.ts";
import { pushSessions } from "./push.ts";
import { partialFailure, recorded, type RunOutcome } from "./run_log.ts";
import { matchIds } from "./session_query.ts";
import { skippedFailures, skippedHere, skippedNote } from "./skipped.ts";

/** See `SyncService.push`. */
export function runPush(
  context: SyncContext,
  request: SyncRequest,
  by: RunRecord["by"] = "user",
): Promise<PushResult> {
  return recorded(
    context,
    request,
    { command: "push", by },
    () =>
      withFreshVault(context, request.dryRun ? "left" : "required", (run) => push(run, request)),
    outcomeOfPush,
  );
}

/** See `SyncService.pull`. */
export function runPull(
  context: SyncContext,
  request: SyncRequest,
  by: RunRecord["by"] = "user",
): Promise<PullResult> {
  return recorded(
    context,
    request,
    { command: "pull", by },
    () =>
      withFreshVault(context, request.dryRun ? "left" : "if-possible", (run) => pull(run, request)),
    outcomeOfPull,
  );
}

/** See `SyncService.sync`. One look at the store serves both. */
export function runSync(
  context: SyncContext,
  request: SyncRequest,
  by: RunRecord["by"] = "user",
): Promise<{ pull: PullResult; push: PushResult }> {
  const both = (run: Run) =>
    pull(run, request).then(async (pulled) => ({
      pull: pulled,
      push: await push(run, request),
    }));
  return recorded(
    context,
    request,
    { command: "sync", by },
    () => withFreshVault(context, request.dryRun ? "left" : "if-possible", both),
    ({ pull, push }) => {
      const [received, sent] = [outcomeOfPull(pull), outcomeOfPush(push)];
      return {
        failure: received.failure ?? sent.failure,
        sentSessions: sent.sentSessions,
        receivedSessions: received.receivedSessions,
        bytes: {
          sent: sent.bytes.sent,
          received: received.bytes.received + sent.bytes.received,
          written: received.bytes.written,
        },
      };
    },
  );
}

async function push({ vault, sender, meter }: Run, request: SyncRequest): Promise<PushResult> {
  const { fs } = vault.context.platform;
  const discovery = discoverSessions(fs, vault.root);
  const { sessions } = discovery;
  const chosen = chooseLocal(sessions, request.sessions);
  const projects = new ProjectFinder(vault.context.platform, vault.index);
  const exclusion = new Exclusion(vault.config, projects, sessions);
  const { all, dryRun } = request;
  const plans = discoverPlans(fs, vault.root);
  const isAll = request.sessions.length === 0;
  const folders = new MemoryFolders(vault, projects, () => {
    return foldersKnownHere(vault, sessions).map(({ dir }) => dir);
  });
  const shelves = [
    ...planShelves(vault, plans.files, chosen, projects, all ? null : exclusion),
    // A memory is no single session's.
    ...(isAll ? memoryShelves(vault, discovery.memories, projects, folders, all) : []),
  ];
  const scope = { sessions: chosen, shelves, all, dryRun, tearNow: false };
  const totals = await pushSessions(vault, sender, projects, scope);
  if (sender.sent.sessions.size > 0) vault.transcripts.finish(sessions);
  // Who names sessions has asked for no more than these.
  const skipped = [...discovery.skipped, ...plans.skipped];
  const missed = isAll ? skippedHere(skipped, vault.root, exclusion) : [];
  const message = skippedNote(missed);
  if (message !== null) vault.context.onProgress({ kind: "note", message });
  const failures = [...totals.failures, ...skippedFailures(missed)];
  const isLeftOut = (session: LocalSession) => !all && exclusion.excludes(session);
  const looked = new Set<string>(
    chosen.filter((session) => !isLeftOut(session)).map(({ id }) => id),
  );
  const { requests, sentBytes, ms } = meter.sinceLast();
  return {
    // What a pull in the same run had to send first counts, too.
    pushed: dryRun ? totals.pushedSessions.length : sender.sent.sessions.size,
    otherFiles: dryRun ? totals.otherFiles : sender.sent.otherFiles.size,
    failed: new Set(failures.map(({ sessionId, path }) => sessionId ?? path)).size,
    bytes: { plain: dryRun ? totals.plainBytes : sender.sent.plainBytes, sent: sentBytes },
    sessions: looked.size,
    excluded: new Set(chosen.map(({ id }) => id)).size - looked.size,
    forgotten: [...vault.forgotten.sessions()]
      .filter((id) => looked.has(id) && vault.forgotten.isSession(id)).length,
    tornTails: totals.tornTails,
    failures,
    dryRun,
    requests,
    ms,
  };
}

function chooseLocal(
  sessions: readonly LocalSession[],
  queries: readonly string[],
): readonly LocalSession[] {
  if (queries.length === 0) return sessions;
  const ids = matchIds(queries, new Set(sessions.map(({ id }) => id)));
  return sessions.filter(({ id }) => ids.has(id));
}

async function pull(run: Run, request: SyncRequest): Promise<PullResult> {
  const { vault, sender, meter } = run;
  const { sessions, all, dryRun } = request;
  const totals = await pullSessions(vault, sender, { sessions, all, dryRun });
  const { requests, receivedBytes, ms } = meter.sinceLast("keep-sent");
  const { writtenBytes, writtenIds: _, ...counts } = totals;
  const bytes = { received: receivedBytes, written: writtenBytes };
  return { ...counts, bytes, requests, ms, dryRun };
}

function outcomeOfPush(result: PushResult): RunOutcome {
  return {
    failure: partialFailure(result.failures),
    sentSessions: result.pushed,
    receivedSessions: 0,
    bytes: { sent: result.bytes.sent, received: 0, written: 0 },
  };
}

function outcomeOfPull(result: PullResult): RunOutcome {
  return {
    failure: partialFailure(result.failures),
    sentSessions: 0,
    receivedSessions: result.pulled,
    bytes: { sent: 0, ...result.bytes },
  };
}
