/** Push, pull and sync as a user or a hook runs them. */
import { discoverSessions, type LocalSession } from "../sessions/discover.ts";
import { knownFolders } from "../sessions/placement.ts";
import { discoverPlans } from "../sessions/plans.ts";
import { isClaudeSyncError } from "../errors.ts";
import type { PullResult, PushResult, RunRecord, SyncContext, SyncRequest } from "./api.ts";
import { memoryShelves, planShelves } from "./local_shelves.ts";
import { noteLook } from "./compact_due.ts";
import { openMachine } from "./machine.ts";
import { MemoryFolders } from "./memory_folders.ts";
import { Exclusion, ProjectFinder } from "./projects.ts";
import { pullSessions } from "./pull.ts";
import { pushSessions } from "./push.ts";
import { Sender } from "./push_send.ts";
import { refresh, type Refreshed } from "./refresh.ts";
import { recorded } from "./run_log.ts";
import { matchIds } from "./session_query.ts";
import { skippedFailures, skippedHere, skippedNote } from "./skipped.ts";
import { type OpenVault, withVault } from "./vault_access.ts";

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

/** A vault that was looked at just now, and what is needed to write to it. */
export interface Run {
  readonly vault: OpenVault;
  readonly sender: Sender;
  /** What the last look showed. */
  readonly seen: Refreshed;
  /** Traffic and time that were reported already. */
  readonly meter: Meter;
}

/** How an interrupted push is gone on with: a pull can do without. */
export type StagedPush = "required" | "if-possible" | "left";

/** Runs `work` with the vault open and read to its end. Errors: those of `refresh` and `work`. */
export async function withFreshVault<Result>(
  context: SyncContext,
  staged: StagedPush,
  work: (run: Run) => Promise<Result>,
): Promise<Result> {
  return await withVault(context, async (vault) => {
    const meter = new Meter(vault);
    const { machine, made } = await openMachine(context.platform, vault.paths);
    if (made === "copied-home") {
      const message = "This home was copied from another computer: it gets an identity of its own";
      context.onProgress({ kind: "note", message });
    }
    const sender = new Sender(vault, machine);
    context.onProgress({ kind: "phase", phase: "reading" });
    const first = await refresh(vault);
    noteLook(vault, sender, first);
    const again = staged === "left" ? null : await resumeStaged(vault, sender, first.logs, staged);
    return await work({ vault, sender, meter, seen: again ?? first });
  });
}

async function resumeStaged(
  vault: OpenVault,
  sender: Sender,
  logs: Refreshed["logs"],
  staged: StagedPush,
): Promise<Refreshed | null> {
  try {
    if (!await sender.resume(logs)) return null;
  } catch (error) {
    // A vault that takes nothing can still be read.
    const isRefused = isClaudeSyncError(error, "store-refused", "no-space");
    if (staged === "required" || !isRefused) throw error;
    return null;
  }
  const again = await refresh(vault);
  sender.count(again.entries);
  return again;
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
  const { requests, sentBytes, ms } = meter.sinceLast();
  return {
    // What a pull in the same run had to send first counts, too.
    pushed: dryRun ? totals.pushedSessions.length : sender.sent.sessions.size,
    otherFiles: dryRun ? totals.otherFiles : sender.sent.otherFiles.size,
    failed: new Set(failures.map(({ sessionId, path }) => sessionId ?? path)).size,
    bytes: { plain: dryRun ? totals.plainBytes : sender.sent.plainBytes, sent: sentBytes },
    sessions: new Set(chosen.map(({ id }) => id)).size,
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

/** Counts what was used since the last report. */
export class Meter {
  readonly #vault: OpenVault;
  #requests = 0;
  #sentBytes = 0;
  #receivedBytes = 0;
  #atMs: number;

  constructor(vault: OpenVault) {
    this.#vault = vault;
    this.#atMs = vault.context.platform.clock.monotonicMs();
  }

  /** `keep-sent`: the bytes sent until now are for the next report. */
  sinceLast(
    sent: "keep-sent" | "all" = "all",
  ): { requests: number; sentBytes: number; receivedBytes: number; ms: number } {
    const { requests: kinds, sentBytes, receivedBytes } = this.#vault.store.traffic();
    const requests = kinds.get + kinds.put + kinds.list + kinds.delete;
    const nowMs = this.#vault.context.platform.clock.monotonicMs();
    const since = {
      requests: requests - this.#requests,
      sentBytes: sentBytes - this.#sentBytes,
      receivedBytes: receivedBytes - this.#receivedBytes,
      ms: Math.round(nowMs - this.#atMs),
    };
    this.#requests = requests;
    if (sent === "all") this.#sentBytes = sentBytes;
    this.#receivedBytes = receivedBytes;
    this.#atMs = nowMs;
    return since;
  }
}

function failureOfPush(result: PushResult): { code: string; message: string } | null {
  const [first] = result.failures;
  return first === undefined ? null : { code: "partial", message: first.message };
}

function failureOfPull(result: PullResult): { code: string; message: string } | null {
  const [first] = result.failures;
  return first === undefined ? null : { code: "partial", message: first.message };
}
