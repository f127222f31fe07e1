/** How young what `forget --before` would take is: all of it, not only what a session ends with. */
import { HISTORY } from "../sessions/file_name.ts";
import type { ForgetFacts } from "./forget_choice.ts";
import { nameAll, type Named } from "./forget_ops.ts";
import { isSettled } from "./local_files.ts";

/**
 * Whether a part of what is named is from `beforeMs` or later: a segment that leads to a state of
 * it, by the time that its file had on the machine that pushed it, or a file of `members` here with
 * bytes that were never sent. A session may end with something older than that: another file, an
 * end in which nobody spoke, a turn after which a clock was set back.
 */
export function hasYoungPart(
  { vault, local }: ForgetFacts,
  named: Named,
  members: readonly string[],
  beforeMs: number,
): boolean {
  const find = vault.database.prepare(
    `SELECT 1 FROM segment
     WHERE session = ? AND file = ? AND gen = ? AND hash = ? AND mtime >= ? LIMIT 1`,
  );
  for (const [session, leaves] of named) {
    for (const { file, gen, hash } of leaves) {
      // The prompts of all sessions are one file: its time says nothing of one of them.
      if (file === HISTORY) continue;
      if (find.get(session, file, gen, hash, beforeMs) !== undefined) return true;
    }
  }
  const rows = vault.locals.all();
  const files = members.flatMap((id) => local.copies(id).flatMap((copy) => copy.files));
  return files.some(({ path, stat }) =>
    stat.mtimeMs >= beforeMs && !isSettled(rows.get(path), stat)
  );
}

/** As `hasYoungPart`, for a shelf of plans or a memory. */
export function isYoungShelf(facts: ForgetFacts, id: string, beforeMs: number): boolean {
  const named: Named = new Map();
  nameAll(facts.vault, named, id);
  return hasYoungPart(facts, named, [], beforeMs);
}
