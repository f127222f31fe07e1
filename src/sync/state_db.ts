/**
 * The local database: what this machine has read from the vault (an index, rebuildable from it) and
 * what it knows of the local files (a stat cache, rebuildable from them). Deleting it loses
 * nothing.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { ClaudeSyncError } from "../errors.ts";
import type { FileSystem } from "../platform/types.ts";
import { FORGET_TABLES } from "./forget_tables.ts";
import { requireWritable } from "./writable.ts";

/** Most texts that are shared: a table of them must not itself grow with the rows. */
const SHARED_TEXTS_MAX = 1_000;

/**
 * Raised with every change of the tables; an older or unknown database is thrown away and rebuilt.
 */
const SCHEMA_VERSION = 11;

const TABLES = `
CREATE TABLE vault (id TEXT PRIMARY KEY) STRICT;
CREATE TABLE machine (
  tag TEXT PRIMARY KEY, id TEXT NOT NULL, sign TEXT NOT NULL, name TEXT NOT NULL,
  seq INTEGER NOT NULL, hash TEXT NOT NULL, last_ms INTEGER NOT NULL,
  base INTEGER NOT NULL DEFAULT 1, retired INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE entry (machine TEXT NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL,
  spared INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (machine, seq, hash)) STRICT, WITHOUT ROWID;
CREATE TABLE activity (
  machine TEXT NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL, time INTEGER NOT NULL,
  command TEXT NOT NULL, sessions INTEGER NOT NULL, plain INTEGER NOT NULL,
  stored INTEGER NOT NULL, PRIMARY KEY (machine, seq, hash)
) STRICT, WITHOUT ROWID;
CREATE TABLE object (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, size INTEGER NOT NULL, sha256 TEXT
) STRICT;
CREATE TABLE grp (
  id INTEGER PRIMARY KEY, object INTEGER NOT NULL, at INTEGER NOT NULL, stored INTEGER NOT NULL,
  raw INTEGER NOT NULL, comp TEXT NOT NULL,
  log TEXT NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL
) STRICT;
CREATE INDEX grp_log ON grp (log, seq);
CREATE TABLE empty_pack (name TEXT NOT NULL, log TEXT NOT NULL, seq INTEGER NOT NULL,
  hash TEXT NOT NULL, PRIMARY KEY (name, log, seq, hash)) STRICT, WITHOUT ROWID;
CREATE TABLE segment (
  session TEXT NOT NULL, file TEXT NOT NULL, gen TEXT NOT NULL, parent TEXT NOT NULL,
  hash TEXT NOT NULL, off INTEGER NOT NULL, len INTEGER NOT NULL, mtime INTEGER NOT NULL,
  grp INTEGER NOT NULL, grp_off INTEGER NOT NULL, machine TEXT NOT NULL,
  PRIMARY KEY (session, file, gen, parent, hash, grp, grp_off)
) STRICT, WITHOUT ROWID;
CREATE TABLE generation (
  session TEXT NOT NULL, file TEXT NOT NULL, gen TEXT NOT NULL,
  from_gen TEXT NOT NULL, from_hash TEXT NOT NULL,
  PRIMARY KEY (session, file, gen, from_gen, from_hash)
) STRICT, WITHOUT ROWID;
CREATE TABLE leaf (
  session TEXT NOT NULL, file TEXT NOT NULL, gen TEXT NOT NULL, hash TEXT NOT NULL,
  len INTEGER NOT NULL, mtime INTEGER NOT NULL, machine TEXT NOT NULL,
  PRIMARY KEY (session, file, gen, hash)
) STRICT, WITHOUT ROWID;
CREATE TABLE claim (
  session TEXT NOT NULL, log TEXT NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL,
  project TEXT, rank TEXT NOT NULL, PRIMARY KEY (session, log)
) STRICT, WITHOUT ROWID;
CREATE TABLE title (
  session TEXT NOT NULL, log TEXT NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL,
  text TEXT NOT NULL, time INTEGER NOT NULL, gen TEXT NOT NULL, state TEXT NOT NULL,
  PRIMARY KEY (session, log)
) STRICT, WITHOUT ROWID;
CREATE TABLE resolution (
  session TEXT PRIMARY KEY, basis TEXT NOT NULL, result TEXT NOT NULL
) STRICT;
CREATE TABLE local (
  path TEXT PRIMARY KEY, session TEXT NOT NULL, file TEXT NOT NULL,
  size INTEGER NOT NULL, mtime REAL NOT NULL, ino REAL NOT NULL,
  gen TEXT NOT NULL, hash TEXT NOT NULL, len INTEGER NOT NULL, derived INTEGER NOT NULL
) STRICT;
CREATE INDEX local_session ON local (session, file);
CREATE TABLE working_folders (
  path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime REAL NOT NULL, ino REAL NOT NULL,
  folders TEXT NOT NULL
) STRICT;
CREATE TABLE transcript (
  path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime REAL NOT NULL, ino REAL NOT NULL,
  length INTEGER NOT NULL, tail TEXT NOT NULL,
  custom TEXT, ai TEXT, prompt TEXT, cwd TEXT, activity INTEGER
) STRICT;
CREATE TABLE plan_names (
  path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime REAL NOT NULL, ino REAL NOT NULL,
  length INTEGER NOT NULL, names TEXT NOT NULL, tail TEXT NOT NULL
) STRICT;
CREATE TABLE history_file (
  path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime REAL NOT NULL, ino REAL NOT NULL,
  length INTEGER NOT NULL, hash TEXT NOT NULL
) STRICT;
CREATE TABLE watched (
  what TEXT PRIMARY KEY, since_ms INTEGER NOT NULL, days INTEGER NOT NULL, at TEXT NOT NULL,
  last_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE history_due (path TEXT NOT NULL, session TEXT NOT NULL,
  PRIMARY KEY (path, session)) STRICT, WITHOUT ROWID;
CREATE TABLE history_line (path TEXT NOT NULL, session TEXT NOT NULL, line TEXT NOT NULL,
  PRIMARY KEY (path, session, line)) STRICT, WITHOUT ROWID;
CREATE TABLE history_state (
  path TEXT NOT NULL, session TEXT NOT NULL, gen TEXT NOT NULL, hash TEXT NOT NULL,
  PRIMARY KEY (path, session, gen, hash)) STRICT, WITHOUT ROWID;
${FORGET_TABLES}`;

/**
 * Opens the database of the vault `vaultId` (null: of whatever vault it is). The writer, who holds
 * the lock, makes or remakes it when it is absent, unreadable, of another version or of another
 * vault; a reader gets an empty one in memory then. Where nothing can be written (a full disk, a
 * home that is read-only), a reader still sees what is there, and a writer keeps it. Errors:
 * `no-space`, `local-io`.
 */
export function openStateDb(
  fs: FileSystem,
  path: string,
  as: "writer" | "reader",
  vaultId: string | null = null,
): DatabaseSync {
  const isThere = as === "writer" || fs.lstat(path) !== null;
  const existing = isThere ? tryOpen(path, vaultId) : null;
  if (existing !== null) return existing;
  const unchanging = isThere && as === "reader" ? tryOpenUnchanging(path, vaultId) : null;
  if (unchanging !== null) return unchanging;
  if (as === "writer") {
    // What cannot be opened because the disk takes nothing is no reason to throw it away.
    requireWritable(fs, path);
    removeStateDb(fs, path);
  }
  const made = tryOpen(as === "writer" ? path : ":memory:", vaultId);
  if (made !== null) return made;
  throw new ClaudeSyncError("local-io", `Cannot open the database "${path}"`, { path });
}

/**
 * A database of this run alone. What does not fit in a little memory lies in a file without a name,
 * which is gone with the run. Errors: `local-io`.
 */
export function openScratchDb(): DatabaseSync {
  const database = tryOpen("", null);
  if (database !== null) return database;
  throw new ClaudeSyncError("local-io", "Cannot open a temporary database");
}

/** Removes the database; the next writer makes it anew from the vault and the files. */
export function removeStateDb(fs: FileSystem, path: string): void {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) fs.removeFile(path + suffix);
}

function tryOpen(path: string, vaultId: string | null): DatabaseSync | null {
  let database: DatabaseSync | null = null;
  try {
    database = new DatabaseSync(path);
    database.exec(
      "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL",
    );
    const version = userVersion(database);
    if (version === SCHEMA_VERSION && isOfVault(database, vaultId)) return database;
    if (version === 0 && isEmpty(database)) {
      database.exec(`BEGIN; ${TABLES} PRAGMA user_version = ${SCHEMA_VERSION}`);
      if (vaultId !== null) database.prepare("INSERT INTO vault VALUES (?)").run(vaultId);
      database.exec("COMMIT");
      return database;
    }
    database.close();
    return null;
  } catch {
    // Whatever is wrong with it, a rebuildable file is remade rather than reported.
    database?.close();
    return null;
  }
}

/** Stand in for those that a reader, too, remembers things in, where nothing can be written. */
const FLEETING_TABLES = `
PRAGMA temp_store = MEMORY;
CREATE TEMP TABLE resolution AS SELECT * FROM main.resolution;
CREATE UNIQUE INDEX temp.resolution_session ON resolution (session);
`;

/**
 * Opens the file alone, for SQLite otherwise makes others beside it even to read. Null when it is
 * of no use.
 */
function tryOpenUnchanging(path: string, vaultId: string | null): DatabaseSync | null {
  const url = new URL("file:///");
  url.pathname = path.replaceAll("%", "%25");
  url.searchParams.set("immutable", "1");
  let database: DatabaseSync | null = null;
  try {
    database = new DatabaseSync(url.href, { readOnly: true });
    if (userVersion(database) === SCHEMA_VERSION && isOfVault(database, vaultId)) {
      database.exec(FLEETING_TABLES);
      return database;
    }
    database.close();
    return null;
  } catch {
    // The reader then goes on without it, as without any.
    database?.close();
    return null;
  }
}

function isOfVault(database: DatabaseSync, vaultId: string | null): boolean {
  const row = database.prepare("SELECT id FROM vault").get() as { id?: unknown } | undefined;
  return vaultId === null || row?.id === vaultId;
}

/** Primary result codes of SQLite. */
const SQLITE = {
  busy: 5,
  locked: 6,
  ioError: 10,
  corrupt: 11,
  full: 13,
  notADatabase: 26,
} as const;

/**
 * What an error of `work` with the open `database` at `path` means: `remake` when the file is
 * damaged, an error of ours when something else is wrong with it, null when it came from elsewhere.
 */
export function explainDatabaseError(
  error: unknown,
  database: DatabaseSync,
  path: string,
): "remake" | ClaudeSyncError | null {
  if (!isDatabaseError(error)) return null;
  const primary = typeof error.errcode === "number" ? error.errcode & 0xff : null;
  if (primary === SQLITE.corrupt || primary === SQLITE.notADatabase) return "remake";
  const facts = { path, cause: error };
  switch (primary) {
    case SQLITE.full:
      return new ClaudeSyncError("no-space", `No space left for the database "${path}"`, facts);
    case SQLITE.busy:
    case SQLITE.locked:
      return new ClaudeSyncError("busy", `Another program holds the database "${path}"`, facts);
    default:
      // Not every runtime says the code with every error; the file itself knows.
      if (primary !== SQLITE.ioError && !isIntact(database)) return "remake";
      return new ClaudeSyncError("local-io", `Cannot use the database "${path}"`, {
        ...facts,
        hint: "Its files (state.db, -wal and -shm) must be yours to write; they may be deleted, " +
          "the next sync makes them anew",
      });
  }
}

/** Whether the error came from SQLite. */
export function isDatabaseError(error: unknown): error is Error & { readonly errcode?: unknown } {
  if (!(error instanceof Error) || !("code" in error)) return false;
  return typeof error.code === "string" && /^(ERR_)?SQLITE_/.test(error.code);
}

function isIntact(database: DatabaseSync): boolean {
  try {
    const row = database.prepare("PRAGMA quick_check(1)").get();
    return Object.values(row ?? {})[0] === "ok";
  } catch (error) {
    if (isDatabaseError(error)) return false;
    throw error;
  }
}

function userVersion(database: DatabaseSync): number {
  const row = database.prepare("PRAGMA user_version").get() as { user_version?: unknown };
  return typeof row.user_version === "number" ? row.user_version : -1;
}

function isEmpty(database: DatabaseSync): boolean {
  const row = database.prepare("SELECT count(*) AS n FROM sqlite_schema").get() as { n?: unknown };
  return row.n === 0;
}

/** The statements of one open database. Preparing one costs more than running it on a few rows. */
export class Statements {
  readonly #database: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** The statement for `sql`, prepared at its first use. */
  prepare(sql: string): StatementSync {
    const known = this.#prepared.get(sql);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(sql);
    this.#prepared.set(sql, statement);
    return statement;
  }
}

/** Makes equal texts of many rows one: SQLite gives every row its own. */
export class SharedTexts {
  readonly #texts = new Map<string, string>();

  /** The text, the same one as at the first call with an equal one. For texts of few values. */
  of(text: string): string {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    if (this.#texts.size < SHARED_TEXTS_MAX) this.#texts.set(text, text);
    return text;
  }
}

/** Runs `work` in one transaction; rolls back when it throws. */
export function transaction<Result>(database: DatabaseSync, work: () => Result): Result {
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    // A full disk or a damaged file has ended the transaction already.
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}
