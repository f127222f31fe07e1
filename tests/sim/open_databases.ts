/**
 * Knows which databases a run of the program has open, to close them when the run is killed: a dead
 * process holds no lock. What it had not committed is rolled back, as by the next one to open it.
 *
 * To open a file and to prepare what is asked of it costs more than what most runs then do with it.
 * So what a run closes stays open behind its back, for the next run that opens the same file.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname } from "node:path/posix";
import { DatabaseSync, type StatementSync } from "node:sqlite";

const LOG_MODE = "journal_mode = WAL; PRAGMA synchronous = NORMAL";
/**
 * Half the time. No run is killed in the middle of a transaction, because none of them waits for
 * anything: what is committed is in the file at once, and that is what the log is good for, too.
 * For the same reason all runs can share one connection, which need not lock the file anew for
 * every transaction.
 */
const QUICK_MODE = "journal_mode = MEMORY; PRAGMA synchronous = OFF; " +
  "PRAGMA locking_mode = EXCLUSIVE";

/** A file that is open. */
interface OpenFile {
  readonly path: string;
  readonly database: DatabaseSync;
  readonly statements: Map<string, StatementSync>;
  /** One connection for all; else every one that is open is another one, as locks must be. */
  readonly isShared: boolean;
  users: number;
  /** The bytes of it and of its log after so many changes. */
  copy: { readonly changes: unknown; readonly files: ReadonlyMap<string, Uint8Array> } | null;
}

/** Files that the next one to open them is given. */
const kept = new Map<string, OpenFile[]>();
/** What runs have open. */
const inUse = new Map<DatabaseSync, OpenFile>();

const { exec, close, prepare } = DatabaseSync.prototype;

/** What makes a database like one on such a disk, or as it was. */
const DISKS = {
  // It is never made smaller than the file.
  "full": "PRAGMA max_page_count = 1",
  "read-only": "PRAGMA query_only = ON",
  "sound": "PRAGMA query_only = OFF; PRAGMA max_page_count = 4294967294",
} as const;
/** How a disk is. */
export type DiskState = keyof typeof DISKS;

/** Folders on disks that are broken. */
const broken = new Map<string, DiskState>();

/** The disk of the state database in `dir` is like that from now on. */
export function breakDatabases(dir: string, disk: DiskState): void {
  if (disk === "sound") broken.delete(dir);
  else broken.set(dir, disk);
  for (const [path, files] of kept) {
    if (dirname(path) !== dir) continue;
    for (const file of files) if (file.isShared) setDisk(file);
  }
}

function setDisk({ path, database }: OpenFile): void {
  exec.call(database, DISKS.sound);
  const disk = broken.get(dirname(path));
  if (disk !== undefined) exec.call(database, DISKS[disk]);
}

/** To be called before anybody else touches database files in `dir`: nothing has them open then. */
export function closeKept(dir: string): void {
  for (const [path, files] of kept) {
    if (!path.startsWith(`${dir}/`)) continue;
    for (const { database, users } of files) if (users === 0) close.call(database);
    kept.delete(path);
  }
}

/**
 * The bytes of the database `name` in `dir` by name of file: one, two with its log, none when it is
 * absent. No run may be in a transaction.
 */
export function copyOfDatabase(dir: string, name: string): ReadonlyMap<string, Uint8Array> {
  const open = kept.get(`${dir}/${name}`)?.[0];
  const changes = open === undefined ? 0 : prepared(open, "SELECT total_changes() AS n").get()!.n;
  const last = open?.copy ?? null;
  if (last !== null && last.changes === changes) return last.files;
  const files = new Map<string, Uint8Array>();
  for (const file of [name, `${name}-wal`]) {
    if (existsSync(`${dir}/${file}`)) files.set(file, readFileSync(`${dir}/${file}`));
  }
  // All changes of a file that is open here go through this connection.
  if (open !== undefined) open.copy = { changes, files };
  return files;
}

/** Tracks from now on; `setOfCurrent` gives the set of whoever is at work. Gives what ends it. */
export function trackDatabases(setOfCurrent: () => Set<DatabaseSync> | null): () => void {
  const { prototype } = DatabaseSync;
  prototype.exec = function (this: DatabaseSync, sql: string): void {
    // Everything that the program opens it sets up with `exec` first.
    const owned = setOfCurrent();
    owned?.add(this);
    const file = inUse.get(this);
    if (file !== undefined) return exec.call(file.database, sql);
    if (owned === null || !take(this, sql)) exec.call(this, sql.replace(LOG_MODE, QUICK_MODE));
  };
  prototype.prepare = function (this: DatabaseSync, sql: string): StatementSync {
    const file = inUse.get(this);
    return file === undefined ? prepare.call(this, sql) : prepared(file, sql);
  };
  prototype.close = function (this: DatabaseSync): void {
    setOfCurrent()?.delete(this);
    giveBack(this);
    close.call(this);
  };
  const ofTransaction = getterOf("isTransaction");
  Object.defineProperty(prototype, "isTransaction", {
    configurable: true,
    get(this: DatabaseSync) {
      return ofTransaction.call(inUse.get(this)?.database ?? this);
    },
  });
  return () => {
    Object.assign(prototype, { exec, prepare, close });
    Object.defineProperty(prototype, "isTransaction", { configurable: true, get: ofTransaction });
  };
}

function prepared({ database, statements }: OpenFile, sql: string): StatementSync {
  const known = statements.get(sql);
  if (known !== undefined) return known;
  const statement = prepare.call(database, sql);
  statements.set(sql, statement);
  return statement;
}

function getterOf(name: string): () => unknown {
  let holder: object = DatabaseSync.prototype;
  while (!Object.hasOwn(holder, name)) holder = Object.getPrototypeOf(holder);
  return Object.getOwnPropertyDescriptor(holder, name)!.get!;
}

/** Sets a file up in the place of `opened`; false for a database that is no file. */
function take(opened: DatabaseSync, sql: string): boolean {
  const path = opened.location();
  if (path === null) return false;
  const isShared = sql.includes(LOG_MODE);
  const there = kept.get(path) ?? [];
  const known = isShared ? there[0] : there.pop();
  const file: OpenFile = known ?? {
    path,
    database: new DatabaseSync(path),
    statements: new Map(),
    isShared,
    users: 0,
    copy: null,
  };
  file.users++;
  inUse.set(opened, file);
  if (isShared && known !== undefined) return true;
  exec.call(file.database, sql.replace(LOG_MODE, QUICK_MODE));
  if (isShared) {
    setDisk(file);
    kept.set(path, [file]);
  }
  return true;
}

function giveBack(opened: DatabaseSync): void {
  const file = inUse.get(opened);
  if (file === undefined) return;
  inUse.delete(opened);
  file.users--;
  const { path, database, isShared, users } = file;
  if (users === 0 && database.isTransaction) exec.call(database, "ROLLBACK");
  const there = kept.get(path);
  if (!isShared) kept.set(path, [...there ?? [], file]);
  else if (users === 0 && there?.[0] !== file) close.call(database);
}
