/**
 * Knows which databases a run of the program has open, to close them when the run is killed: a dead
 * process holds no lock. What it had not committed is rolled back, as by the next one to open it.
 */
import { DatabaseSync } from "node:sqlite";

const LOG_MODE = "journal_mode = WAL; PRAGMA synchronous = NORMAL";
/**
 * Half the time. No run is killed in the middle of a transaction, because none of them waits for
 * anything: what is committed is in the file at once, and that is what the log is good for, too.
 */
const QUICK_MODE = "journal_mode = MEMORY; PRAGMA synchronous = OFF";

/** Tracks from now on; `ownersOf` gives the set of whoever is at work. Gives what ends it. */
export function trackDatabases(setOfCurrent: () => Set<DatabaseSync> | null): () => void {
  const { exec, close } = DatabaseSync.prototype;
  DatabaseSync.prototype.exec = function (this: DatabaseSync, sql: string): void {
    // Everything that the program opens it sets up with `exec` first.
    setOfCurrent()?.add(this);
    return exec.call(this, sql.replace(LOG_MODE, QUICK_MODE));
  };
  DatabaseSync.prototype.close = function (this: DatabaseSync): void {
    setOfCurrent()?.delete(this);
    return close.call(this);
  };
  return () => {
    DatabaseSync.prototype.exec = exec;
    DatabaseSync.prototype.close = close;
  };
}
