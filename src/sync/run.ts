/** Push, pull and sync as a user or a hook runs them. */
import { discoverSessions, type LocalSession } from "../sessions/discover.ts";
import { knownFolders } from "../sessions/placement.ts";
import { discoverPlans } from "../sessions/plans.ts";
import type { PullResult, PushResult, RunRecord, SyncContext, SyncRequest } from "./api.ts";
import { type Run, withFreshVault } from "./fresh_vault.ts";
import { memoryShelves, planShelves } from "./local_shelves.ts";
import { MemoryFolders } from "./memory_folders.ts";
import { Exclusion, ProjectFinder } from "./projects.ts";
import { pullSessions } from "./pull.ts";
import { pushSessions } from "./push.ts";
import { recorded } from "./run_log.ts";
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
    "push",
    by,
    () =>
      withFreshVault(context, request.dryRun ? "left" : "required", (run) => push(run, request)),
    failureOfPush,
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
    "pull",
    by,
    () =>
      withFreshVault(context, request.dryRun ? "left" : "if-possible", (run) => pull(run, request)),
    failureOfPull,
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
    "sync",
    by,
    () => withFreshVault(context, request.dryRun ? "left" : "if-possible", both),
    (result) => failureOfPull(result.pull) ?? failureOfPush(result.push),
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
    return knownFolders(fs, vault.context.platform.host, vault.root, sessions)
      .map(({ dir }) => dir);
  });
  const shelves = [
    ...planShelves(vault, plans.files, chosen, projects, all ? null : exclusion),
    // A memory is no single session's.
    ...(isAll ? memoryShelves(vault, discovery.memories, projects, folders, all) : []),
  ];
  const scope = { sessions: chosen, shelves, all, dryRun, tearNow: false };
  const totals = await pushSessions(vault, sender, projects, scope);
  // Who names sessions has asked for no more than these.
  const skipped = [...discovery.skipped, ...plans.skipped];
  const missed = isAll ? skippedHere(skipped, vault.root, exclusion) : [];
  const message = skippedNote(missed);
  if (message !== null) vault.context.onProgress({ kind: "note", message });
  const failures = [...totals.failures, ...skippedFailures(missed)];
  const looked = new Set(chosen.map(({ id }) => id));
  const { requests, sentBytes, ms } = meter.sinceLast();
  return {
    // What a pull in the same run had to send first counts, too.
    pushed: dryRun ? totals.pushedSessions.length : sender.sent.sessions.size,
    otherFiles: dryRun ? totals.otherFiles : sender.sent.otherFiles.size,
    failed: new Set(failures.map(({ sessionId, path }) => sessionId ?? path)).size,
    bytes: { plain: dryRun ? totals.plainBytes : sender.sent.plainBytes, sent: sentBytes },
    sessions: looked.size,
    forgotten: [...looked].filter((id) => vault.forgotten.isSession(id)).length,
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
  const { writtenBytes, ...counts } = totals;
  const bytes = { received: receivedBytes, written: writtenBytes };
  return { ...counts, bytes, requests, ms, dryRun };
}

function failureOfPush(result: PushResult): { code: string; message: string } | null {
  const [first] = result.failures;
  return first === undefined ? null : { code: "partial", message: first.message };
}

function failureOfPull(result: PullResult): { code: string; message: string } | null {
  const [first] = result.failures;
  return first === undefined ? null : { code: "partial", message: first.message };
}
