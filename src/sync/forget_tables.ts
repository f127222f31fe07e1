/**
 * Tables of what the vault's machines wish to be forgotten (FORMAT.md section 8, "Forgotten
 * states"). Rebuildable like the rest of the database; the counted days then begin anew, which
 * keeps text longer, never shorter.
 */
export const FORGET_TABLES = `
CREATE TABLE forget (
  id TEXT NOT NULL, session TEXT NOT NULL, machine TEXT NOT NULL, time_ms INTEGER NOT NULL,
  PRIMARY KEY (id, session)) STRICT, WITHOUT ROWID;
CREATE INDEX forget_session ON forget (session);
CREATE TABLE forgotten_state (
  session TEXT NOT NULL, file TEXT NOT NULL, gen TEXT NOT NULL, hash TEXT NOT NULL,
  id TEXT NOT NULL, len INTEGER NOT NULL,
  PRIMARY KEY (session, file, gen, hash, id)) STRICT, WITHOUT ROWID;
CREATE TABLE recall (id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE forgotten_leaf (
  session TEXT NOT NULL, file TEXT NOT NULL, gen TEXT NOT NULL, hash TEXT NOT NULL,
  len INTEGER NOT NULL, mtime INTEGER NOT NULL, machine TEXT NOT NULL,
  PRIMARY KEY (session, file, gen, hash)) STRICT, WITHOUT ROWID;
CREATE TABLE forget_day (
  id TEXT PRIMARY KEY, since_ms INTEGER NOT NULL, days INTEGER NOT NULL, at TEXT NOT NULL,
  last_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`;
