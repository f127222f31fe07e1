/** `restore` of what was forgotten: takes the wish to delete back, as long as the vault has it. */
import { ClaudeSyncError } from "../errors.ts";
import type { RecallableSession } from "./forget_api.ts";
import type { Run } from "./fresh_vault.ts";
import type { RestoreRequest } from "./history_api.ts";
import { recallableSessions, recallSessions } from "./recall.ts";
import { ID_PREFIX_LENGTH_MIN, titleFits } from "./session_query.ts";

/**
 * Recalls the forgotten sessions that `request` names and gives their ids; after that the vault
 * shows them as before. Errors: `not-found` for a request that may not write to the vault, those of
 * the store.
 */
export async function recallNamed(
  run: Run,
  { queries, to, dryRun }: Pick<RestoreRequest, "queries" | "to" | "dryRun">,
): Promise<readonly string[]> {
  if (queries.length === 0) return [];
  const there = new Set(run.vault.index.allLeaves().map(({ session }) => session));
  const named = namedAmong(recallableSessions(run.vault), queries)
    .filter(({ id }) => !there.has(id));
  const [first] = named;
  if (first === undefined) return [];
  if (dryRun || to !== null) {
    throw new ClaudeSyncError("not-found", `Session ${first.id} is forgotten`, {
      sessionId: first.id,
      hint: `It can be taken back: claude-sync restore ${first.id}`,
    });
  }
  return await recallSessions(run, named.map(({ id }) => id));
}

/** Those whose id one of the queries begins, else those whose title has all of the words. */
export function namedAmong(
  sessions: readonly RecallableSession[],
  queries: readonly string[],
): RecallableSession[] {
  const wanted = queries.map((query) => query.toLowerCase());
  const byId = sessions.filter(({ id }) =>
    wanted.some((query) => query.length >= ID_PREFIX_LENGTH_MIN && id.startsWith(query))
  );
  if (byId.length > 0) return byId;
  return sessions.filter(({ title }) => titleFits(title, queries.join(" ")));
}
