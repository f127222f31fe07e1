/**
 * Takes verified entries into the index. What a checkpoint or a retirement says again replaces what
 * stood in the entries before it (FORMAT.md section 12).
 */
import type { AddOp, CheckpointOp, EntryBody, RetireOp, Segment } from "../vault/entry_body.ts";
import type { VerifiedEntry } from "../vault/log_reader.ts";
import { noteActivity } from "./activity.ts";
import { hideForgotten, noteForget, noteRecall } from "./forgotten.ts";
import type { Statements } from "./state_db.ts";
import { storedText } from "./vault_titles.ts";

/** Files whose leaves have to be found anew, by `session/file`. */
type Touched = Map<string, readonly [session: string, file: string]>;

/** Within a transaction. The result does not depend on the order of different logs' entries. */
export function applyEntries(statements: Statements, entries: readonly VerifiedEntry[]): void {
  const touched: Touched = new Map();
  const logs = new Set<string>();
  for (const entry of entries) {
    noteEntry(statements, entry);
    for (const op of entry.body.ops) {
      if (op.op === "checkpoint") logs.add(spareOwn(statements, entry, op));
      if (op.op === "retire") logs.add(spareOther(statements, op));
    }
  }
  const concerned: string[] = [];
  // Only now is known which entries are not needed any more.
  for (const entry of entries) {
    noteActivity(statements, entry);
    if (isSpared(statements, entry)) continue;
    noteEmptyPacks(statements, entry);
    for (const op of entry.body.ops) {
      if (op.op === "add") applyAdd(statements, entry, op, touched);
      else if (op.op === "forget") concerned.push(...noteForget(statements, op, entry.body));
      else if (op.op === "recall") concerned.push(...noteRecall(statements, op));
    }
  }
  for (const { body } of entries) forgetRepetition(statements, body);
  for (const log of logs) dropSpared(statements, log, touched);
  for (const [session, file] of touched.values()) {
    refreshLeaves(statements, session, file);
    concerned.push(session);
  }
  hideForgotten(statements, concerned, (...of) => refreshLeaves(statements, ...of));
}

function noteEntry(statements: Statements, { body, hash }: VerifiedEntry): void {
  statements.prepare("INSERT OR IGNORE INTO entry (machine, seq, hash) VALUES (?, ?, ?)")
    .run(body.machine, body.seq, hash);
  const [first] = body.ops;
  if (first?.op === "enrol") {
    statements.prepare(
      `INSERT OR IGNORE INTO machine (tag, id, sign, name, seq, hash, last_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    ).run(body.tag, body.machine, first.sign, first.name, body.seq, hash, body.time);
  }
  statements.prepare(
    `UPDATE machine SET seq = ?1, hash = ?2, last_ms = ?3 WHERE tag = ?4 AND seq <= ?1`,
  ).run(body.seq, hash, body.time, body.tag);
}

function spareOwn(statements: Statements, { body }: VerifiedEntry, op: CheckpointOp): string {
  const { base } = statements.prepare("SELECT base FROM machine WHERE tag = ?")
    .get(body.tag) as { base: number };
  spare(statements, body.machine, op.covered, base);
  raiseBase(statements, body.tag, op.from);
  return body.machine;
}

function spareOther(statements: Statements, op: RetireOp): string {
  const { machine, tag, sign, name, seq, hash, covered } = op;
  statements.prepare(
    `INSERT OR IGNORE INTO machine (tag, id, sign, name, seq, hash, last_ms)
     VALUES (?, ?, ?, ?, ?, ?, 0)`,
  ).run(tag, machine, sign, name, seq, hash);
  statements.prepare("UPDATE machine SET seq = ?1, hash = ?2 WHERE tag = ?3 AND seq < ?1")
    .run(seq, hash, tag);
  spare(statements, machine, covered, 1);
  statements.prepare("INSERT OR IGNORE INTO entry (machine, seq, hash, spared) VALUES (?, ?, ?, 1)")
    .run(machine, seq, hash);
  statements.prepare("UPDATE machine SET retired = 1 WHERE tag = ?").run(tag);
  raiseBase(statements, tag, seq + 1);
  return machine;
}

/** Nothing happened in the entries of a checkpoint but the last, which ended it. */
function forgetRepetition(statements: Statements, { machine, seq, ops }: EntryBody): void {
  const last = ops.at(-1);
  if (last?.op !== "checkpoint") return;
  statements.prepare("DELETE FROM activity WHERE machine = ? AND seq >= ? AND seq < ?")
    .run(machine, last.from, seq);
}

function raiseBase(statements: Statements, tag: string, base: number): void {
  statements.prepare("UPDATE machine SET base = max(base, ?) WHERE tag = ?").run(base, tag);
}

/** Marks the covered entries from number `from` on; what is before was marked already. */
function spare(
  statements: Statements,
  machine: string,
  covered: readonly string[],
  from: number,
): void {
  const mark = statements.prepare(
    "UPDATE entry SET spared = 1 WHERE machine = ? AND seq = ? AND substr(hash, 1, 8) = ?",
  );
  const note = statements.prepare(
    "INSERT OR IGNORE INTO entry (machine, seq, hash, spared) VALUES (?, ?, ?, 1)",
  );
  for (let seq = from; seq <= covered.length; seq++) {
    for (const [hash8] of covered[seq - 1]!.matchAll(/.{8}/g)) {
      if (mark.run(machine, seq, hash8).changes === 0) note.run(machine, seq, hash8);
    }
  }
}

function isSpared(statements: Statements, { body, hash }: VerifiedEntry): boolean {
  const row = statements.prepare(
    `SELECT 1 FROM entry WHERE machine = ? AND seq = ? AND spared = 1
     AND substr(hash, 1, 8) = substr(?, 1, 8)`,
  ).get(body.machine, body.seq, hash);
  return row !== undefined;
}

/** Drops what stood only in entries that are not needed any more. */
function dropSpared(statements: Statements, log: string, touched: Touched): void {
  const spared = `EXISTS (SELECT 1 FROM entry e WHERE e.machine = log AND e.seq = p.seq
    AND e.spared = 1 AND substr(e.hash, 1, 8) = p.hash)`;
  const groups = `SELECT p.id FROM grp p WHERE p.log = ? AND ${spared}`;
  const rows = statements.prepare(
    `SELECT DISTINCT session, file FROM segment WHERE grp IN (${groups})`,
  ).all(log) as { session: string; file: string }[];
  for (const { session, file } of rows) touched.set(`${session}/${file}`, [session, file]);
  statements.prepare(`DELETE FROM segment WHERE grp IN (${groups})`).run(log);
  statements.prepare(`DELETE FROM grp AS p WHERE p.log = ? AND ${spared}`).run(log);
  statements.prepare(`DELETE FROM claim AS p WHERE p.log = ? AND ${spared}`).run(log);
  statements.prepare(`DELETE FROM empty_pack AS p WHERE p.log = ? AND ${spared}`).run(log);
  statements.prepare(`DELETE FROM title AS p WHERE p.log = ? AND ${spared}`).run(log);
  statements.prepare("DELETE FROM object WHERE id NOT IN (SELECT object FROM grp)").run();
}

/** A session that could not be read to its end leaves packs that an entry names for nothing. */
function noteEmptyPacks(statements: Statements, { body, hash }: VerifiedEntry): void {
  if (body.packs.length === 0) return;
  const used = new Set<number>();
  for (const op of body.ops) {
    if (op.op === "add") { for (const group of op.groups) used.add(group.in); }
  }
  for (const [index, { name }] of body.packs.entries()) {
    if (used.has(index)) continue;
    statements.prepare("INSERT OR IGNORE INTO empty_pack VALUES (?, ?, ?, ?)")
      .run(name, body.machine, body.seq, hash.slice(0, 8));
  }
}

function applyAdd(
  statements: Statements,
  entry: VerifiedEntry,
  op: AddOp,
  touched: Touched,
): void {
  const { body } = entry;
  applyClaim(statements, entry, op);
  applyTitle(statements, entry, op);
  for (const { file, gen, from } of op.gens) {
    statements.prepare("INSERT OR IGNORE INTO generation VALUES (?, ?, ?, ?, ?)")
      .run(op.session, file, gen, from.gen, from.hash);
    touched.set(`${op.session}/${file}`, [op.session, file]);
  }
  for (const group of op.groups) {
    const pack = group.in === -1 ? null : body.packs[group.in]!;
    const object = objectId(
      statements,
      pack?.name ?? entry.objectName,
      pack?.size ?? entry.sizeBytes,
      pack?.sha256 ?? null,
    );
    const { lastInsertRowid } = statements.prepare(
      `INSERT INTO grp (object, at, stored, raw, comp, log, seq, hash)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    ).run(
      object,
      group.at,
      group.stored,
      group.raw,
      group.comp,
      body.machine,
      body.seq,
      entry.hash.slice(0, 8),
    );
    let offset = 0;
    for (const segment of group.segments) {
      const place = { group: Number(lastInsertRowid), offset };
      addSegment(statements, op.session, segment, place, op.by ?? body.machine);
      touched.set(`${op.session}/${segment.file}`, [op.session, segment.file]);
      offset += segment.len;
    }
  }
}

/**
 * Of several claims about one session the one with the smallest rank holds, in whatever order they
 * arrive. A claim that is said again keeps its rank.
 */
function applyClaim(statements: Statements, { body, hash }: VerifiedEntry, op: AddOp): void {
  if (op.project === null) return;
  const project = JSON.stringify(op.project);
  const time = String(op.time ?? body.time).padStart(16, "0");
  const rank = `${time}/${op.by ?? body.machine}/${project}`;
  statements.prepare(
    `INSERT INTO claim VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (session, log) DO UPDATE
     SET project = excluded.project, rank = excluded.rank, seq = excluded.seq, hash = excluded.hash
     WHERE excluded.rank <= rank`,
  ).run(op.session, body.machine, body.seq, hash.slice(0, 8), project, rank);
}

/** Of several titles of a session in one log the largest counts; one said again stays itself. */
function applyTitle(
  statements: Statements,
  { body, hash }: VerifiedEntry,
  { session, title }: AddOp,
): void {
  if (title === undefined) return;
  statements.prepare(
    `INSERT INTO title VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (session, log) DO UPDATE
     SET seq = excluded.seq, hash = excluded.hash, text = excluded.text, time = excluded.time,
         gen = excluded.gen, state = excluded.state
     WHERE (excluded.time, excluded.text, excluded.gen, excluded.state)
       >= (time, text, gen, state)`,
  ).run(
    ...[session, body.machine, body.seq, hash.slice(0, 8)],
    ...[storedText(title.text), title.time, title.gen, title.hash],
  );
}

function objectId(
  statements: Statements,
  name: string,
  size: number,
  sha256: string | null,
): number {
  statements.prepare("INSERT OR IGNORE INTO object (name, size, sha256) VALUES (?, ?, ?)")
    .run(name, size, sha256);
  const row = statements.prepare("SELECT id FROM object WHERE name = ?").get(name);
  return (row as { id: number }).id;
}

function addSegment(
  statements: Statements,
  session: string,
  segment: Segment,
  place: { readonly group: number; readonly offset: number },
  machine: string,
): void {
  statements.prepare(
    "INSERT OR IGNORE INTO segment VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
  ).run(
    session,
    segment.file,
    segment.gen,
    segment.parent,
    segment.hash,
    segment.off,
    segment.len,
    segment.mtime,
    place.group,
    place.offset,
    machine,
  );
}

function refreshLeaves(statements: Statements, session: string, file: string): void {
  statements.prepare("DELETE FROM leaf WHERE session = ? AND file = ?").run(session, file);
  statements.prepare(
    `INSERT INTO leaf
     SELECT s.session, s.file, s.gen, s.hash, s.off + s.len, max(s.mtime), min(s.machine)
     FROM segment s
     WHERE s.session = ? AND s.file = ?
       AND NOT EXISTS (SELECT 1 FROM segment c WHERE c.session = s.session AND c.file = s.file
                       AND c.gen = s.gen AND c.parent = s.hash AND c.len > 0)
       AND NOT EXISTS (SELECT 1 FROM generation g WHERE g.session = s.session AND g.file = s.file
                       AND g.from_gen = s.gen AND g.from_hash = s.hash
                       AND EXISTS (SELECT 1 FROM segment n WHERE n.session = s.session
                                   AND n.file = s.file AND n.gen = g.gen))
     GROUP BY s.gen, s.hash`,
  ).run(session, file);
}
