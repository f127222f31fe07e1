/**
 * What this machine knows of its session files: which state of the vault each one was last seen at.
 */
import type { DatabaseSync } from "node:sqlite";
import type { FileStat, Memory } from "../platform/types.ts";
import type { LocalFile } from "../sessions/discover.ts";
import { type FileName, TRANSCRIPT } from "../sessions/file_name.ts";
import { shelfArea } from "../sessions/shelf.ts";
import { LOOK_BYTES } from "./look_bytes.ts";
import type { FileState } from "./segment_index.ts";
import { SharedTexts, Statements } from "./state_db.ts";

/** By what a file is known to have stayed as it was. */
export interface RememberedStat {
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  readonly ino: number;
}

/**
 * One local file as it was when its first `len` bytes were proven to be the state `(gen, hash)`.
 */
export interface LocalFileRow extends FileState, RememberedStat {
  readonly path: string;
  readonly session: string;
  readonly file: string;
  /**
   * The state is a branch's copy that the vault does not hold itself but every machine can derive.
   */
  readonly isDerived: boolean;
}

/** No file's time. */
const NEVER_MS = -1e15;

/** A row as the database gives it: thousands of them are not made anew to change one field. */
type Row = Omit<LocalFileRow, "isDerived" | "file" | "gen"> & {
  file: string;
  gen: string;
  isDerived: number | boolean;
};

const TRANSCRIPT_END = ".jsonl";
const ID_LENGTH = 36;

/** A transcript's row: of a hundred thousand each has the texts that its path has not. */
class TranscriptRow implements LocalFileRow {
  readonly path: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  readonly ino: number;
  readonly gen: string;
  readonly hash: string;
  readonly len: number;
  readonly isDerived: boolean;

  constructor(row: LocalFileRow) {
    this.path = row.path;
    this.sizeBytes = row.sizeBytes;
    this.mtimeMs = row.mtimeMs;
    this.ino = row.ino;
    this.gen = row.gen;
    this.hash = row.hash;
    this.len = row.len;
    this.isDerived = row.isDerived;
  }

  get session(): string {
    return idInPath(this.path);
  }

  get file(): string {
    return TRANSCRIPT;
  }
}

function idInPath(path: string): string {
  return path.slice(-ID_LENGTH - TRANSCRIPT_END.length, -TRANSCRIPT_END.length);
}

function isNamedByPath({ path, file, session }: LocalFileRow): boolean {
  return file === TRANSCRIPT && path.endsWith(TRANSCRIPT_END) && idInPath(path) === session;
}

const COLUMNS = "path, session, file, size AS sizeBytes, mtime AS mtimeMs, ino, gen, hash, len, " +
  "derived AS isDerived";

/** Table of local files. */
export class LocalFiles {
  readonly #statements: Statements;
  readonly #memory: Pick<Memory, "passed"> | undefined;
  /** What `all` gave, as long as nothing has changed. */
  #all: ReadonlyMap<string, LocalFileRow> | null = null;
  /** The same of `settled`. */
  #settled: ReadonlyMap<string, RememberedStat> | null = null;

  /** `memory` is told of what many rows leave behind. Default: nobody. */
  constructor(database: DatabaseSync, memory?: Pick<Memory, "passed">) {
    this.#statements = new Statements(database);
    this.#memory = memory;
  }

  /** Every row by path, as they are now: later changes do not show in it. */
  all(): ReadonlyMap<string, LocalFileRow> {
    if (this.#all === null) {
      // Who needs all needs the excerpt no longer; of a large home both together take much memory.
      this.#settled = null;
      const rows = this.#statements.prepare(`SELECT ${COLUMNS} FROM local`).iterate();
      const texts = new SharedTexts();
      const all = new Map<string, LocalFileRow>();
      for (const each of rows) {
        this.#memory?.passed(LOOK_BYTES);
        const row = each as unknown as Row;
        [row.file, row.gen] = [texts.of(row.file), texts.of(row.gen)];
        const known = fromRow(row);
        all.set(row.path, isNamedByPath(known) ? new TranscriptRow(known) : known);
      }
      this.#all = all;
    }
    return this.#all;
  }

  /**
   * By what each file is known that has all of its bytes in the vault as they are, by path: for
   * most of what is here that is enough. Later changes do not show in it, either.
   */
  settled(): ReadonlyMap<string, RememberedStat> {
    if (this.#settled === null && this.#all !== null) {
      const settled = new Map<string, RememberedStat>();
      for (const [path, row] of this.#all) {
        if (row.len === row.sizeBytes && !row.isDerived) settled.set(path, row);
      }
      this.#settled = settled;
    }
    if (this.#settled === null) {
      // All at once: each row costs half of what it does one by one.
      const rows = this.#statements.prepare(
        `SELECT path, size AS sizeBytes, mtime AS mtimeMs, ino FROM local
         WHERE len = size AND derived = 0`,
      ).all() as unknown as (RememberedStat & { readonly path: string })[];
      const settled = new Map<string, RememberedStat>();
      for (const row of rows) settled.set(row.path, row);
      this.#settled = settled;
    }
    return this.#settled;
  }

  /** Rows of one file of a session; more than one when the session stands in two folders. */
  ofFile(session: string, file: string): LocalFileRow[] {
    const rows = this.#statements.prepare(
      `SELECT ${COLUMNS} FROM local WHERE session = ? AND file = ? ORDER BY path`,
    ).all(session, file) as unknown as Row[];
    return rows.map(fromRow);
  }

  #changed(): void {
    this.#all = null;
    this.#settled = null;
  }

  /** Forgets the file at `path`, as if it had never been here. */
  forget(path: string): void {
    this.#changed();
    this.#statements.prepare("DELETE FROM local WHERE path = ?").run(path);
  }

  /** Keeps what is known of the file at `path`, but not that it has stayed as it was. */
  doubt(path: string): void {
    this.#changed();
    this.#statements.prepare("UPDATE local SET mtime = ? WHERE path = ?").run(NEVER_MS, path);
  }

  /** Remembers that the file at `path`, when it had `stat`, began with `state`. */
  remember(
    path: string,
    key: { readonly session: string; readonly file: string },
    stat: FileStat,
    state: FileState,
    isDerived = false,
  ): void {
    this.#changed();
    this.#statements.prepare("INSERT OR REPLACE INTO local VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .run(
        path,
        key.session,
        key.file,
        stat.sizeBytes,
        stat.mtimeMs,
        stat.ino,
        state.gen,
        state.hash,
        state.len,
        isDerived ? 1 : 0,
      );
  }

  /**
   * The working folders that the transcript at `path` named when it had `stat`; null when nobody
   * has looked.
   */
  workingFolders(path: string, stat: FileStat): readonly string[] | null {
    const row = this.#statements.prepare(
      "SELECT folders FROM working_folders WHERE path = ? AND size = ? AND mtime = ? AND ino = ?",
    ).get(path, stat.sizeBytes, stat.mtimeMs, stat.ino) as { folders: string } | undefined;
    return row === undefined ? null : parseFolders(row.folders);
  }

  /** Remembers which working folders the transcript at `path` named when it had `stat`. */
  rememberWorkingFolders(path: string, stat: FileStat, folders: readonly string[]): void {
    this.#statements.prepare("INSERT OR REPLACE INTO working_folders VALUES (?, ?, ?, ?, ?)")
      .run(path, stat.sizeBytes, stat.mtimeMs, stat.ino, JSON.stringify(folders));
  }
}

/** The coarsest clock that a disk gives its files their times by. */
const DISK_TICK_MS = 2_000;

/**
 * Whether a plan or a memory, looked at just now, may change once more without another time: when a
 * box in it is ticked, it keeps its size, too.
 */
export function mayChangeUnseen(file: FileName, stat: FileStat, nowMs: number): boolean {
  return shelfArea(file) !== null && Math.abs(nowMs - stat.mtimeMs) < DISK_TICK_MS;
}

/** Whether the file is as it was when the row was made, with all of its bytes in the vault. */
export function isSettled(row: LocalFileRow | undefined, stat: FileStat): boolean {
  return row !== undefined && isUnchanged(row, stat) && row.len === row.sizeBytes;
}

/** Whether the file is one of those that `LocalFiles.settled` gave. */
export function isSettledIn(
  settled: ReadonlyMap<string, RememberedStat>,
  { path, stat }: LocalFile,
): boolean {
  const row = settled.get(path);
  return row !== undefined && isUnchanged(row, stat);
}

/** Whether the file's metadata are those of the row. */
export function isUnchanged(row: RememberedStat, stat: FileStat): boolean {
  return row.sizeBytes === stat.sizeBytes && row.mtimeMs === stat.mtimeMs && row.ino === stat.ino;
}

function fromRow(row: Row): LocalFileRow {
  row.isDerived = row.isDerived !== 0;
  return row as LocalFileRow;
}

/** Null for what we have not written: the transcript is then read again. */
function parseFolders(text: string): readonly string[] | null {
  try {
    const folders: unknown = JSON.parse(text);
    const isOurs = Array.isArray(folders) && folders.every((each) => typeof each === "string");
    return isOurs ? folders : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
