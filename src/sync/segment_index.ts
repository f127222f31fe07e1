/**
 * What the vault holds, as this machine has read it: for every file of every session the tree of
 * its states (FORMAT.md section 8), where each segment's bytes lie, and which states are leaves. A
 * cache over the signed logs: applying the same entries in any order gives the same content.
 */
import type { DatabaseSync } from "node:sqlite";
import type { LogMark } from "../vault/log_plan.ts";
import type { VerifiedEntry } from "../vault/log_reader.ts";
import type { SegmentPlace } from "../vault/segment_reader.ts";
import { applyEntries } from "./apply_entries.ts";
import { SharedTexts, Statements, transaction } from "./state_db.ts";

/** H of nothing: the empty start of every generation. */
export const EMPTY_HASH = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** A point in a file's history: the first `len` bytes of generation `gen`, which hash to `hash`. */
export interface FileState {
  readonly gen: string;
  readonly hash: string;
  readonly len: number;
}

/** A state that nothing continues or replaces. */
export interface Leaf extends FileState {
  /** Newest file time among the machines that wrote it, in ms. */
  readonly mtimeMs: number;
  /** Machine that wrote the last segment (the smallest id when several did). */
  readonly machine: string;
}

/** A state that a machine once had as all of the file. */
export interface StoredVersion extends Leaf {
  /** Whether nothing continues or replaces it. */
  readonly isLeaf: boolean;
  /** Whether the file was rewritten after it. */
  readonly isReplaced: boolean;
}

/** A leaf and whose it is. */
export interface StoredLeaf extends Leaf {
  readonly session: string;
  readonly file: string;
}

/** One step of a file's history and where its bytes are. */
export interface StoredSegment extends SegmentPlace {
  readonly gen: string;
  readonly parent: string;
  readonly hash: string;
  readonly off: number;
  /** Machine that wrote it (the smallest id when several did). */
  readonly machine: string;
}

/** One machine of the vault. */
export interface MachineRow {
  readonly id: string;
  readonly tag: string;
  readonly sign: string;
  readonly name: string;
  readonly seq: number;
  readonly hash: string;
  readonly lastSeenMs: number;
  /** Number of the first entry that is needed. */
  readonly base: number;
  /** Whether another machine has taken over all before the base. */
  readonly isRetired: boolean;
}

/** Index over an open state database. */
export class SegmentIndex {
  readonly #database: DatabaseSync;
  readonly #statements: Statements;
  /** What `machines` gave, as long as nothing has been applied. */
  #machines: readonly MachineRow[] | null = null;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#statements = new Statements(database);
  }

  /** All machines whose entries were applied, by id. */
  machines(): readonly MachineRow[] {
    return this.#machines ??= this.#readMachines();
  }

  #readMachines(): MachineRow[] {
    const rows = this.#statements.prepare(
      `SELECT id, tag, sign, name, seq, hash, last_ms AS lastSeenMs, base, retired AS isRetired
       FROM machine ORDER BY id, tag`,
    ).all() as unknown as MachineRow[];
    return rows.map((row) => ({ ...row, isRetired: Boolean(row.isRetired) }));
  }

  /**
   * Hashes of the applied entries with that number: none, one, or those of clones. Only eight
   * digits of an entry that a checkpoint spared us.
   */
  hashesAt(machine: string, seq: number): string[] {
    const rows = this.#statements.prepare("SELECT hash FROM entry WHERE machine = ? AND seq = ?")
      .all(machine, seq) as { hash: string }[];
    return rows.map(({ hash }) => hash);
  }

  /** Applied entries of a machine that share their number with another, by number and hash. */
  twins(machine: string): LogMark[] {
    const rows = this.#statements.prepare(
      `SELECT seq, hash FROM entry WHERE machine = ?1 AND spared = 0 AND seq IN
         (SELECT seq FROM entry WHERE machine = ?1 AND spared = 0 GROUP BY seq HAVING count(*) > 1)
       ORDER BY seq, hash`,
    ).all(machine) as unknown as LogMark[];
    return rows.map(({ seq, hash }) => ({ seq, hash }));
  }

  /** Whether an entry was applied, or said again by a checkpoint that was; `hash` or its start. */
  hasEntry(machine: string, seq: number, hash: string): boolean {
    const found = this.hashesAt(machine, seq);
    return found.some((one) => one.startsWith(hash) || hash.startsWith(one));
  }

  /**
   * Applies verified entries, all or none. Each log's entries must follow what was applied before.
   */
  apply(entries: readonly VerifiedEntry[]): void {
    if (entries.length === 0) return;
    this.#machines = null;
    transaction(this.#database, () => applyEntries(this.#statements, entries));
  }

  /** Leaves of one file, by generation and hash. Empty when the vault has nothing of it. */
  leaves(session: string, file: string): Leaf[] {
    const rows = this.#statements.prepare(
      `SELECT gen, hash, len, mtime AS mtimeMs, machine FROM leaf
       WHERE session = ? AND file = ? ORDER BY gen, hash`,
    ).all(session, file);
    return rows as unknown as Leaf[];
  }

  /** Every leaf of every file (but of those named `without`), by session and file. */
  allLeaves(without = ""): readonly StoredLeaf[] {
    return [...this.eachLeaf(without)];
  }

  /**
   * The same, one after the other; of the sessions `only` unless that is null. Nobody may ask for
   * them again before the last one came.
   */
  *eachLeaf(without = "", only: ReadonlySet<string> | null = null): Generator<StoredLeaf> {
    const isChosen = only === null ? "" : "AND session IN (SELECT value FROM json_each(?2))";
    const rows = this.#statements.prepare(
      `SELECT session, file, gen, hash, len, mtime AS mtimeMs, machine FROM leaf
       WHERE file <> ?1 ${isChosen} ORDER BY session, file, gen, hash`,
    ).iterate(without, ...(only === null ? [] : [JSON.stringify([...only])]));
    const texts = new SharedTexts();
    for (const row of rows) {
      const leaf = row as unknown as { -readonly [K in keyof StoredLeaf]: StoredLeaf[K] };
      [leaf.file, leaf.gen] = [texts.of(leaf.file), texts.of(leaf.gen)];
      leaf.machine = texts.of(leaf.machine);
      yield leaf;
    }
  }

  /** As `eachLeaf`, in the order in which their last bytes lie in packs and entries. */
  *leavesByPlace(): Generator<StoredLeaf> {
    const rows = this.#statements.prepare(
      `SELECT session, file, gen, hash, len, mtime AS mtimeMs, machine FROM leaf l
       ORDER BY (SELECT min(s.grp) FROM segment s WHERE s.session = l.session AND s.file = l.file
                 AND s.gen = l.gen AND s.hash = l.hash), session, file, gen, hash`,
    ).iterate();
    for (const row of rows) yield row as unknown as StoredLeaf;
  }

  /** Files of which there is a leaf. */
  fileCount(): number {
    const row = this.#statements.prepare(
      "SELECT count(*) AS n FROM (SELECT DISTINCT session, file FROM leaf)",
    ).get();
    return (row as { n: number }).n;
  }

  /** Whether there is a leaf of one file. */
  hasFile(session: string, file: string): boolean {
    const row = this.#statements.prepare("SELECT 1 FROM leaf WHERE session = ? AND file = ?")
      .get(session, file);
    return row !== undefined;
  }

  /** Every state of one file but the empty start, by length. */
  states(session: string, file: string): FileState[] {
    const rows = this.#statements.prepare(
      `SELECT DISTINCT gen, hash, off + len AS len FROM segment
       WHERE session = ? AND file = ? ORDER BY len, gen, hash`,
    ).all(session, file);
    return rows as unknown as FileState[];
  }

  /**
   * Every version of one file, newest first by the file's time, then longest. What one push cut
   * into several segments counts once, as a whole.
   */
  versions(session: string, file: string): StoredVersion[] {
    const rows = this.#statements.prepare(
      `SELECT s.gen, s.hash, s.off + s.len AS len, min(s.mtime) AS mtimeMs,
              min(s.machine) AS machine,
              EXISTS (SELECT 1 FROM leaf l WHERE l.session = s.session AND l.file = s.file
                      AND l.gen = s.gen AND l.hash = s.hash) AS isLeaf,
              EXISTS (SELECT 1 FROM generation g WHERE g.session = s.session AND g.file = s.file
                      AND g.from_gen = s.gen AND g.from_hash = s.hash) AS isReplaced
       FROM segment s
       WHERE s.session = ? AND s.file = ?
         AND NOT EXISTS (SELECT 1 FROM segment c WHERE c.session = s.session AND c.file = s.file
                         AND c.gen = s.gen AND c.parent = s.hash AND c.len > 0
                         AND c.mtime = s.mtime AND c.machine = s.machine)
       GROUP BY s.gen, s.hash ORDER BY mtimeMs DESC, len DESC, s.gen, s.hash`,
    ).all(session, file) as unknown as (Leaf & { isLeaf: number; isReplaced: number })[];
    return rows.map((row) => ({
      ...row,
      isLeaf: row.isLeaf !== 0,
      isReplaced: row.isReplaced !== 0,
    }));
  }

  /** Names of all files of a session that the vault has. */
  files(session: string): string[] {
    const rows = this.#statements.prepare(
      "SELECT DISTINCT file FROM leaf WHERE session = ? ORDER BY file",
    ).all(session) as { file: string }[];
    return rows.map(({ file }) => file);
  }

  /** Ids of all machines that wrote something of a session. */
  writers(session: string): string[] {
    const rows = this.#statements.prepare(
      "SELECT DISTINCT machine FROM segment WHERE session = ? ORDER BY machine",
    ).all(session) as { machine: string }[];
    return rows.map(({ machine }) => machine);
  }

  /** Whether any segment leads away from `state`. */
  hasChildren(session: string, file: string, state: FileState): boolean {
    const row = this.#statements.prepare(
      `SELECT 1 FROM segment WHERE session = ? AND file = ? AND gen = ? AND parent = ? AND len > 0`,
    ).get(session, file, state.gen, state.hash);
    return row !== undefined;
  }

  /**
   * The segments that lead to `to`, from the start of its generation, or null when the vault does
   * not have it. Where several cuts lead there, the longest segments are taken, unless they lead
   * back to what a compaction has left out.
   */
  chain(session: string, file: string, to: FileState): StoredSegment[] | null {
    const statement = this.#statements.prepare(
      `SELECT s.session, s.gen, s.parent, s.hash, s.off, s.len,
              o.name AS objectName, o.sha256 AS objectSha256,
              g.at AS groupAt, g.stored AS groupStored, g.raw AS groupRaw, g.comp AS groupComp,
              s.grp_off AS offsetInGroup, s.machine
       FROM segment s JOIN grp g ON g.id = s.grp JOIN object o ON o.id = g.object
       WHERE s.session = ? AND s.file = ? AND s.gen = ? AND s.hash = ?
       ORDER BY s.len DESC, s.parent, s.machine, s.grp DESC`,
    );
    // Lengths that do not add up come from a malformed entry; with them it could lead in a circle.
    const waysTo = (hash: string, len: number) =>
      (statement.all(session, file, to.gen, hash) as unknown as StoredSegment[])
        .filter((row) => row.off + row.len === len);
    const chain: StoredSegment[] = [];
    const untried = [waysTo(to.hash, to.len)];
    const tried = new Set<string>();
    for (let ways = untried.at(-1); ways !== undefined; ways = untried.at(-1)) {
      const row = ways.shift();
      chain.length = untried.length - 1;
      if (row === undefined) {
        untried.pop();
        continue;
      }
      chain.push(row);
      if (row.off === 0) return chain.reverse();
      const parent = `${row.parent}/${row.off}`;
      if (row.len === 0 || tried.has(parent)) continue;
      tried.add(parent);
      untried.push(waysTo(row.parent, row.off));
    }
    return null;
  }

  /** Sessions the vault has; shelves are none. */
  sessionCount(): number {
    const row = this.#statements.prepare(
      `SELECT count(DISTINCT session) AS n FROM leaf
       WHERE file NOT GLOB 'plans/*' AND file NOT GLOB 'memory/*'`,
    ).get();
    return (row as { n: number }).n;
  }

  /** The project claimed for a session, as JSON that still is to be decoded; null without one. */
  projectClaim(session: string): string | null {
    const row = this.#statements.prepare(
      "SELECT project FROM claim WHERE session = ? ORDER BY rank LIMIT 1",
    ).get(session);
    return (row as { project: string | null } | undefined)?.project ?? null;
  }

  /** The session that a branch was made from, when this machine has made it; else null. */
  rootOf(branch: string): string | null {
    const row = this.#statements.prepare(
      `SELECT r.session FROM resolution r,
              json_each(CASE WHEN json_valid(r.result) THEN r.result ELSE '{}' END, '$.branches') b
       WHERE json_extract(b.value, '$.session') = ? LIMIT 1`,
    ).get(branch);
    return (row as { session: string } | undefined)?.session ?? null;
  }

  /** Bytes of all objects that entries name, and of entries with inline groups. */
  storedBytes(): number {
    const row = this.#statements.prepare("SELECT coalesce(sum(size), 0) AS n FROM object").get();
    return (row as { n: number }).n;
  }
}
