/**
 * What this machine knows of its prompt history: which lines it has had that the vault has too, and
 * which sessions may have others. A cache like the rest of the database; without it, everything is
 * compared once more.
 */
import type { DatabaseSync } from "node:sqlite";
import type { Bytes } from "../base/bytes.ts";
import type { FileStat, FileSystem } from "../platform/types.ts";
import type { ClaudeRoot } from "../sessions/claude_root.ts";
import { HISTORY } from "../sessions/file_name.ts";
import { historyPath } from "../sessions/layout.ts";
import {
  appendHistory,
  historyLineHash,
  historyLines,
  historyStat,
} from "../sessions/prompt_history.ts";
import { type HistoryMark, readHistory, sessionsInHistory } from "../sessions/prompt_history.ts";
import type { FileState, Leaf, SegmentIndex } from "./segment_index.ts";
import { Statements, transaction } from "./state_db.ts";

interface FileRow extends HistoryMark {
  readonly size: number;
  readonly mtime: number;
  readonly ino: number;
}

/**
 * The history of one configuration folder of this machine. Another one has prompts of its own, and
 * a line that was there has not been here.
 */
export class HistoryBook {
  readonly #fs: FileSystem;
  readonly #root: ClaudeRoot;
  readonly #path: string;
  readonly #index: SegmentIndex;
  readonly #database: DatabaseSync;
  readonly #statements: Statements;

  constructor(fs: FileSystem, root: ClaudeRoot, index: SegmentIndex, database: DatabaseSync) {
    this.#fs = fs;
    this.#root = root;
    this.#path = historyPath(root);
    this.#index = index;
    this.#database = database;
    this.#statements = new Statements(database);
  }

  /**
   * Sessions with lines that the vault may lack, and the file as it is now (null when there is
   * none). One `lstat` while it is unchanged; else what was added to it is read. Errors: those of
   * `historyStat`, `local-io`.
   */
  due(): { readonly sessions: ReadonlySet<string>; readonly stat: FileStat | null } {
    const stat = historyStat(this.#fs, this.#root);
    if (stat === null) return { sessions: new Set(), stat };
    const row = this.#statements.prepare(
      "SELECT size, mtime, ino, length AS lengthBytes, hash FROM history_file WHERE path = ?",
    ).get(this.#path) as unknown as FileRow | undefined;
    const isSame = row !== undefined && row.size === stat.sizeBytes &&
      row.mtime === stat.mtimeMs && row.ino === stat.ino;
    if (!isSame) {
      const { sessions, mark } = sessionsInHistory(this.#fs, this.#root, row ?? null);
      transaction(this.#database, () => {
        const add = this.#statements.prepare("INSERT OR IGNORE INTO history_due VALUES (?, ?)");
        for (const session of sessions) add.run(this.#path, session);
        this.#remember(stat, mark);
      });
    }
    const due = this.#statements.prepare("SELECT session FROM history_due WHERE path = ?")
      .all(this.#path);
    return {
      sessions: new Set((due as { session: string }[]).map(({ session }) => session)),
      stat,
    };
  }

  #remember(stat: FileStat, { lengthBytes, hash }: HistoryMark): void {
    this.#statements.prepare("INSERT OR REPLACE INTO history_file VALUES (?, ?, ?, ?, ?, ?)")
      .run(this.#path, stat.sizeBytes, stat.mtimeMs, stat.ino, lengthBytes, hash);
  }

  /** The lines of each of `sessions` as they stand in the file. Errors: `local-io`. */
  read(sessions: ReadonlySet<string>): Map<string, Bytes> {
    return readHistory(this.#fs, this.#root, sessions);
  }

  /**
   * Adds `lines` to the history. They come from the vault, so nothing of them is due unless another
   * program has appended at the same time. Errors: those of `appendHistory`.
   */
  append(lines: readonly Uint8Array[]): void {
    if (lines.length === 0) return;
    const before = this.due().stat?.sizeBytes ?? 0;
    appendHistory(this.#fs, this.#root, lines);
    const after = historyStat(this.#fs, this.#root);
    // Also a torn line, which is complete now, may be of a session and nowhere else.
    const ownBytes = lines.reduce((sum, { length }) => sum + length, 0);
    if (after === null || after.sizeBytes !== before + ownBytes) return;
    const { mark } = sessionsInHistory(this.#fs, this.#root, null);
    // What was appended since then is for the next look.
    if (mark.lengthBytes === after.sizeBytes) this.#remember(after, mark);
  }

  /** Hashes of the lines of a session that were both here and in the vault. */
  knownLines(session: string): ReadonlySet<string> {
    const rows = this.#statements.prepare(
      "SELECT line FROM history_line WHERE path = ? AND session = ?",
    ).all(this.#path, session) as { line: string }[];
    return new Set(rows.map(({ line }) => line));
  }

  /**
   * Notes that all lines of `content` are here and in the vault, and that every line of `states`
   * has been here.
   */
  note(
    session: string,
    content: Uint8Array,
    states: readonly Pick<FileState, "gen" | "hash">[],
  ): void {
    transaction(this.#database, () => this.#note(session, content, states));
  }

  /** `note` for many sessions at once. */
  noteAll(noted: readonly Readonly<Parameters<HistoryBook["note"]>>[]): void {
    transaction(this.#database, () => {
      for (const each of noted) this.#note(...each);
    });
  }

  #note(...[session, content, states]: Readonly<Parameters<HistoryBook["note"]>>): void {
    const line = this.#statements.prepare("INSERT OR IGNORE INTO history_line VALUES (?, ?, ?)");
    for (const { bytes } of historyLines(content)) {
      line.run(this.#path, session, historyLineHash(bytes));
    }
    const state = this.#statements.prepare(
      "INSERT OR IGNORE INTO history_state VALUES (?, ?, ?, ?)",
    );
    for (const { gen, hash } of states) state.run(this.#path, session, gen, hash);
  }

  /**
   * Notes that nothing of the session waits to be pushed, unless `due` has seen the file since it
   * was as `asOf` says: the session may have got a line by then.
   */
  settle(session: string, asOf: FileStat): void {
    this.#statements.prepare(
      `DELETE FROM history_due WHERE path = ?1 AND session = ?2 AND EXISTS
         (SELECT 1 FROM history_file WHERE path = ?1 AND size = ?3 AND mtime = ?4 AND ino = ?5)`,
    ).run(this.#path, session, asOf.sizeBytes, asOf.mtimeMs, asOf.ino);
  }

  /** Whether every line of this state has been here. */
  hasState(session: string, state: { readonly gen: string; readonly hash: string }): boolean {
    const row = this.#statements.prepare(
      "SELECT 1 FROM history_state WHERE path = ? AND session = ? AND gen = ? AND hash = ?",
    ).get(this.#path, session, state.gen, state.hash);
    return row !== undefined;
  }

  /** Leaves of the vault that may have lines which were never here. */
  unreadLeaves(session: string): Leaf[] {
    return this.#index.leaves(session, HISTORY)
      .filter((leaf) => !this.hasState(session, leaf));
  }

  /** Sessions whose history the vault has; `unread`: only those with leaves as above. */
  sessions(which: "all" | "unread"): ReadonlySet<string> {
    const rows = this.#statements.prepare(
      `SELECT DISTINCT session FROM leaf l WHERE file = '${HISTORY}' AND (?1 = 'all' OR NOT EXISTS
         (SELECT 1 FROM history_state s
          WHERE s.path = ?2 AND s.session = l.session AND s.gen = l.gen AND s.hash = l.hash))`,
    ).all(which, this.#path) as { session: string }[];
    return new Set(rows.map(({ session }) => session));
  }
}
