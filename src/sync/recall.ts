/** Takes a `forget` back, and tells what can be taken back. */
import { mayBeBranchId } from "../sessions/branch_id.ts";
import { discoverSessions } from "../sessions/discover.ts";
import { TRANSCRIPT } from "../sessions/file_name.ts";
import { describeProject } from "../sessions/project.ts";
import { parseSessionId } from "../sessions/session_id.ts";
import { RECALLED_IDS_MAX } from "../vault/format.ts";
import type { SyncContext } from "./api.ts";
import type { RecallableSession } from "./forget_api.ts";
import type { HeldForget } from "./forgotten.ts";
import type { Run } from "./fresh_vault.ts";
import { ProjectFinder } from "./projects.ts";
import { BatchBuilder } from "./push_batch.ts";
import { type LocalState, withLocalState } from "./vault_access.ts";
import { ForgetDays } from "./watched_days.ts";

/**
 * Recalls every `forget` that concerns one of `sessions`, and with it what was forgotten in the
 * same step: a session comes back with its branches. Gives the sessions that were forgotten and are
 * not any more. What a compaction has deleted does not come back: ask `recallableSessions` first.
 * Errors: those of the store.
 */
export async function recallSessions(
  { vault, sender }: Run,
  sessions: Iterable<string>,
): Promise<readonly string[]> {
  const wanted = new Set(sessions);
  const held = vault.forgotten.held();
  const ids = new Set(held.filter(({ session }) => wanted.has(session)).map(({ id }) => id));
  const concerned = new Set(held.filter(({ id }) => ids.has(id)).map(({ session }) => session));
  const list = [...ids];
  for (let at = 0; at < list.length; at += RECALLED_IDS_MAX) {
    const builder = new BatchBuilder(vault, sender.outbox, 0);
    builder.say([{ op: "recall", ids: list.slice(at, at + RECALLED_IDS_MAX) }]);
    await sender.send(builder);
  }
  return [...concerned].sort();
}

/** See `SyncService.listForgotten`. */
export function listForgotten(context: SyncContext): Promise<readonly RecallableSession[]> {
  return withLocalState(context, "reader", (local) => Promise.resolve(recallableSessions(local)));
}

/**
 * Forgotten sessions whose transcript the vault can still give back, the last forgotten first. Asks
 * nothing of the store.
 */
export function recallableSessions(local: LocalState): RecallableSession[] {
  const { context, index, forgotten, database } = local;
  const { fs } = context.platform;
  const projects = new ProjectFinder(context.platform, index);
  const names = new Map(index.machines().map(({ id, name }) => [id, name]));
  const here = new Map(
    discoverSessions(fs, local.root).sessions.map((session) => [session.id as string, session]),
  );
  const bySession = new Map<string, HeldForget[]>();
  for (const each of forgotten.held()) {
    bySession.set(each.session, [...(bySession.get(each.session) ?? []), each]);
  }
  const there = new Set<string>();
  for (const { session, file } of index.allLeaves()) if (file === TRANSCRIPT) there.add(session);
  const rows: RecallableSession[] = [];
  const forgetDays = new ForgetDays(database);
  for (const [session, forgets] of bySession) {
    const ids = new Set(forgets.map(({ id }) => id));
    const sizeBytes = there.has(session) ? null : recallableBytes(local, session, ids);
    if (sizeBytes === null) continue;
    const newest = forgets.at(-1)!;
    const transcript = here.get(session)?.files.find(({ name }) => name === TRANSCRIPT);
    const project = projects.ofVaultSession(session) ?? projectOfOthers(local, projects, ids);
    rows.push({
      id: session,
      title: transcript === undefined
        ? local.titles.evenForgotten(session)
        : local.transcripts.titleOf(transcript),
      project: project === null ? null : describeProject(project),
      sizeBytes,
      forgottenMs: newest.timeMs,
      by: names.get(newest.machine) ?? newest.machine,
      daysLeft: forgetDays.left(newest.id),
      isHere: transcript !== undefined,
    });
  }
  return rows.sort((a, b) => b.forgottenMs - a.forgottenMs || (a.id < b.id ? -1 : 1));
}

/**
 * Bytes of the session that can be given back; null when its transcript cannot. A branch that
 * nobody has stored comes from the transcript of another session that the same `forget` names.
 */
function recallableBytes(
  { index, forgotten }: LocalState,
  session: string,
  ids: ReadonlySet<string>,
): number | null {
  let bytes = 0;
  let hasTranscript = false;
  for (const file of forgotten.files(session)) {
    for (const leaf of forgotten.leaves(session, file)) {
      if (index.chain(session, file, leaf) === null) continue;
      bytes += leaf.len;
      hasTranscript ||= file === TRANSCRIPT;
    }
  }
  if (hasTranscript) return bytes;
  const id = parseSessionId(session);
  if (id === null || !mayBeBranchId(id)) return null;
  const named = forgotten.named(session, TRANSCRIPT, (id) => ids.has(id));
  const isElsewhere = forgotten.held().some(({ id, session: other }) =>
    ids.has(id) && other !== session &&
    forgotten.leaves(other, TRANSCRIPT).some((leaf) =>
      index.chain(other, TRANSCRIPT, leaf) !== null
    )
  );
  if (named.length === 0 || !isElsewhere) return null;
  return bytes + Math.max(...named.map(({ len }) => len));
}

function projectOfOthers(
  { forgotten }: LocalState,
  projects: ProjectFinder,
  ids: ReadonlySet<string>,
): ReturnType<ProjectFinder["ofVaultSession"]> {
  for (const { id, session } of forgotten.held()) {
    const project = ids.has(id) ? projects.ofVaultSession(session) : null;
    if (project !== null) return project;
  }
  return null;
}
