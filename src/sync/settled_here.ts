/**
 * Which of the vault's sessions a pull has to look at. Most of thousands stand here as the vault
 * has them: what they are to become is what they are, and nothing of it is worked out.
 */
import { mayBeBranchId } from "../sessions/branch_id.ts";
import type { LocalFile } from "../sessions/discover.ts";
import { foldedFileName, HISTORY } from "../sessions/file_name.ts";
import type { SessionId } from "../sessions/session_id.ts";
import { isUnchanged, type RememberedStat } from "./local_files.ts";
import type { LocalView } from "./pull_place.ts";
import type { OpenVault } from "./vault_access.ts";

/** A local file that was last seen at a leaf of the vault, and with nothing behind it. */
interface SettledRow extends RememberedStat {
  readonly path: string;
  readonly session: string;
}

/**
 * Ids of all sessions and shelves of the vault but those of which the following holds; null when it
 * holds of none. Each file has one state that is a leaf, and it stands at that state in every place
 * that the session has here, of which there is at least one, with the metadata that it had when
 * that was last proven. The session is no branch, and nothing of it is derived. So a pull has
 * nothing to do for them, whatever it is asked for; unless one is the root of a branch, which
 * `computeTargets` sees to.
 */
export function unsettledSessions(
  vault: OpenVault,
  local: LocalView,
  plans: readonly LocalFile[],
): ReadonlySet<string> | null {
  const files = new SettledFiles(vault);
  if (files.isEmpty) return null;
  const shelves = new SettledShelves(files, local, plans);
  const derived = new Set(
    (vault.database.prepare("SELECT DISTINCT session FROM local WHERE derived <> 0").all() as {
      session: string;
    }[]).map(({ session }) => session),
  );
  const counts = vault.database.prepare(
    "SELECT session, count(*) AS leaves FROM leaf WHERE file <> ? GROUP BY session",
  ).all(HISTORY) as { session: SessionId; leaves: number }[];
  const unsettled = new Set<string>();
  for (const { session, leaves } of counts) {
    const copies = local.copies(session);
    const isSettled = copies.length === 0
      ? shelves.isSettled(session, leaves)
      : !mayBeBranchId(session) && copies.every((copy) => files.has(copy.files, session, leaves));
    if (!isSettled || derived.has(session)) unsettled.add(session);
  }
  return unsettled.size === counts.length ? null : unsettled;
}

class SettledFiles {
  readonly #rows = new Map<string, SettledRow>();

  constructor({ database }: OpenVault) {
    // All at once: each row costs half of what it does one by one.
    const rows = database.prepare(
      `SELECT l.path, l.session, l.size AS sizeBytes, l.mtime AS mtimeMs, l.ino
       FROM local l CROSS JOIN leaf f ON f.session = l.session AND f.file = l.file
         AND f.gen = l.gen AND f.hash = l.hash
       WHERE l.len = l.size AND l.derived = 0`,
    ).all() as unknown as SettledRow[];
    for (const row of rows) this.#rows.set(row.path, row);
  }

  get isEmpty(): boolean {
    return this.#rows.size === 0;
  }

  /** The session that the file is settled in; null when it is not. */
  sessionOf({ path, stat }: LocalFile): string | null {
    const row = this.#rows.get(path);
    return row !== undefined && isUnchanged(row, stat) ? row.session : null;
  }

  /**
   * Whether `leaves` of the files are settled in `session`. As each is at a leaf of its own name,
   * and the vault has no more leaves than these, each name has one.
   */
  has(files: readonly LocalFile[], session: string, leaves: number): boolean {
    if (files.length < leaves) return false;
    let count = 0;
    for (const file of files) if (this.sessionOf(file) === session) count++;
    return count === leaves && (leaves === 1 || isOnAnyDisk(files));
  }
}

/** The same for what is no session: plans, and the memories of projects. */
class SettledShelves {
  readonly #plans = new Map<string, LocalFile[]>();
  readonly #memories = new Map<string, (readonly LocalFile[])[]>();
  readonly #files: SettledFiles;

  constructor(files: SettledFiles, local: LocalView, plans: readonly LocalFile[]) {
    this.#files = files;
    for (const plan of plans) {
      const id = files.sessionOf(plan);
      if (id !== null) addTo(this.#plans, id, plan);
    }
    for (const memory of local.memories) {
      const ids = new Set(memory.files.map((file) => files.sessionOf(file)));
      const [id = null] = ids;
      if (ids.size === 1 && id !== null) {
        addTo(this.#memories, id, memory.files);
        continue;
      }
      // Whose this one is nobody knows yet, so of no shelf it is known where it stands.
      this.#memories.clear();
      break;
    }
  }

  isSettled(id: string, leaves: number): boolean {
    const plans = this.#plans.get(id);
    if (plans !== undefined) return this.#files.has(plans, id, leaves);
    const places = this.#memories.get(id) ?? [];
    return places.length > 0 && places.every((files) => this.#files.has(files, id, leaves));
  }
}

function addTo<Value>(lists: Map<string, Value[]>, key: string, value: Value): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

/** Whether no two names differ only in case; where they do, `computeTargets` says so. */
function isOnAnyDisk(files: readonly LocalFile[]): boolean {
  return new Set(files.map(({ name }) => foldedFileName(name))).size === files.length;
}
