/**
 * Takes sessions from elsewhere into the vault, by the rules of any other machine's push, and then
 * lets a pull put them where they belong here: so nothing that is here or there is replaced.
 */
import { type ImportSource, importSource } from "../sessions/import_source.ts";
import type { Failure, PullResult, SyncContext } from "./api.ts";
import { type Run, withFreshVault } from "./fresh_vault.ts";
import { HistoryBook } from "./history_book.ts";
import type { ImportRequest, ImportResult } from "./history_api.ts";
import { ImportedProjects } from "./import_projects.ts";
import { memoryShelves, planShelves } from "./local_shelves.ts";
import { Exclusion } from "./projects.ts";
import { pullSessions } from "./pull.ts";
import { pushSessions } from "./push.ts";
import type { Sender } from "./push_send.ts";
import { partialFailure, recorded } from "./run_log.ts";
import { skippedFailures, skippedHere, skippedNote } from "./skipped.ts";
import { computeTargets } from "./targets.ts";
import type { OpenVault } from "./vault_access.ts";

/** See `SyncService.import`. */
export function importSessions(
  context: SyncContext,
  request: ImportRequest,
): Promise<ImportResult> {
  const work = () =>
    withFreshVault(context, request.dryRun ? "left" : "required", (run) => runImport(run, request));
  return recorded(context, request, { command: "import", by: "user" }, work, (result) => ({
    failure: partialFailure(result.failures),
    sentSessions: result.imported,
    receivedSessions: result.pull?.pulled ?? 0,
    bytes: {
      sent: result.bytes.sent,
      received: result.pull?.bytes.received ?? 0,
      written: result.pull?.bytes.written ?? 0,
    },
  }));
}

interface Tally {
  readonly ids: Set<string>;
  readonly imported: Set<string>;
  otherFiles: number;
  plainBytes: number;
  readonly failures: Failure[];
}

async function runImport(run: Run, request: ImportRequest): Promise<ImportResult> {
  const { vault, meter } = run;
  const { fs, host } = vault.context.platform;
  const { all, dryRun } = request;
  // All are looked at before anything of one is taken.
  const sources = request.paths.map((path) => importSource(fs, host, vault.root, path));
  const tally: Tally = {
    ids: new Set(),
    imported: new Set(),
    otherFiles: 0,
    plainBytes: 0,
    failures: [],
  };
  let { sender } = run;
  for (const source of sources) {
    vault.context.signal.throwIfAborted();
    sender = await take(vault, sender, source, request, tally);
  }
  const { requests, sentBytes, ms } = meter.sinceLast();
  const pull = dryRun ? null : await place(run, sender.over(vault), tally, all);
  return {
    found: tally.ids.size,
    imported: tally.imported.size,
    otherFiles: tally.otherFiles,
    bytes: { plain: tally.plainBytes, sent: sentBytes },
    failures: tally.failures,
    pull,
    dryRun,
    requests,
    ms,
  };
}

/** Gives the sender that was used, as its identity may have changed. */
async function take(
  vault: OpenVault,
  sender: Sender,
  source: ImportSource,
  { all, dryRun }: ImportRequest,
  tally: Tally,
): Promise<Sender> {
  const { root, sessions } = source;
  const { fs } = vault.context.platform;
  // The folder is, for the time of a push, this machine's Claude Code folder.
  const there: OpenVault = {
    ...vault,
    root,
    history: new HistoryBook(fs, root, vault.index, vault.database),
  };
  const projects = new ImportedProjects(there, root.configDir, sessions);
  const exclusion = new Exclusion(vault.config, projects, sessions);
  const shelves = [
    ...planShelves(there, source.plans, sessions, projects, all ? null : exclusion),
    ...memoryShelves(there, source.memories, projects, projects, all),
  ];
  const used = sender.over(there);
  // Nobody writes there any more, so half a last line is all there will be of it.
  const scope = {
    sessions,
    shelves,
    all,
    dryRun,
    tearNow: true,
    withoutHistory: !source.hasHistory,
  };
  const totals = await pushSessions(there, used, projects, scope);
  for (const { id } of sessions) tally.ids.add(id);
  for (const id of totals.pushedSessions) if (tally.ids.has(id)) tally.imported.add(id);
  tally.otherFiles += dryRun ? totals.otherFiles : used.sent.otherFiles.size;
  tally.plainBytes += totals.plainBytes;
  const missed = skippedHere(source.skipped, root, exclusion);
  const message = skippedNote(missed);
  if (message !== null) vault.context.onProgress({ kind: "note", message });
  tally.failures.push(...totals.failures, ...skippedFailures(missed));
  return used;
}

async function place(
  { vault, meter }: Run,
  sender: Sender,
  { ids, imported }: Tally,
  all: boolean,
): Promise<PullResult> {
  const known = (await computeTargets(vault)).sessions;
  const sessions = all ? [...ids].filter((id) => known.has(id)) : [];
  const isAllOfNone = all && sessions.length === 0;
  const totals = await pullSessions(vault, sender, {
    sessions,
    all: all && !isAllOfNone,
    dryRun: false,
    keptFor: all ? "whole" : "half",
  });
  const { requests, receivedBytes, ms } = meter.sinceLast("keep-sent");
  const { writtenBytes, writtenIds: _, ...counts } = totals;
  const bytes = { received: receivedBytes, written: writtenBytes };
  const branchSessions = counts.branchSessions.map((branch) =>
    branch.how === "apart" && [branch.id, branch.of].some((id) => imported.has(id))
      ? { ...branch, how: "import" as const }
      : branch
  );
  return { ...counts, branchSessions, bytes, requests, ms, dryRun: false };
}
