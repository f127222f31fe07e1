/**
 * Forgets sessions: the only deletion that there is. It writes down the wish; a compaction of each
 * machine deletes the text when it is old enough (FORMAT.md sections 8 and 12). Local files stay.
 */
import { ClaudeSyncError } from "../errors.ts";
import { describeProject } from "../sessions/project.ts";
import { liveSessions, looksLive } from "../sessions/live.ts";
import { readTranscriptTail } from "../sessions/transcript_file.ts";
import type { Failure, SyncContext } from "./api.ts";
import type { ForgetRequest, ForgetResult, ForgottenSession } from "./forget_api.ts";
import { chooseForgotten, type ForgetFacts, type Forgettable } from "./forget_choice.ts";
import { forgettableSessions, titleOf } from "./forget_choice.ts";
import { hasYoungPart, isYoungShelf } from "./forget_age.ts";
import { entriesOf, forgetOps, nameAll, type Named, namedBy } from "./forget_ops.ts";
import { nameUnsent, type UnsentTranscript } from "./forget_ops.ts";
import { shelvesGoing } from "./forget_shelves.ts";
import { type Run, withFreshVault } from "./fresh_vault.ts";
import { isUnchanged } from "./local_files.ts";
import { ProjectFinder } from "./projects.ts";
import { LocalView, transcriptOf } from "./pull_place.ts";
import { BatchBuilder } from "./push_batch.ts";
import { failureOf } from "./push.ts";
import { NOTHING_DONE, partialFailure, recorded } from "./run_log.ts";
import { computeTargets } from "./targets.ts";
import type { ForgetOp } from "../vault/entry_body.ts";

/**
 * See `SyncService.forget`. Errors: `usage`, `not-found`, `ambiguous`, `busy` when what was named
 * is open here, alarms, those of the store.
 */
export function forgetSessions(
  context: SyncContext,
  request: ForgetRequest,
): Promise<ForgetResult> {
  const staged = request.dryRun ? "left" : "required";
  const work = () => withFreshVault(context, staged, (run) => forget(run, request));
  return recorded(context, request, { command: "forget", by: "user" }, work, (result) => ({
    ...NOTHING_DONE,
    failure: partialFailure(result.failures),
  }));
}

async function forget(run: Run, request: ForgetRequest): Promise<ForgetResult> {
  const { vault } = run;
  const projects = new ProjectFinder(vault.context.platform, vault.index);
  const targets = await computeTargets(vault);
  const facts: ForgetFacts = { vault, targets, local: new LocalView(vault), projects };
  const choice = chooseForgotten(facts, request);
  const { queries, only } = request;
  const asked = choice.chosen.filter(({ id }) => only?.some((seen) => seen.id === id) ?? true);
  const planned = await planForget(facts, asked, choice.already, request.beforeMs);
  const { going, changed } = asConfirmed(facts, planned.going, only);
  const failures = [...planned.failures, ...changed];
  const [first] = failures;
  if (first !== undefined && queries.length > 0 && going.length === 0) {
    throw new ClaudeSyncError("busy", first.message, {
      hint: changed.includes(first)
        ? "Look at it again: claude-sync forget ID"
        : "Close it first: every new turn would bring it back",
    });
  }
  const ids = new Set(going.flatMap(({ members }) => members));
  const shelves = going.length === 0 && choice.project === null
    ? []
    : shelvesGoing(facts, ids, choice.project).filter((id) =>
      request.beforeMs === null || !isYoungShelf(facts, id, request.beforeMs)
    );
  const otherFiles = shelves.flatMap((id) => vault.index.files(id)).length;
  const sessions = rowsOf(facts, going);
  if (!request.dryRun) await write(run, going, shelves, facts);
  const { requests, ms } = run.meter.sinceLast();
  return {
    sessions,
    otherFiles,
    already: choice.already.filter((id) => !ids.has(id)),
    project: choice.project === null ? null : describeProject(choice.project),
    sizeBytes: sessions.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    failures,
    dryRun: request.dryRun,
    requests,
    ms,
  };
}

/** One session that goes, with its branches. */
interface Going {
  readonly id: string;
  readonly members: readonly string[];
  readonly named: Named;
  readonly unsent: readonly UnsentTranscript[];
}

async function planForget(
  facts: ForgetFacts,
  asked: readonly Forgettable[],
  already: readonly string[],
  beforeMs: number | null,
): Promise<{ readonly going: readonly Going[]; readonly failures: readonly Failure[] }> {
  const going: Going[] = [];
  const failures: Failure[] = [];
  const isOpen = openHere(facts);
  const roots = new Set(asked.filter(({ id, root }) => id === root).map(({ id }) => id));
  // Roots first: what is too young to go leaves its branches to themselves.
  const isRoot = ({ id }: Forgettable) => Number(roots.has(id));
  for (const session of asked.toSorted((a, b) => isRoot(b) - isRoot(a))) {
    facts.vault.context.signal.throwIfAborted();
    // It goes with the session that it came from.
    if (session.id !== session.root && roots.has(session.root)) continue;
    try {
      const { named, members } = await namedBy(facts, session);
      if (beforeMs !== null && hasYoungPart(facts, named, members, beforeMs)) {
        roots.delete(session.id);
        continue;
      }
      const open = members.find(isOpen);
      if (open !== undefined) {
        failures.push(openFailure(open));
        continue;
      }
      const unsent = nameUnsent(facts, named, members);
      going.push({ id: session.id, members, named, unsent });
    } catch (error) {
      failures.push(failureOf(error, session.id));
    }
  }
  const activityMs = new Map(asked.map(({ id, lastActivityMs }) => [id, lastActivityMs]));
  const newestFirst = (a: Going, b: Going) =>
    activityMs.get(b.id)! - activityMs.get(a.id)! || (a.id < b.id ? -1 : 1);
  going.sort(newestFirst);
  for (const id of already) {
    // It may have turns here that were not here, or could not be read, when it was forgotten.
    const named: Named = new Map();
    const unsent = nameUnsent(facts, named, [id]);
    if (unsent.length === 0) continue;
    if (isOpen(id)) failures.push(openFailure(id));
    else going.push({ id, members: [id], named, unsent });
  }
  return { going, failures };
}

/**
 * Leaves out what is not as the user has seen it: turns that came meanwhile were in no question.
 */
function asConfirmed(
  facts: ForgetFacts,
  planned: readonly Going[],
  only: ForgetRequest["only"],
): { readonly going: readonly Going[]; readonly changed: readonly Failure[] } {
  if (only === null) return { going: planned, changed: [] };
  const seen = new Map(only.map((session) => [session.id, session]));
  const changedIds = new Set(
    rowsOf(facts, planned).filter(({ id, lastActivityMs, sizeBytes }) => {
      const before = seen.get(id);
      return before?.lastActivityMs !== lastActivityMs || before.sizeBytes !== sizeBytes;
    }).map(({ id }) => id),
  );
  const going = planned.filter(({ members }) => !members.some((id) => changedIds.has(id)));
  const changed = planned.filter((each) => !going.includes(each)).map(({ id }): Failure => ({
    sessionId: id,
    path: null,
    code: "busy",
    message: `Session ${id} went on since you were asked`,
  }));
  return { going, changed };
}

function openFailure(sessionId: string): Failure {
  const message = `Session ${sessionId} is open in Claude Code here`;
  return { sessionId, path: null, code: "busy", message };
}

function openHere({ vault, local }: ForgetFacts): (session: string) => boolean {
  const { fs, host, clock } = vault.context.platform;
  const live: ReadonlySet<string> = liveSessions(fs, host, vault.root);
  const rows = vault.locals.all();
  return (id) =>
    live.has(id) || local.copies(id).some((copy) => {
      const { path, stat } = transcriptOf(copy)!;
      const row = rows.get(path);
      if (stat.sizeBytes === 0 || (row !== undefined && isUnchanged(row, stat))) return false;
      const lastVersion = readTranscriptTail(fs, path)?.lastVersion ?? null;
      return looksLive({ mtimeMs: stat.mtimeMs, lastVersion, nowMs: clock.nowMs() });
    });
}

function rowsOf(facts: ForgetFacts, going: readonly Going[]): ForgottenSession[] {
  const { vault, local, projects } = facts;
  const sessions = forgettableSessions(facts);
  const names = new Map(vault.index.machines().map(({ id, name }) => [id, name]));
  return going.flatMap(({ id: first, members }) =>
    members.map((id): ForgottenSession => {
      const session = sessions.get(id) ?? onlyHere(facts, id);
      const project = projects.ofVaultSession(session.root);
      const writers = [...vault.index.writers(id), ...vault.index.writers(first)];
      return {
        id,
        of: id === first ? null : first,
        title: titleOf(facts, session),
        project: project === null ? null : describeProject(project),
        lastActivityMs: session.lastActivityMs,
        sizeBytes: session.sizeBytes,
        machines: [...new Set(writers.map((writer) => names.get(writer) ?? writer))].sort(),
        isHere: local.copies(id).length > 0,
      };
    })
  );
}

/** A session of which only turns that were never sent are to be forgotten. */
function onlyHere({ local }: ForgetFacts, id: string): Forgettable {
  const { stat } = transcriptOf(local.copies(id)[0]!)!;
  return { id, root: id, lastActivityMs: stat.mtimeMs, sizeBytes: stat.sizeBytes };
}

async function write(
  { vault, sender }: Run,
  going: readonly Going[],
  shelves: readonly string[],
  { local }: ForgetFacts,
): Promise<void> {
  const { random } = vault.context.platform;
  const ops: ForgetOp[] = going.flatMap(({ named }) => forgetOps(named, random));
  for (const shelf of shelves) {
    const named: Named = new Map();
    nameAll(vault, named, shelf);
    ops.push(...forgetOps(named, random));
  }
  for (const entry of entriesOf(ops)) {
    const builder = new BatchBuilder(vault, sender.outbox, 0);
    builder.say(entry);
    await sender.send(builder);
  }
  for (const { session, path, state } of going.flatMap(({ unsent }) => unsent)) {
    const copy = local.copies(session).map((each) => transcriptOf(each)!)
      .find((file) => file.path === path);
    if (copy === undefined || copy.stat.sizeBytes !== state.len) continue;
    vault.locals.remember(path, { session, file: copy.name }, copy.stat, state);
  }
}
