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
  const asked = choice.chosen.filter(({ id }) => only === null || only.includes(id));
  const { going, failures } = await planForget(facts, asked, choice.already);
  const [open] = failures;
  if (open !== undefined && queries.length > 0 && going.length === 0) {
    throw new ClaudeSyncError("busy", open.message, {
      hint: "Close it first: every new turn would bring it back",
    });
  }
  const ids = new Set(going.flatMap(({ members }) => members));
  const shelves = going.length === 0 && choice.project === null
    ? []
    : shelvesGoing(facts, ids, choice.project);
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
): Promise<{ readonly going: readonly Going[]; readonly failures: readonly Failure[] }> {
  const going: Going[] = [];
  const failures: Failure[] = [];
  const isOpen = openHere(facts);
  const chosen = new Set(asked.map(({ id }) => id));
  const order = asked.toSorted((a, b) =>
    b.lastActivityMs - a.lastActivityMs || (a.id < b.id ? -1 : 1)
  );
  for (const session of order) {
    facts.vault.context.signal.throwIfAborted();
    // It goes with the session that it came from.
    if (session.id !== session.root && chosen.has(session.root)) continue;
    try {
      const { named, members } = await namedBy(facts, session);
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
