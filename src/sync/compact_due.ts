/** Whether there is something to compact or to delete, as far as it shows without the store. */
import type { Clock } from "../platform/types.ts";
import type { Sender } from "./push_send.ts";
import type { Seen } from "./fresh_vault.ts";
import type { MachineRow } from "./segment_index.ts";
import { thresholdsOf } from "./thresholds.ts";
import { ForgetDays, GRACE_DAYS, watchedBase } from "./watched_days.ts";
import { WatchedDays, watchedRetirement } from "./watched_days.ts";
import type { LocalState, OpenVault } from "./vault_access.ts";

/** Counts from the last time that a machine has tidied up by itself: not more than once a day. */
const TRIED = "tried";

/**
 * Counts the day after a look at the vault: it has found every checkpoint that it knows of, for a
 * log whose entries from its base on are not all there is an alarm.
 */
export function noteLook(vault: OpenVault, { tag }: Sender, { logs }: Seen): void {
  const nowMs = vault.context.platform.clock.nowMs();
  const days = new WatchedDays(vault.database);
  days.count(nowMs);
  // After a crash, or when the database was lost, the days begin anew.
  for (const row of vault.index.machines()) {
    if (!row.isRetired && row.tag !== tag) continue;
    if (logs.get(row.tag)?.some(({ seq }) => seq < row.base) !== true) continue;
    days.watch(row.tag === tag ? watchedBase(tag, row.base) : watchedRetirement(row), nowMs);
  }
}

/**
 * Whether the machine with the log `tag` has something to do, and has not tried to today. Looks at
 * the local database only.
 */
export function isGcDue(local: LocalState, tag: string): boolean {
  const { database, index } = local;
  const days = new WatchedDays(database);
  if ((days.days(TRIED) ?? 1) < 1) return false;
  const own = index.machines().find((row) => row.tag === tag);
  if (own === undefined) return false;
  return isCompactionDue(local, own) || [...days.all("base "), ...days.all("retired ")]
    .some((watched) => watched.days >= GRACE_DAYS);
}

/** Whether a machine's log is long, or has text that was forgotten long enough ago. */
export function isCompactionDue(
  local: Pick<LocalState, "context" | "database" | "forgotten">,
  own: MachineRow,
): boolean {
  const { compactAtEntries } = thresholdsOf(local.context);
  return own.seq - own.base + 1 >= compactAtEntries || hasForgotten(local, own);
}

function hasForgotten(
  { database, forgotten }: Pick<LocalState, "database" | "forgotten">,
  { id }: MachineRow,
): boolean {
  const due = new ForgetDays(database).due();
  if (due.size === 0) return false;
  const states = database.prepare(
    `SELECT DISTINCT s.file, s.gen, s.hash FROM segment s JOIN grp g ON g.id = s.grp
     WHERE s.session = ? AND g.log = ? ORDER BY s.file`,
  );
  const sessions = forgotten.held().filter((held) => due.has(held.id));
  return [...new Set(sessions.map(({ session }) => session))].some((session) => {
    const rows = states.all(session, id) as { file: string; gen: string; hash: string }[];
    return Object.entries(Object.groupBy(rows, ({ file }) => file)).some(([file, of]) => {
      const kept = forgotten.kept(session, file);
      return kept !== null && of?.some(({ gen, hash }) => !kept.has(`${gen}/${hash}`)) === true;
    });
  });
}

/** Remembers that it was tried, however it ends. */
export function noteTry({ database }: LocalState, clock: Clock): void {
  const days = new WatchedDays(database);
  days.end(TRIED);
  days.watch(TRIED, clock.nowMs());
}
