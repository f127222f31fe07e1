/**
 * The file of a branch: a copy of one continuation of a session under an id of its own, in the
 * shape that the client's `/branch` gives it, and back.
 *
 * In every line that parses as an object, and nowhere else:
 * - the top-level members `sessionId` and `session_id` whose value is the root session's id get the
 *   branch's id;
 * - a record with a `uuid` and no `forkedFrom` gets one as its last member, which names the root
 *   session and the record's uuid.
 * Before the branch's first own record a `custom-title` record is put in, `<title> (from
 * <machine>)`, and the suffix is appended to every later custom title, because the last one wins.
 * All other bytes stay: garbage, NULs, CRLF, a torn last line.
 *
 * Each line is copied by itself, and the title looks only at what stands before it. Therefore the
 * copy is *monotone*: when L is a prefix of L' that ends at a line end and has the first own
 * record, the copy of L is a prefix of the copy of L'. And it is *reversible*:
 * `rootForm(branchCopy(L)) = L` for every L whose records do not already name the branch as their
 * session or the root session as what they were forked from.
 */
import { equalBytes, joined, utf8 } from "../base/bytes.ts";
import { branchId, mayBeBranchId } from "./branch_id.ts";
import { machineSuffix, suffixOf, TitleSearch } from "./branch_title.ts";
import { cutLines, type TextLine } from "./line_cutter.ts";
import {
  type Edit,
  edited,
  isWritten,
  lastMember,
  type Member,
  membersOf,
  parseRecord,
  textOf,
} from "./record_text.ts";
import { parseSessionId, type SessionId } from "./session_id.ts";
import { spokenRecord } from "./spoken_records.ts";

/** How the client, and `branchCopy`, begin a custom title. */
const TITLE_START = utf8(`{"type":"custom-title","customTitle":"`);

/** The machine that wrote the bytes from `start` on, up to the next writer's start. */
export interface Writer {
  readonly start: number;
  readonly machine: string;
}

/** The machine that wrote the byte at `offset`; empty when that is not known. */
export function writerAt(writers: readonly Writer[], offset: number): string {
  return writers.findLast((writer) => writer.start <= offset)?.machine ?? "";
}

/** One complete continuation of a session's transcript. `writers` are in order, the first at 0. */
export interface Leaf {
  readonly bytes: Uint8Array;
  readonly writers: readonly Writer[];
}

/** Where a branch begins. */
export interface BranchPoint {
  /** The session that the first machine began; never a branch. */
  readonly rootId: SessionId;
  /** The branch's own id. */
  readonly id: SessionId;
  /** Offset of the branch's first own record. */
  readonly start: number;
  /** The machine that wrote this record; free text, made safe here. */
  readonly machine: string;
}

/** Gives the branch's file for `leaf`, which is in the root session's form. */
export function branchCopy(leaf: Leaf, point: BranchPoint): Leaf {
  return rewritten(leaf, (put) => new BranchCopy(leaf.writers, point, put));
}

/** Makes what `branchCopy` gives of lines that come one after the other. */
export class BranchCopy {
  readonly #rewrite: LineRewrite;
  readonly #point: BranchPoint;
  readonly #suffix: string;
  readonly #rawSuffix: Uint8Array;
  readonly #title = new TitleSearch();
  #wasCrlf = false;

  /** `put` gets the bytes; they may share memory with the line. */
  constructor(writers: readonly Writer[], point: BranchPoint, put: PutLine) {
    this.#rewrite = new LineRewrite(writers, put);
    this.#point = point;
    this.#suffix = machineSuffix(point.machine);
    this.#rawSuffix = utf8(JSON.stringify(this.#suffix).slice(1, -1));
  }

  /** Takes the next line. */
  take(line: TextLine): void {
    const { id, start } = this.#point;
    if (line.start <= start) this.#title.take(line.text);
    const isOwn = line.start >= start;
    const copy = copiedRecord(line.text, this.#point, isOwn ? this.#rawSuffix : null);
    const crlf = utf8(this.#wasCrlf ? "\r\n" : "\n");
    // A torn last line ends like the one before it.
    const ending = line.ending.length > 0 ? line.ending : crlf;
    const title = line.start === start
      ? [titleRecord(id, this.#title.title() + this.#suffix), ending]
      : [];
    this.#rewrite.put(line, [...title, copy]);
    this.#wasCrlf = line.ending.length === 2;
  }

  /** Says that all lines were taken; gives who wrote what was put. */
  end(): readonly Writer[] {
    return this.#rewrite.writers;
  }
}

/**
 * Gives the continuation that `leaf`, stored under the branch `id`, stands for in its root session:
 * undoes `branchCopy`, and treats what was said in the branch since as if said in the root session.
 * `leaf` may be any bytes; what does not look like the branch's file is left as it is.
 */
export function rootForm(leaf: Leaf, id: SessionId, rootId: SessionId): Leaf {
  if (id === rootId) return leaf;
  return rewritten(leaf, (put) => new RootForm(leaf.writers, id, rootId, put));
}

/** Makes what `rootForm` gives of lines that come one after the other. */
export class RootForm {
  readonly #rewrite: LineRewrite;
  readonly #id: SessionId;
  readonly #rootId: SessionId;
  /** What the machine's suffix is in a title from here on; null above the title put in. */
  #rawSuffix: Uint8Array | null = null;
  /** What may be the title that was put in: the next line tells. */
  #maybe: { readonly line: TextLine; readonly suffix: string } | null = null;

  /** `id`: not the root's. `put` gets the bytes; they may share memory with the line. */
  constructor(writers: readonly Writer[], id: SessionId, rootId: SessionId, put: PutLine) {
    this.#rewrite = new LineRewrite(writers, put);
    this.#id = id;
    this.#rootId = rootId;
  }

  /** Takes the next line. */
  take(line: TextLine): void {
    const maybe = this.#maybe;
    this.#maybe = null;
    if (maybe !== null) {
      const first = spokenRecord(line.text, line.start);
      if (first !== null && branchId(this.#rootId, first.hash) === this.#id) {
        this.#rewrite.put(maybe.line, null);
        this.#rawSuffix = utf8(JSON.stringify(maybe.suffix).slice(1, -1));
      } else this.#put(maybe.line);
    }
    const suffix = this.#rawSuffix === null ? insertedSuffix(line.text, this.#id) : null;
    if (suffix === null) return this.#put(line);
    const [text, ending] = [line.text.slice(), line.ending.slice()];
    this.#maybe = { line: { start: line.start, text, ending }, suffix };
  }

  /** Says that all lines were taken; gives who wrote what was put. */
  end(): readonly Writer[] {
    if (this.#maybe !== null) this.#put(this.#maybe.line);
    this.#maybe = null;
    return this.#rewrite.writers;
  }

  #put(line: TextLine): void {
    const text = restoredRecord(line.text, this.#id, this.#rootId, this.#rawSuffix);
    this.#rewrite.put(line, [text]);
  }
}

/**
 * The session that session `id` is a branch of, proven by its transcript: a record names it in
 * `forkedFrom`, and `id` is derived from it and a record in the file. `id` itself otherwise.
 */
export function rootSessionId(id: SessionId, bytes: Uint8Array): SessionId {
  if (!mayBeBranchId(id)) return id;
  const search = new RootSearch(id);
  for (const line of cutLines(bytes)) search.take(line);
  return search.rootId();
}

/** Finds what `rootSessionId` gives in lines that come one after the other. */
export class RootSearch {
  readonly #id: SessionId;
  /** Session ids that the records name as what they were forked from. */
  readonly #sources = new Set<SessionId>();
  /** Identities of the records that stand below what may be the title put in. */
  readonly #firsts: string[] = [];
  #isBelow = false;

  constructor(id: SessionId) {
    this.#id = id;
  }

  /** Takes the next line. */
  take({ text, start }: TextLine): void {
    const first = this.#isBelow ? spokenRecord(text, start) : null;
    if (first !== null) this.#firsts.push(first.hash);
    this.#isBelow = insertedSuffix(text, this.#id) !== null;
    const source = forkSource(text);
    if (source !== null) this.#sources.add(source);
  }

  /** The root by what was taken so far. */
  rootId(): SessionId {
    const roots = [...this.#sources];
    for (const hash of this.#firsts) {
      const root = roots.find((root) => branchId(root, hash) === this.#id);
      if (root !== undefined) return root;
    }
    return this.#id;
  }
}

/**
 * One line as the copy of the session `point.rootId` under the id `point.id` has it. `suffix`: what
 * a custom title gets at its end, as it stands in JSON.
 */
export function copiedRecord(
  line: Uint8Array,
  point: Pick<BranchPoint, "rootId" | "id">,
  suffix: Uint8Array | null,
): Uint8Array {
  const members = membersOf(line);
  if (members === null) return line;
  const edits = sessionEdits(line, members, point.rootId, point.id);
  const title = suffix === null ? null : titleMember(line, members);
  if (title !== null && suffix !== null && title.valueEnd - title.valueStart > 2) {
    edits.push({ start: title.valueEnd - 1, end: title.valueEnd - 1, bytes: suffix });
  }
  const uuid = lastMember(members, "uuid");
  const isForked = members.some(({ key }) => key === "forkedFrom");
  if (uuid !== undefined && line[uuid.valueStart] === 0x22 && !isForked) {
    const end = members.at(-1)!.valueEnd;
    edits.push({ start: end, end, bytes: forkedFrom(line, uuid, point.rootId) });
  }
  return parsedAndEdited(line, edits);
}

function restoredRecord(
  line: Uint8Array,
  id: SessionId,
  rootId: SessionId,
  suffix: Uint8Array | null,
): Uint8Array {
  const members = membersOf(line);
  if (members === null) return line;
  const edits = sessionEdits(line, members, id, rootId);
  const title = suffix === null ? null : titleMember(line, members);
  if (title !== null && suffix !== null && endsWith(line, title.valueEnd - 1, suffix)) {
    const start = title.valueEnd - 1 - suffix.length;
    edits.push({ start, end: title.valueEnd - 1, bytes: new Uint8Array(0) });
  }
  const uuid = lastMember(members, "uuid");
  const last = members.at(-1);
  if (uuid !== undefined && last?.key === "forkedFrom") {
    const ours = forkedFrom(line, uuid, rootId);
    if (last.valueEnd - last.previousEnd === ours.length && endsWith(line, last.valueEnd, ours)) {
      edits.push({ start: last.previousEnd, end: last.valueEnd, bytes: new Uint8Array(0) });
    }
  }
  return parsedAndEdited(line, edits);
}

/** `line` with the session id `from` replaced by `to` where a record says whose it is. */
export function movedRecord(line: Uint8Array, from: SessionId, to: SessionId): Uint8Array {
  const members = membersOf(line);
  return members === null ? line : parsedAndEdited(line, sessionEdits(line, members, from, to));
}

function sessionEdits(
  line: Uint8Array,
  members: readonly Member[],
  from: SessionId,
  to: SessionId,
): Edit[] {
  return members
    .filter(({ key }) => key === "sessionId" || key === "session_id")
    .filter((member) => isWritten(line, member, `"${from}"`))
    .map(({ valueStart, valueEnd }) => ({
      start: valueStart,
      end: valueEnd,
      bytes: utf8(`"${to}"`),
    }));
}

function parsedAndEdited(line: Uint8Array, edits: Edit[]): Uint8Array {
  if (edits.length === 0 || parseRecord(line) === null) return line;
  return edited(line, edits.sort((a, b) => a.start - b.start));
}

function forkedFrom(line: Uint8Array, uuid: Member, rootId: SessionId): Uint8Array {
  const value = textOf(line, uuid.valueStart, uuid.valueEnd);
  return utf8(`,"forkedFrom":{"sessionId":"${rootId}","messageUuid":${value}}`);
}

/** The title's member when the record is a custom title that holds text. */
function titleMember(line: Uint8Array, members: readonly Member[]): Member | null {
  const type = lastMember(members, "type");
  if (type === undefined || !isWritten(line, type, '"custom-title"')) return null;
  const title = lastMember(members, "customTitle");
  return title !== undefined && line[title.valueStart] === 0x22 ? title : null;
}

function titleRecord(id: SessionId, title: string): Uint8Array {
  return utf8(JSON.stringify({ type: "custom-title", customTitle: title, sessionId: id }));
}

/**
 * The suffix in a title as `branchCopy` puts it into the file of `id`; null when the line is none.
 * It is the one that was put in only if `id` derives from the record below it.
 */
function insertedSuffix(text: Uint8Array, id: SessionId): string | null {
  if (!startsWith(text, 0, TITLE_START)) return null;
  const title = membersOf(text) === null ? null : parseRecord(text)?.["customTitle"];
  const suffix = typeof title === "string" ? suffixOf(title) : null;
  if (typeof title !== "string" || suffix === null) return null;
  return equalBytes(text, titleRecord(id, title)) ? suffix : null;
}

/** The session id that a record names as what it was forked from. */
function forkSource(text: Uint8Array): SessionId | null {
  const member = lastMember(membersOf(text) ?? [], "forkedFrom");
  if (member === undefined) return null;
  const value = textOf(text, member.valueStart, member.valueEnd);
  const source = /^\{"sessionId":"([0-9a-f-]{36})",/.exec(value)?.[1];
  return source === undefined ? null : parseSessionId(source);
}

function endsWith(line: Uint8Array, end: number, suffix: Uint8Array): boolean {
  return end >= suffix.length && startsWith(line, end - suffix.length, suffix);
}

function startsWith(bytes: Uint8Array, start: number, prefix: Uint8Array): boolean {
  for (let i = 0; i < prefix.length; i++) if (bytes[start + i] !== prefix[i]) return false;
  return true;
}

/** Takes a line as it is now, in parts, and where it begins. */
export type PutLine = (parts: readonly Uint8Array[], start: number) => void;

/** Puts other text in the place of lines, and moves the writers. */
class LineRewrite {
  /** Who wrote what was put. */
  readonly writers: Writer[] = [];
  readonly #from: readonly Writer[];
  readonly #put: PutLine;
  #due = 0;
  #lengthBytes = 0;

  constructor(from: readonly Writer[], put: PutLine) {
    this.#from = from;
    this.#put = put;
  }

  /** Puts `texts` and the line's end where the line was; null removes it. */
  put(line: TextLine, texts: readonly Uint8Array[] | null): void {
    for (; (this.#from[this.#due]?.start ?? Infinity) <= line.start; this.#due++) {
      this.writers.push({ start: this.#lengthBytes, machine: this.#from[this.#due]!.machine });
    }
    if (texts === null) return;
    const start = this.#lengthBytes;
    const parts = [...texts, line.ending];
    for (const { length } of parts) this.#lengthBytes += length;
    this.#put(parts, start);
  }
}

function rewritten(leaf: Leaf, begin: (put: PutLine) => BranchCopy | RootForm): Leaf {
  const parts: Uint8Array[] = [];
  const rewrite = begin((line) => parts.push(...line));
  for (const line of cutLines(leaf.bytes)) rewrite.take(line);
  const writers = rewrite.end();
  return { bytes: joined(parts), writers };
}
