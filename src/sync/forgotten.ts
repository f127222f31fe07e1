/**
 * Which states are forgotten (FORMAT.md section 8). A function of sets alone: the segments and
 * generations that are known, the states that `forget` ops name, and the ids that `recall` ops
 * withdraw. In which order a machine learns of them makes no difference.
 *
 * The table `leaf` holds what is there, `forgotten_leaf` the leaves that are hidden: whoever asks
 * for leaves sees nothing of what is forgotten.
 */
import type { DatabaseSync } from "node:sqlite";
import type { ForgetOp, RecallOp } from "../vault/entry_body.ts";
import type { FileState, Leaf } from "./segment_index.ts";
import { Statements } from "./state_db.ts";
import { ForgetDays } from "./watched_days.ts";

/** `TRANSCRIPT` of `sessions/file_name.ts`, for SQL. */
const IS_TRANSCRIPT = "file = 'transcript'";

const HOLDS = "NOT EXISTS (SELECT 1 FROM recall r WHERE r.id = f.id)";

/** Whether a row of `leaf` is named by a `forget` that holds. */
const IS_NAMED = `EXISTS (SELECT 1 FROM forgotten_state f
  WHERE f.session = leaf.session AND f.file = leaf.file AND f.gen = leaf.gen
    AND f.hash = leaf.hash AND ${HOLDS})`;

/** Takes a `forget` op in; gives the sessions it concerns. */
export function noteForget(
  statements: Statements,
  op: ForgetOp,
  by: { readonly machine: string; readonly time: number },
): string[] {
  // A checkpoint says it again, later: the first time counts, whoever is read first.
  statements.prepare(
    `INSERT INTO forget VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE
     SET time_ms = min(time_ms, excluded.time_ms),
         machine = iif(excluded.time_ms < time_ms
           OR (excluded.time_ms = time_ms AND excluded.machine < machine),
           excluded.machine, machine)`,
  ).run(op.id, op.session, by.machine, by.time);
  // In one statement and in the order of the key: scattered over the table, many states cost many
  // times the writes, as a page of it is written anew for almost each of them.
  const states = op.leaves.toSorted(byKey)
    .map(({ file, gen, hash, len }) => [file.toWellFormed(), gen, hash, len]);
  statements.prepare(
    `INSERT INTO forgotten_state
     SELECT ?1, value ->> 0, value ->> 1, value ->> 2, ?2, value ->> 3 FROM json_each(?3) WHERE TRUE
     ON CONFLICT DO UPDATE SET len = max(len, excluded.len)`,
  ).run(op.session, op.id, JSON.stringify(states));
  return [op.session];
}

function byKey(a: ForgetOp["leaves"][number], b: ForgetOp["leaves"][number]): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1;
  if (a.gen !== b.gen) return a.gen < b.gen ? -1 : 1;
  return a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0;
}

/** Takes a `recall` op in; gives the sessions it concerns. */
export function noteRecall(statements: Statements, op: RecallOp): string[] {
  const add = statements.prepare("INSERT OR IGNORE INTO recall VALUES (?)");
  const find = statements.prepare("SELECT session FROM forget WHERE id = ?");
  const sessions: string[] = [];
  for (const id of op.ids) {
    add.run(id);
    for (const row of find.all(id) as { session: string }[]) sessions.push(row.session);
  }
  return sessions;
}

/**
 * Moves the forgotten ones of the leaves of `sessions` out of the table `leaf`, after anything of
 * these sessions has changed. `refreshLeaves` finds all leaves of one file anew.
 */
export function hideForgotten(
  statements: Statements,
  sessions: Iterable<string>,
  refreshLeaves: (session: string, file: string) => void,
): void {
  const isNamed = statements.prepare("SELECT 1 FROM forget WHERE session = ? LIMIT 1");
  const files = statements.prepare("SELECT DISTINCT file FROM segment WHERE session = ?");
  for (const session of new Set(sessions)) {
    if (isNamed.get(session) === undefined) continue;
    statements.prepare("DELETE FROM forgotten_leaf WHERE session = ?").run(session);
    for (const { file } of files.all(session) as { file: string }[]) refreshLeaves(session, file);
    hide(statements, session, IS_TRANSCRIPT);
    // What somebody went on with is there again as a whole.
    const isAlive = statements.prepare(`SELECT 1 FROM leaf WHERE session = ? AND ${IS_TRANSCRIPT}`)
      .get(session) !== undefined;
    if (!isAlive) hide(statements, session, "TRUE");
  }
}

function hide(statements: Statements, session: string, which: string): void {
  const where = `session = ? AND ${which} AND ${IS_NAMED}`;
  statements.prepare(`INSERT INTO forgotten_leaf SELECT * FROM leaf WHERE ${where}`).run(session);
  statements.prepare(`DELETE FROM leaf WHERE ${where}`).run(session);
}

/** A `forget` that holds. */
export interface HeldForget {
  readonly id: string;
  readonly session: string;
  /** Machine that said it first. */
  readonly machine: string;
  /** When, by that machine's clock. */
  readonly timeMs: number;
}

/** A state of a file, as a key. */
export function stateKey({ gen, hash }: Pick<FileState, "gen" | "hash">): string {
  return `${gen}/${hash}`;
}

/** Answers about what is forgotten, over an open state database. */
export class Forgotten {
  readonly #database: DatabaseSync;
  readonly #statements: Statements;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#statements = new Statements(database);
  }

  /** Sessions that some `forget` has ever named, whether it holds or not. */
  sessions(): ReadonlySet<string> {
    const rows = this.#statements.prepare("SELECT DISTINCT session FROM forget").all();
    return new Set((rows as { session: string }[]).map(({ session }) => session));
  }

  /** Whether some `forget` has ever named the session: for all others everything is needed. */
  isTouched(session: string): boolean {
    return this.#statements.prepare("SELECT 1 FROM forget WHERE session = ? LIMIT 1")
      .get(session) !== undefined;
  }

  /** Every `forget` that holds, of one session or of all, by time. */
  held(session: string | null = null): HeldForget[] {
    const rows = this.#statements.prepare(
      `SELECT id, session, machine, time_ms AS timeMs FROM forget f
       WHERE (?1 IS NULL OR session = ?1) AND ${HOLDS} ORDER BY time_ms, id, session`,
    ).all(session);
    return rows as unknown as HeldForget[];
  }

  /** Whether the session has a transcript and every leaf of it is forgotten. */
  isSession(session: string): boolean {
    if (!this.isTouched(session)) return false;
    const named = this.#statements.prepare(
      `SELECT 1 FROM forgotten_state f WHERE session = ? AND ${IS_TRANSCRIPT} AND ${HOLDS} LIMIT 1`,
    ).get(session);
    return named !== undefined && !this.#isAlive(session);
  }

  #isAlive(session: string): boolean {
    return this.#statements.prepare(`SELECT 1 FROM leaf WHERE session = ? AND ${IS_TRANSCRIPT}`)
      .get(session) !== undefined;
  }

  /** Hidden leaves of one file. */
  leaves(session: string, file: string): Leaf[] {
    const rows = this.#statements.prepare(
      `SELECT gen, hash, len, mtime AS mtimeMs, machine FROM forgotten_leaf
       WHERE session = ? AND file = ? ORDER BY gen, hash`,
    ).all(session, file);
    return rows as unknown as Leaf[];
  }

  /** Names of the files of a session that have hidden leaves. */
  files(session: string): string[] {
    const rows = this.#statements.prepare(
      "SELECT DISTINCT file FROM forgotten_leaf WHERE session = ? ORDER BY file",
    ).all(session) as { file: string }[];
    return rows.map(({ file }) => file);
  }

  /** The states of one file that forgets which hold name, by `ids` only. */
  named(
    session: string,
    file: string,
    isWanted: (id: string) => boolean = () => true,
  ): FileState[] {
    const rows = this.#statements.prepare(
      `SELECT gen, hash, max(len) AS len, id FROM forgotten_state f
       WHERE session = ? AND file = ? AND ${HOLDS} GROUP BY gen, hash, id`,
    ).all(session, file) as unknown as (FileState & { id: string })[];
    return rows.filter(({ id }) => isWanted(id)).map(({ gen, hash, len }) => ({ gen, hash, len }));
  }

  /**
   * Whether a state is forgotten: a `forget` that holds names it or a state after it, and no leaf
   * that is there needs it. Also of a state that the vault has no longer.
   */
  isForgotten(session: string, file: string, state: Pick<FileState, "gen" | "hash">): boolean {
    if (!this.isTouched(session)) return false;
    if (file !== "transcript" && this.#isAlive(session)) return false;
    const key = stateKey(state);
    const history = this.#history(session, file);
    const named = this.named(session, file).map(stateKey);
    return history.before(named).has(key) && !history.before(this.#there(session, file)).has(key);
  }

  /** The keys (`stateKey`) of all states that `isForgotten` says yes to, found at once. */
  hidden(session: string, file: string): ReadonlySet<string> {
    if (!this.isTouched(session)) return new Set();
    if (file !== "transcript" && this.#isAlive(session)) return new Set();
    const history = this.#history(session, file);
    const there = history.before(this.#there(session, file));
    const named = history.before(this.named(session, file).map(stateKey));
    return new Set([...named].filter((key) => !there.has(key)));
  }

  /**
   * The keys (`stateKey`) of all states of a file that a compaction must keep: those that a leaf
   * which is there needs, and those that can still be recalled, as not every `forget` of them is
   * 30 counted days old. A segment stays when the state that it leads to does. Null: everything
   * stays.
   */
  kept(session: string, file: string): ReadonlySet<string> | null {
    if (!this.isTouched(session)) return null;
    if (file !== "transcript" && this.#isAlive(session)) return null;
    const due = new ForgetDays(this.#database).due();
    const history = this.#history(session, file);
    const waiting = this.named(session, file, (id) => !due.has(id)).map(stateKey);
    return history.before([...this.#there(session, file), ...waiting]);
  }

  /**
   * What a `forget` of some leaves of a file has to name: these and every state before them that no
   * other leaf needs. All of them are named, not only the leaves: where compactions have taken the
   * later segments first, nothing else tells that the earlier ones lead to them.
   */
  statesOf(session: string, file: string, isLeaf: (leaf: Leaf) => boolean): FileState[] {
    const leaves = this.#statements.prepare(
      `SELECT gen, hash, len, mtime AS mtimeMs, machine FROM leaf
       WHERE session = ? AND file = ? ORDER BY gen, hash`,
    ).all(session, file) as unknown as Leaf[];
    const history = this.#history(session, file);
    const others = history.before(leaves.filter((leaf) => !isLeaf(leaf)).map(stateKey));
    const own = history.before(leaves.filter(isLeaf).map(stateKey));
    const states = this.#statements.prepare(
      `SELECT DISTINCT gen, hash, off + len AS len FROM segment
       WHERE session = ? AND file = ? ORDER BY len, gen, hash`,
    ).all(session, file) as unknown as FileState[];
    return states.filter((state) => own.has(stateKey(state)) && !others.has(stateKey(state)))
      .map(({ gen, hash, len }) => ({ gen, hash, len }));
  }

  /** States of one file that the vault can give back: a chain of segments leads to them. */
  reachable(session: string, file: string): ReadonlySet<string> {
    return this.#history(session, file).reachable();
  }

  #there(session: string, file: string): string[] {
    const rows = this.#statements.prepare(
      "SELECT gen, hash FROM leaf WHERE session = ? AND file = ?",
    ).all(session, file) as unknown as FileState[];
    return rows.map(stateKey);
  }

  #history(session: string, file: string): FileHistory {
    const segments = this.#statements.prepare(
      "SELECT gen, parent, hash, off, len FROM segment WHERE session = ? AND file = ?",
    ).all(session, file) as unknown as HistorySegment[];
    const generations = this.#statements.prepare(
      "SELECT gen, from_gen, from_hash FROM generation WHERE session = ? AND file = ?",
    ).all(session, file) as unknown as HistoryGeneration[];
    return new FileHistory(segments, generations);
  }
}

interface HistorySegment {
  readonly gen: string;
  readonly parent: string;
  readonly hash: string;
  readonly off: number;
  readonly len: number;
}

interface HistoryGeneration {
  readonly gen: string;
  readonly from_gen: string;
  readonly from_hash: string;
}

/** The tree of one file's states. */
class FileHistory {
  readonly #segments: readonly HistorySegment[];
  readonly #generations: readonly HistoryGeneration[];

  constructor(
    segments: readonly HistorySegment[],
    generations: readonly HistoryGeneration[],
  ) {
    this.#segments = segments;
    this.#generations = generations;
  }

  /** `starts` and every state before one of them, along segments and across generations. */
  before(starts: readonly string[]): Set<string> {
    const parents = new Map<string, string[]>();
    const add = (state: string, parent: string) => {
      const known = parents.get(state);
      if (known === undefined) parents.set(state, [parent]);
      else known.push(parent);
    };
    for (const { gen, parent, hash, len } of this.#segments) {
      if (len > 0) add(stateKey({ gen, hash }), stateKey({ gen, hash: parent }));
    }
    for (const { gen, from_gen, from_hash } of this.#generations) {
      add(`start of ${gen}`, stateKey({ gen: from_gen, hash: from_hash }));
    }
    const found = new Set(starts);
    const queue = [...found];
    const visit = (state: string) => {
      if (found.has(state)) return;
      found.add(state);
      queue.push(state);
    };
    for (let state = queue.pop(); state !== undefined; state = queue.pop()) {
      for (const parent of parents.get(state) ?? []) visit(parent);
      const gen = state.startsWith("start of ") ? null : state.slice(0, state.indexOf("/"));
      // Whatever stands in a generation needs what that one replaced.
      if (gen !== null) visit(`start of ${gen}`);
    }
    return found;
  }

  reachable(): Set<string> {
    const children = new Map<string, HistorySegment[]>();
    const queue: HistorySegment[] = [];
    for (const segment of this.#segments) {
      if (segment.off === 0) {
        queue.push(segment);
        continue;
      }
      const { gen, parent, off } = segment;
      const key = `${stateKey({ gen, hash: parent })}/${off}`;
      const known = children.get(key);
      if (known === undefined) children.set(key, [segment]);
      else known.push(segment);
    }
    const found = new Set<string>();
    const visited = new Set<HistorySegment>();
    for (let segment = queue.pop(); segment !== undefined; segment = queue.pop()) {
      if (visited.has(segment)) continue;
      visited.add(segment);
      const key = stateKey(segment);
      found.add(key);
      queue.push(...children.get(`${key}/${segment.off + segment.len}`) ?? []);
    }
    return found;
  }
}
