/**
 * Everything that the entries of one log say, in tables of a scratch database: what a checkpoint of
 * that log has to say again (FORMAT.md section 12). It is made from the signed entries alone, so
 * that no fault of the index can make a checkpoint forget something.
 */
import type { DatabaseSync } from "node:sqlite";
import type { AddOp, EntryBody, ForgetOp, Generation, ProjectClaim } from "../vault/entry_body.ts";
import type { PackClaim, RecallOp, RetireOp, Segment, TitleClaim } from "../vault/entry_body.ts";
import type { Compression } from "../vault/group.ts";
import type { SegmentPlace } from "../vault/segment_reader.ts";
import { Statements } from "./state_db.ts";
import { storedText } from "./vault_titles.ts";

const TABLES = `
CREATE TABLE said_object (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, size INTEGER NOT NULL, sha256 TEXT,
  kept INTEGER NOT NULL, shrunk INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE said_group (
  id INTEGER PRIMARY KEY, object INTEGER NOT NULL, at INTEGER NOT NULL, stored INTEGER NOT NULL,
  raw INTEGER NOT NULL, comp TEXT NOT NULL, segments INTEGER NOT NULL, whole INTEGER NOT NULL
) STRICT;
CREATE TABLE said_segment (
  session TEXT NOT NULL, file TEXT NOT NULL, gen TEXT NOT NULL, parent TEXT NOT NULL,
  hash TEXT NOT NULL, off INTEGER NOT NULL, len INTEGER NOT NULL, mtime INTEGER NOT NULL,
  machine TEXT NOT NULL, grp INTEGER NOT NULL, grp_off INTEGER NOT NULL, sum TEXT,
  PRIMARY KEY (session, file, gen, parent, hash)
) STRICT, WITHOUT ROWID;
CREATE TABLE said_generation (
  session TEXT NOT NULL, file TEXT NOT NULL, gen TEXT NOT NULL,
  from_gen TEXT NOT NULL, from_hash TEXT NOT NULL,
  PRIMARY KEY (session, file, gen, from_gen, from_hash)
) STRICT, WITHOUT ROWID;
CREATE TABLE said_claim (
  session TEXT PRIMARY KEY, project TEXT NOT NULL, time INTEGER NOT NULL, machine TEXT NOT NULL
) STRICT;
CREATE TABLE said_title (
  session TEXT PRIMARY KEY, text TEXT NOT NULL, time INTEGER NOT NULL, gen TEXT NOT NULL,
  state TEXT NOT NULL, machine TEXT NOT NULL
) STRICT;
CREATE INDEX said_by_group ON said_segment (grp);
`;

/** Ops that are said again as they are. */
export type OtherOp = ForgetOp | RecallOp | RetireOp;

/** A pack and how much of it is needed as it is. */
export interface SaidPack extends PackClaim {
  readonly id: number;
  /** Stored bytes of groups of which every segment is needed and has its newest place there. */
  readonly neededBytes: number;
}

/** A session as one machine's ops know it: what goes into one `add` op. */
export interface SaidSession {
  readonly session: string;
  /** Id of the machine. */
  readonly by: string;
}

/** A segment, where its bytes are, and whether it stays there. */
export interface SaidSegment extends Segment, SegmentPlace {
  readonly group: number;
}

/** A group that stays where it is. */
export interface SaidGroup {
  readonly id: number;
  readonly pack: PackClaim;
  readonly at: number;
  readonly stored: number;
  readonly raw: number;
  readonly comp: Compression;
}

/** The project of a session, who said so first, and when. */
export interface SaidClaim {
  readonly project: ProjectClaim;
  readonly time: number;
  readonly machine: string;
}

/** The title of a session, and which machine's op says so. */
export interface SaidTitle {
  readonly title: TitleClaim;
  readonly machine: string;
}

const SEGMENT_COLUMNS = `s.session, s.file, s.gen, s.parent, s.hash, s.off, s.len, s.mtime,
  s.grp AS "group", o.name AS objectName, o.sha256 AS objectSha256, g.at AS groupAt,
  g.stored AS groupStored, g.raw AS groupRaw, g.comp AS groupComp, s.grp_off AS offsetInGroup`;

/** One log's content. The database is the caller's, who closes it. */
export class LogContent {
  /** In the order of the log; a `forget` of one id may come more than once. */
  readonly others: OtherOp[] = [];
  readonly #statements: Statements;
  /** By their JSON. */
  readonly #projects = new Map<string, ProjectClaim>();

  constructor(database: DatabaseSync) {
    database.exec(TABLES);
    this.#statements = new Statements(database);
  }

  /** Takes in one entry. `sizeBytes`: of the sealed object. Entries come in the log's order. */
  add(body: EntryBody, objectName: string, sizeBytes: number): void {
    for (const op of body.ops) {
      switch (op.op) {
        case "add":
          this.#addSession(body, op, { name: objectName, size: sizeBytes, sha256: null });
          break;
        case "forget":
        case "recall":
        case "retire":
          this.others.push(op);
          break;
        case "enrol":
        case "checkpoint":
          break;
      }
    }
  }

  #addSession(
    body: EntryBody,
    op: AddOp,
    entry: { readonly name: string; readonly size: number; readonly sha256: null },
  ): void {
    const machine = op.by ?? body.machine;
    this.#addClaim(op, machine, op.time ?? body.time);
    this.#addTitle(op, machine);
    for (const { file, gen, from } of op.gens) {
      this.#statements.prepare("INSERT OR IGNORE INTO said_generation VALUES (?, ?, ?, ?, ?)")
        .run(op.session, file, gen, from.gen, from.hash);
    }
    for (const group of op.groups) {
      const object = this.#objectId(group.in === -1 ? entry : body.packs[group.in]!);
      const { lastInsertRowid } = this.#statements.prepare(
        `INSERT INTO said_group (object, at, stored, raw, comp, segments, whole)
         VALUES (?, ?, ?, ?, ?, ?, 0)`,
      ).run(object, group.at, group.stored, group.raw, group.comp, group.segments.length);
      let offset = 0;
      for (const segment of group.segments) {
        this.#addSegment(op.session, segment, machine, Number(lastInsertRowid), offset);
        offset += segment.len;
      }
    }
  }

  #addClaim({ session, project }: AddOp, machine: string, time: number): void {
    if (project === null) return;
    const json = JSON.stringify(project);
    this.#projects.set(json, project);
    this.#statements.prepare(
      `INSERT INTO said_claim VALUES (?, ?, ?, ?) ON CONFLICT (session) DO UPDATE
       SET project = excluded.project, time = excluded.time, machine = excluded.machine
       WHERE (excluded.time, excluded.machine, excluded.project) < (time, machine, project)`,
    ).run(session, json, time, machine);
  }

  #addTitle({ session, title }: AddOp, machine: string): void {
    if (title === undefined) return;
    const { text, time, gen, hash } = title;
    this.#statements.prepare(
      `INSERT INTO said_title VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (session) DO UPDATE
       SET text = excluded.text, time = excluded.time, gen = excluded.gen,
           state = excluded.state, machine = excluded.machine
       WHERE (excluded.time, excluded.text, excluded.gen, excluded.state, machine)
         > (time, text, gen, state, excluded.machine)`,
    ).run(session, storedText(text), time, gen, hash, machine);
  }

  #objectId(object: { name: string; size: number; sha256: string | null }): number {
    this.#statements.prepare(
      "INSERT OR IGNORE INTO said_object (name, size, sha256, kept) VALUES (?, ?, ?, 0)",
    ).run(object.name, object.size, object.sha256);
    const row = this.#statements.prepare("SELECT id FROM said_object WHERE name = ?")
      .get(object.name);
    return (row as { id: number }).id;
  }

  #addSegment(
    session: string,
    { file, gen, parent, hash, off, len, mtime }: Segment,
    machine: string,
    group: number,
    offset: number,
  ): void {
    this.#statements.prepare(
      `INSERT INTO said_segment VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)
       ON CONFLICT DO UPDATE
       SET mtime = max(mtime, excluded.mtime), machine = min(machine, excluded.machine),
           grp = excluded.grp, grp_off = excluded.grp_off`,
    ).run(session, file, gen, parent, hash, off, len, mtime, machine, group, offset);
  }

  /**
   * Drops segments that need not be said again, with the generations that nothing is left of.
   * `keptOf` gives the states of a file (`gen/hash`) whose segments stay; null: all of them. True
   * when something was dropped.
   */
  drop(keptOf: (session: string, file: string) => ReadonlySet<string> | null): boolean {
    let dropped = false;
    const ofFile = this.#statements.prepare(
      "SELECT DISTINCT gen, hash FROM said_segment WHERE session = ? AND file = ?",
    );
    const remove = this.#statements.prepare(
      "DELETE FROM said_segment WHERE session = ? AND file = ? AND gen = ? AND hash = ?",
    );
    // Bytes that are to go would stay in a pack that stays.
    const shrink = this.#statements.prepare(
      `UPDATE said_object SET shrunk = 1 WHERE id IN (SELECT g.object FROM said_group g
         JOIN said_segment s ON s.grp = g.id
         WHERE s.session = ? AND s.file = ? AND s.gen = ? AND s.hash = ?)`,
    );
    for (const { session, file } of this.#files()) {
      const kept = keptOf(session, file);
      if (kept === null) continue;
      for (const { gen, hash } of ofFile.all(session, file) as { gen: string; hash: string }[]) {
        if (kept.has(`${gen}/${hash}`)) continue;
        shrink.run(session, file, gen, hash);
        remove.run(session, file, gen, hash);
        dropped = true;
      }
    }
    if (!dropped) return false;
    this.#statements.prepare(
      `DELETE FROM said_generation AS g WHERE NOT EXISTS (SELECT 1 FROM said_segment s
         WHERE s.session = g.session AND s.file = g.file AND s.gen = g.gen)`,
    ).run();
    return true;
  }

  /** Drops the titles of states that are left out; `keptOf` as for `drop`. */
  dropTitles(keptOf: (session: string, file: string) => ReadonlySet<string> | null): void {
    const rows = this.#statements.prepare("SELECT session, gen, state FROM said_title")
      .all() as { session: string; gen: string; state: string }[];
    for (const { session, gen, state } of rows) {
      if (keptOf(session, "transcript")?.has(`${gen}/${state}`) !== false) continue;
      this.#statements.prepare("DELETE FROM said_title WHERE session = ?").run(session);
    }
  }

  /** Drops the projects of sessions that nothing is left of. `isThere`: in any log. */
  dropClaims(isThere: (session: string) => boolean): void {
    const rows = this.#statements.prepare(
      "SELECT session FROM said_claim WHERE session NOT IN (SELECT session FROM said_segment)",
    ).all() as { session: string }[];
    for (const { session } of rows) {
      if (isThere(session)) continue;
      this.#statements.prepare("DELETE FROM said_claim WHERE session = ?").run(session);
    }
  }

  #files(): { session: string; file: string }[] {
    return this.#statements.prepare("SELECT DISTINCT session, file FROM said_segment")
      .all() as { session: string; file: string }[];
  }

  /**
   * All packs that hold something needed and nothing that was dropped. To be called when all
   * entries are in.
   */
  packs(): SaidPack[] {
    // Two machines' segments never share a group again: the op says whose they are.
    this.#statements.prepare(
      `UPDATE said_group SET whole = 1 WHERE segments =
         (SELECT count(*) FROM said_segment s WHERE s.grp = said_group.id)
       AND (SELECT count(DISTINCT machine) FROM said_segment s WHERE s.grp = said_group.id) = 1`,
    ).run();
    return this.#statements.prepare(
      `SELECT o.id, o.name, o.size, o.sha256,
              coalesce(sum(g.stored) FILTER (WHERE g.whole), 0) AS neededBytes
       FROM said_object o JOIN said_group g ON g.object = o.id
       WHERE o.sha256 IS NOT NULL AND NOT o.shrunk GROUP BY o.id ORDER BY o.name`,
    ).all() as unknown as SaidPack[];
  }

  /** Says that the whole groups of these packs stay where they are. */
  keep(packs: readonly Pick<SaidPack, "id">[]): void {
    for (const { id } of packs) {
      this.#statements.prepare("UPDATE said_object SET kept = 1 WHERE id = ?").run(id);
    }
  }

  /** Every session, in order; one that is said of several machines comes once for each. */
  sessions(): Iterable<SaidSession> {
    return this.#statements.prepare(
      `SELECT session, machine AS by FROM said_segment
       UNION SELECT session, machine FROM said_claim
       UNION SELECT session, machine FROM said_title ORDER BY session, by`,
    ).all() as unknown as SaidSession[];
  }

  /** The project of a session. */
  claim(session: string): SaidClaim | null {
    const row = this.#statements.prepare(
      "SELECT project, time, machine FROM said_claim WHERE session = ?",
    ).get(session) as { project: string; time: number; machine: string } | undefined;
    return row === undefined ? null : { ...row, project: this.#projects.get(row.project) ?? null };
  }

  /** The title of a session; null without one. */
  title(session: string): SaidTitle | null {
    const row = this.#statements.prepare(
      "SELECT text, time, gen, state AS hash, machine FROM said_title WHERE session = ?",
    ).get(session) as (TitleClaim & { machine: string }) | undefined;
    if (row === undefined) return null;
    const { text, time, gen, hash, machine } = row;
    return { title: { text, time, gen, hash }, machine };
  }

  /** Generations of the file, of all machines. */
  generations(session: string, file: string, gen: string): Generation[] {
    const rows = this.#statements.prepare(
      `SELECT from_gen AS gen, from_hash AS hash FROM said_generation
       WHERE session = ? AND file = ? AND gen = ? ORDER BY from_gen, from_hash`,
    ).all(session, file, gen) as { gen: string; hash: string }[];
    return rows.map((from) => ({ file, gen, from: { gen: from.gen, hash: from.hash } }));
  }

  /** Groups of the session that stay where they are. */
  keptGroups({ session, by }: SaidSession): SaidGroup[] {
    const rows = this.#statements.prepare(
      `SELECT DISTINCT g.id, g.at, g.stored, g.raw, g.comp, o.name, o.size, o.sha256
       FROM said_segment s JOIN said_group g ON g.id = s.grp JOIN said_object o ON o.id = g.object
       WHERE s.session = ? AND s.machine = ? AND o.kept AND g.whole ORDER BY o.name, g.at`,
    ).all(session, by) as unknown as (Omit<SaidGroup, "pack"> & PackClaim)[];
    return rows.map(({ name, size, sha256, ...group }) => ({
      ...group,
      pack: { name, size, sha256 },
    }));
  }

  /** The segments of a group, in its order. */
  ofGroup(group: number): Segment[] {
    return this.#statements.prepare(
      `SELECT file, gen, off, len, parent, hash, mtime FROM said_segment
       WHERE grp = ? ORDER BY grp_off, len, file, gen`,
    ).all(group) as unknown as Segment[];
  }

  /** The segments of the session that are to be stored anew, each file's in order. */
  moving({ session, by }: SaidSession): SaidSegment[] {
    return this.#statements.prepare(
      `SELECT ${SEGMENT_COLUMNS}
       FROM said_segment s JOIN said_group g ON g.id = s.grp JOIN said_object o ON o.id = g.object
       WHERE s.session = ? AND s.machine = ? AND NOT (o.kept AND g.whole)
       ORDER BY s.file, s.gen, s.off, s.hash`,
    ).all(session, by) as unknown as SaidSegment[];
  }

  /** Remembers the SHA-256 of a segment's own bytes as they were in the old place. */
  noteBytes(session: string, { file, gen, parent, hash }: Segment, sha256: string): void {
    this.#statements.prepare(
      `UPDATE said_segment SET sum = ?
       WHERE session = ? AND file = ? AND gen = ? AND parent = ? AND hash = ?`,
    ).run(sha256, session, file, gen, parent, hash);
  }

  /** What was remembered; null for what stays in its place. */
  bytesNoted(session: string, { file, gen, parent, hash }: Segment): string | null {
    const row = this.#statements.prepare(
      `SELECT sum FROM said_segment
       WHERE session = ? AND file = ? AND gen = ? AND parent = ? AND hash = ?`,
    ).get(session, file, gen, parent, hash) as { sum: string | null } | undefined;
    return row?.sum ?? null;
  }
}
