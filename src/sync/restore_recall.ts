/** `restore` of what was forgotten: takes the wish to delete back, as long as the vault has it. */
import { ClaudeSyncError } from "../errors.ts";
import type { RecallableSession } from "./forget_api.ts";
import type { Run } from "./fresh_vault.ts";
import type { RestoreRequest } from "./history_api.ts";
import { recallableSessions, recallSessions } from "./recall.ts";
import { type ChoiceFacts, chooseNamed } from "./restore_choice.ts";
import { ID_PREFIX_LENGTH_MIN, titleFits } from "./session_query.ts";

/**
 * Recalls the forgotten sessions that `request` names and gives their ids; after that the vault
 * shows them as before. `facts`: of the vault as it is before. Errors: `not-found` for a request
 * that may not write to the vault, `ambiguous` when another session may be meant (then nothing is
 * recalled), those of the store.
 */
export async function recallNamed(
  run: Run,
  { queries, to, dryRun }: Pick<RestoreRequest, "queries" | "to" | "dryRun">,
  facts: () => Promise<ChoiceFacts>,
): Promise<readonly string[]> {
  if (queries.length === 0) return [];
  const there = new Set(run.vault.index.allLeaves().map(({ session }) => session));
  const gone = recallableSessions(run.vault).filter(({ id }) => !there.has(id));
  // Mostly none is meant, and nothing has to be read.
  if (namedAmong(gone, queries).length === 0) return [];
  const ids = new Set(gone.map(({ id }) => id));
  const named = [...await chooseNamed(await facts(), queries, ids)].filter((id) => ids.has(id));
  const [first] = named;
  if (first === undefined) return [];
  if (dryRun || to !== null) {
    throw new ClaudeSyncError("not-found", `Session ${first} is forgotten`, {
      sessionId: first,
      hint: `It can be taken back: claude-sync restore ${first}`,
    });
  }
  return await recallSessions(run, named);
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
