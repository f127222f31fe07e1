/**
 * What the vault holds, as this machine has read it: for every file of every session the tree of
 * its states (FORMAT.md section 8), where each segment's bytes lie, and which states are leaves. A
 * cache over the signed logs: applying the same entries in any order gives the same content.
 */
import type { DatabaseSync } from "node:sqlite";
import type { AddOp, EntryBody, Segment } from "../vault/entry_body.ts";
import type { LogMark } from "../vault/log_plan.ts";
import type { VerifiedEntry } from "../vault/log_reader.ts";
import type { SegmentPlace } from "../vault/segment_reader.ts";
import { hideForgotten, noteForget, noteRecall } from "./forgotten.ts";
import { Statements, transaction } from "./state_db.ts";

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
}

/** Index over an open state database. */
export class SegmentIndex {
  readonly #database: DatabaseSync;
  readonly #statements: Statements;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#statements = new Statements(database);
  }

  /** All machines whose entries were applied, by id. */
  machines(): MachineRow[] {
    const rows = this.#statements.prepare(
      "SELECT id, tag, sign, name, seq, hash, last_ms AS lastSeenMs FROM machine ORDER BY id, tag",
    ).all();
    return rows as unknown as MachineRow[];
  }

  /** Hashes of the applied entries with that number: none, one, or those of clones. */
  hashesAt(machine: string, seq: number): string[] {
    const rows = this.#statements.prepare("SELECT hash FROM entry WHERE machine = ? AND seq = ?")
      .all(machine, seq) as { hash: string }[];
    return rows.map(({ hash }) => hash);
  }

  /** Applied entries of a machine that share their number with another, by number and hash. */
  twins(machine: string): LogMark[] {
    const rows = this.#statements.prepare(
      `SELECT seq, hash FROM entry WHERE machine = ?1 AND seq IN
         (SELECT seq FROM entry WHERE machine = ?1 GROUP BY seq HAVING count(*) > 1)
       ORDER BY seq, hash`,
    ).all(machine) as unknown as LogMark[];
    return rows.map(({ seq, hash }) => ({ seq, hash }));
  }

  /**
   * Applies verified entries, all or none. Each log's entries must follow what was applied before.
   */
  apply(entries: readonly VerifiedEntry[]): void {
    if (entries.length === 0) return;
    transaction(this.#database, () => {
      const touched = new Map<string, [string, string]>();
      for (const entry of entries) this.#applyOne(entry, touched);
      for (const [session, file] of touched.values()) this.#refreshLeaves(session, file);
      const sessions = [...touched.values()].map(([session]) => session);
      hideForgotten(this.#statements, sessions, (...of) => this.#refreshLeaves(...of));
    });
  }

  #applyOne(entry: VerifiedEntry, touched: Map<string, [string, string]>): void {
    const { body } = entry;
    this.#statements.prepare("INSERT OR REPLACE INTO entry VALUES (?, ?, ?)")
      .run(body.machine, body.seq, entry.hash);
    for (const op of body.ops) {
      if (op.op === "enrol") {
        this.#statements.prepare("INSERT OR IGNORE INTO machine VALUES (?, ?, ?, ?, ?, ?, ?)")
          .run(body.tag, body.machine, op.sign, op.name, body.seq, entry.hash, body.time);
      } else if (op.op === "add") {
        this.#applyAdd(entry, op, touched);
      } else if (op.op === "forget" || op.op === "recall") {
        const sessions = op.op === "forget"
          ? noteForget(this.#statements, op, body)
          : noteRecall(this.#statements, op);
        for (const session of sessions) touched.set(`${session}/`, [session, ""]);
      }
    }
    this.#statements.prepare(
      `UPDATE machine SET seq = ?1, hash = ?2, last_ms = ?3 WHERE tag = ?4 AND seq <= ?1`,
    ).run(body.seq, entry.hash, body.time, body.tag);
  }

  #applyAdd(entry: VerifiedEntry, op: AddOp, touched: Map<string, [string, string]>): void {
    this.#applyClaim(entry.body, op);
    for (const { file, gen, from } of op.gens) {
      this.#statements.prepare("INSERT OR IGNORE INTO generation VALUES (?, ?, ?, ?, ?)")
        .run(op.session, file, gen, from.gen, from.hash);
      touched.set(`${op.session}/${file}`, [op.session, file]);
    }
    for (const group of op.groups) {
      const pack = group.in === -1 ? null : entry.body.packs[group.in]!;
      const object = this.#objectId(
        pack?.name ?? entry.objectName,
        pack?.size ?? entry.sizeBytes,
        pack?.sha256 ?? null,
      );
      const { lastInsertRowid } = this.#statements.prepare(
        "INSERT INTO grp (object, at, stored, raw, comp) VALUES (?, ?, ?, ?, ?)",
      ).run(object, group.at, group.stored, group.raw, group.comp);
      let offset = 0;
      for (const segment of group.segments) {
        this.#addSegment(op.session, segment, Number(lastInsertRowid), offset, entry.body.machine);
        touched.set(`${op.session}/${segment.file}`, [op.session, segment.file]);
        offset += segment.len;
      }
    }
  }

  /**
   * Of several claims about one session the one with the smallest rank holds, in whatever order
   * they arrive.
   */
  #applyClaim(body: EntryBody, op: AddOp): void {
    if (op.project === null) return;
    const rank = `${String(body.time).padStart(16, "0")}/${body.machine}/${body.seq}`;
    this.#statements.prepare(
      `INSERT INTO claim VALUES (?, ?, ?) ON CONFLICT (session) DO UPDATE
       SET project = excluded.project, rank = excluded.rank WHERE excluded.rank < rank`,
    ).run(op.session, JSON.stringify(op.project), rank);
  }

  #objectId(name: string, size: number, sha256: string | null): number {
    this.#statements.prepare("INSERT OR IGNORE INTO object (name, size, sha256) VALUES (?, ?, ?)")
      .run(name, size, sha256);
    const row = this.#statements.prepare("SELECT id FROM object WHERE name = ?").get(name);
    return (row as { id: number }).id;
  }

  #addSegment(
    session: string,
    segment: Segment,
    group: number,
    offset: number,
    machine: string,
  ): void {
    this.#statements.prepare(
      `INSERT INTO segment VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE
       SET mtime = max(mtime, excluded.mtime), machine = min(machine, excluded.machine)`,
    ).run(
      session,
      segment.file,
      segment.gen,
      segment.parent,
      segment.hash,
      segment.off,
      segment.len,
      segment.mtime,
      group,
      offset,
      machine,
    );
  }

  #refreshLeaves(session: string, file: string): void {
    this.#statements.prepare("DELETE FROM leaf WHERE session = ? AND file = ?").run(session, file);
    this.#statements.prepare(
      `INSERT INTO leaf
       SELECT s.session, s.file, s.gen, s.hash, s.off + s.len, max(s.mtime), min(s.machine)
       FROM segment s
       WHERE s.session = ? AND s.file = ?
         AND NOT EXISTS (SELECT 1 FROM segment c WHERE c.session = s.session AND c.file = s.file
                         AND c.gen = s.gen AND c.parent = s.hash AND c.len > 0)
         AND NOT EXISTS (SELECT 1 FROM generation g WHERE g.session = s.session AND g.file = s.file
                         AND g.from_gen = s.gen AND g.from_hash = s.hash)
       GROUP BY s.gen, s.hash`,
    ).run(session, file);
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
    const rows = this.#statements.prepare(
      `SELECT session, file, gen, hash, len, mtime AS mtimeMs, machine FROM leaf
       WHERE file <> ? ORDER BY session, file, gen, hash`,
    ).all(without);
    return rows as unknown as StoredLeaf[];
  }

  /** Every state of one file but the empty start, by length. */
  states(session: string, file: string): FileState[] {
    const rows = this.#statements.prepare(
      `SELECT DISTINCT gen, hash, off + len AS len FROM segment
       WHERE session = ? AND file = ? ORDER BY len, gen, hash`,
    ).all(session, file);
    return rows as unknown as FileState[];
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
   * not have it. Where several cuts lead there, the longest segments are taken.
   */
  chain(session: string, file: string, to: FileState): StoredSegment[] | null {
    const statement = this.#statements.prepare(
      `SELECT s.session, s.gen, s.parent, s.hash, s.off, s.len,
              o.name AS objectName, o.sha256 AS objectSha256,
              g.at AS groupAt, g.stored AS groupStored, g.raw AS groupRaw, g.comp AS groupComp,
              s.grp_off AS offsetInGroup, s.machine
       FROM segment s JOIN grp g ON g.id = s.grp JOIN object o ON o.id = g.object
       WHERE s.session = ? AND s.file = ? AND s.gen = ? AND s.hash = ?
       ORDER BY s.len DESC, s.parent LIMIT 1`,
    );
    const chain: StoredSegment[] = [];
    let { hash, len } = to;
    for (;;) {
      const row = statement.get(session, file, to.gen, hash) as unknown as
        | StoredSegment
        | undefined;
      // Lengths that do not add up come from a malformed entry; without this check they could form
      // a circle.
      if (row === undefined || row.off + row.len !== len) return null;
      chain.push(row);
      if (row.off === 0) return chain.reverse();
      if (row.len === 0) return null;
      hash = row.parent;
      len = row.off;
    }
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
    const row = this.#statements.prepare("SELECT project FROM claim WHERE session = ?")
      .get(session);
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
