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
import { Statements } from "./state_db.ts";
import type { OpenVault } from "./vault_access.ts";

/** A leaf, and one local file that was last seen at it, with nothing behind it. */
interface LeafRow extends RememberedStat {
  readonly session: SessionId;
  /** Null when no file was seen at the leaf; so are the others then. */
  readonly path: string | null;
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
  // All at once: each row costs half of what it does one by one.
  const rows = vault.database.prepare(
    `SELECT f.session, l.path, l.size AS sizeBytes, l.mtime AS mtimeMs, l.ino
     FROM leaf f LEFT JOIN local l ON l.session = f.session AND l.file = f.file
       AND l.gen = f.gen AND l.hash = f.hash AND l.len = l.size AND l.derived = 0
     WHERE f.file <> ? ORDER BY f.session`,
  ).all(HISTORY) as unknown as LeafRow[];
  const check = new SettledCheck(vault, local, plans);
  const unsettled = new Set<string>();
  let settled = 0;
  for (let at = 0; at < rows.length;) {
    const { session } = rows[at]!;
    const start = at++;
    while (at < rows.length && rows[at]!.session === session) at++;
    const isSettled = (at - start === 1 && check.isOneFile(rows[start]!)) ||
      check.isSettled(session, rows.slice(start, at));
    if (isSettled) settled++;
    else unsettled.add(session);
  }
  return settled === 0 ? null : unsettled;
}

class SettledCheck {
  readonly #statements: Statements;
  readonly #local: LocalView;
  readonly #plans: ReadonlyMap<string, LocalFile>;
  /** The files of each memory by the path of each of them. */
  readonly #memories = new Map<string, readonly LocalFile[]>();
  /** Sessions with files that the vault does not have as they are. */
  readonly #derived: ReadonlySet<string>;

  constructor(vault: OpenVault, local: LocalView, plans: readonly LocalFile[]) {
    this.#statements = new Statements(vault.database);
    this.#local = local;
    this.#plans = new Map(plans.map((plan) => [plan.path, plan]));
    for (const { files } of local.memories) {
      for (const { path } of files) this.#memories.set(path, files);
    }
    const derived = this.#statements.prepare(
      "SELECT DISTINCT session FROM local WHERE derived <> 0",
    ).all();
    this.#derived = new Set((derived as unknown as LeafRow[]).map(({ session }) => session));
  }

  /** Whether a session with only this row is settled, when it is one file here, as most are. */
  isOneFile(row: LeafRow): boolean {
    const { session } = row;
    const file = this.#onlyFile(row);
    return file !== undefined && file.path === row.path && isUnchanged(row, file.stat) &&
      !this.#derived.has(session);
  }

  #onlyFile({ session, path }: LeafRow): LocalFile | undefined {
    const copies = this.#local.copies(session);
    if (copies.length === 0) return this.#plans.get(path ?? "");
    const { files } = copies[0]!;
    const isOne = copies.length === 1 && files.length === 1 && !mayBeBranchId(session);
    return isOne ? files[0] : undefined;
  }

  /** Whether a session is settled. `rows`: all of it. */
  isSettled(session: SessionId, rows: readonly LeafRow[]): boolean {
    if (rows.some(({ path }) => path === null) || this.#derived.has(session)) return false;
    const copies = this.#local.copies(session);
    if (copies.length > 0 && mayBeBranchId(session)) return false;
    const places = copies.length > 0
      ? copies.map(({ files }) => files)
      : this.#shelfPlaces(session, rows);
    if (places.length === 0) return false;
    // A leaf has a row for each place where it stands.
    const leaves = rows.length === 1 ? 1 : this.#leavesOf(session);
    const known = new Map(rows.map((row) => [row.path, row]));
    return places.every((files) => isSettledAt(files, known, leaves));
  }

  #leavesOf(session: SessionId): number {
    const row = this.#statements.prepare(
      "SELECT count(*) AS n FROM leaf WHERE session = ? AND file <> ?",
    ).get(session, HISTORY);
    return (row as { n: number }).n;
  }

  /** Where a shelf stands: its plans, or every memory that has something of it. */
  #shelfPlaces(session: SessionId, rows: readonly LeafRow[]): readonly (readonly LocalFile[])[] {
    const isHere = (path: string) => this.#plans.has(path) || this.#memories.has(path);
    // Thousands of sessions may have been here once: they are not asked for one by one.
    if (!rows.some(({ path }) => isHere(path ?? ""))) return [];
    const known = this.#statements.prepare("SELECT path FROM local WHERE session = ?").all(session);
    const paths = (known as { path: string }[]).map(({ path }) => path);
    const plans = paths.flatMap((path) => this.#plans.get(path) ?? []);
    const memories = new Set(paths.flatMap((path) => {
      const files = this.#memories.get(path);
      return files === undefined ? [] : [files];
    }));
    return plans.length > 0 ? [plans, ...memories] : [...memories];
  }
}

/**
 * Whether as many of the files are settled as there are leaves. As each is at a leaf of its own
 * name, each name has one leaf then.
 */
function isSettledAt(
  files: readonly LocalFile[],
  known: ReadonlyMap<string | null, RememberedStat>,
  leaves: number,
): boolean {
  const settled = files.filter(({ path, stat }) => {
    const row = known.get(path);
    return row !== undefined && isUnchanged(row, stat);
  });
  return settled.length === leaves && (leaves === 1 || isOnAnyDisk(settled));
}

/** Whether no two names differ only in case; where they do, `computeTargets` says so. */
function isOnAnyDisk(files: readonly LocalFile[]): boolean {
  return new Set(files.map(({ name }) => foldedFileName(name))).size === files.length;
}
