/**
 * What this machine knows of its prompt history: which lines it has had that the vault has too, and
 * which sessions may have others. A cache like the rest of the database; without it, everything is
 * compared once more.
 */
import type { Bytes } from "../base/bytes.ts";
import type { FileStat } from "../platform/types.ts";
import { HISTORY } from "../sessions/file_name.ts";
import { historyPath } from "../sessions/layout.ts";
import { historyLineHash, historyLines, historyStat } from "../sessions/prompt_history.ts";
import { type HistoryMark, readHistory, sessionsInHistory } from "../sessions/prompt_history.ts";
import type { FileState, Leaf } from "./segment_index.ts";
import { Statements, transaction } from "./state_db.ts";
import type { LocalState } from "./vault_access.ts";

interface FileRow extends HistoryMark {
  readonly size: number;
  readonly mtime: number;
  readonly ino: number;
}

/** The history of this machine. */
export class HistoryBook {
  readonly #local: LocalState;
  readonly #statements: Statements;

  constructor(local: LocalState) {
    this.#local = local;
    this.#statements = new Statements(local.database);
  }

  /**
   * Sessions with lines that the vault may lack, and the file as it is now (null when there is
   * none). One `lstat` while it is unchanged; else what was added to it is read. Errors: those of
   * `historyStat`, `local-io`.
   */
  due(): { readonly sessions: ReadonlySet<string>; readonly stat: FileStat | null } {
    const { root, context } = this.#local;
    const stat = historyStat(context.platform.fs, root);
    if (stat === null) return { sessions: new Set(), stat };
    const path = historyPath(root);
    const row = this.#statements.prepare(
      "SELECT size, mtime, ino, length AS lengthBytes, hash FROM history_file WHERE path = ?",
    ).get(path) as unknown as FileRow | undefined;
    const isSame = row !== undefined && row.size === stat.sizeBytes &&
      row.mtime === stat.mtimeMs && row.ino === stat.ino;
    if (!isSame) {
      const { sessions, mark } = sessionsInHistory(context.platform.fs, root, row ?? null);
      transaction(this.#local.database, () => {
        const add = this.#statements.prepare("INSERT OR IGNORE INTO history_due VALUES (?)");
        for (const session of sessions) add.run(session);
        this.#statements.prepare("INSERT OR REPLACE INTO history_file VALUES (?, ?, ?, ?, ?, ?)")
          .run(path, stat.sizeBytes, stat.mtimeMs, stat.ino, mark.lengthBytes, mark.hash);
      });
    }
    const due = this.#statements.prepare("SELECT session FROM history_due").all();
    return {
      sessions: new Set((due as { session: string }[]).map(({ session }) => session)),
      stat,
    };
  }

  /** The lines of each of `sessions` as they stand in the file. Errors: `local-io`. */
  read(sessions: ReadonlySet<string>): Map<string, Bytes> {
    const { root, context } = this.#local;
    return readHistory(context.platform.fs, root, sessions);
  }

  /** Hashes of the lines of a session that were both here and in the vault. */
  knownLines(session: string): ReadonlySet<string> {
    const rows = this.#statements.prepare("SELECT line FROM history_line WHERE session = ?")
      .all(session) as { line: string }[];
    return new Set(rows.map(({ line }) => line));
  }

  /** Notes that all lines of `content` are here and in the vault. */
  addLines(session: string, content: Uint8Array): void {
    transaction(this.#local.database, () => {
      const add = this.#statements.prepare("INSERT OR IGNORE INTO history_line VALUES (?, ?)");
      for (const { bytes } of historyLines(content)) add.run(session, historyLineHash(bytes));
    });
  }

  /** Notes that nothing of the session waits to be pushed. */
  settle(session: string): void {
    this.#statements.prepare("DELETE FROM history_due WHERE session = ?").run(session);
  }

  /** Notes that every line of these states of the vault has been here. */
  addStates(session: string, states: readonly Pick<FileState, "gen" | "hash">[]): void {
    const add = this.#statements.prepare("INSERT OR IGNORE INTO history_state VALUES (?, ?, ?)");
    for (const { gen, hash } of states) add.run(session, gen, hash);
  }

  /** Whether every line of this state has been here. */
  hasState(session: string, state: { readonly gen: string; readonly hash: string }): boolean {
    const row = this.#statements.prepare(
      "SELECT 1 FROM history_state WHERE session = ? AND gen = ? AND hash = ?",
    ).get(session, state.gen, state.hash);
    return row !== undefined;
  }

  /** Leaves of the vault that may have lines which were never here. */
  unreadLeaves(session: string): Leaf[] {
    return this.#local.index.leaves(session, HISTORY)
      .filter((leaf) => !this.hasState(session, leaf));
  }

  /** Sessions whose history the vault has; `unread`: only those with leaves as above. */
  sessions(which: "all" | "unread"): ReadonlySet<string> {
    const rows = this.#statements.prepare(
      `SELECT DISTINCT session FROM leaf l WHERE file = '${HISTORY}' AND (?1 = 'all' OR NOT EXISTS
         (SELECT 1 FROM history_state s
          WHERE s.session = l.session AND s.gen = l.gen AND s.hash = l.hash))`,
    ).all(which) as { session: string }[];
    return new Set(rows.map(({ session }) => session));
  }
}
