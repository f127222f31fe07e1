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
import { equalBytes, utf8 } from "../../../src/base/bytes.ts";
import { branchId, mayBeBranchId } from "../../../src/sessions/branch_id.ts";
import { machineSuffix, suffixOf, titleAt } from "../../../src/sessions/branch_title.ts";
import {
  type Edit,
  edited,
  isWritten,
  lastMember,
  type Line,
  lineAt,
  lines,
  type Member,
  membersOf,
  parseRecord,
  textOf,
} from "../../../src/sessions/record_text.ts";
import { parseSessionId, type SessionId } from "../../../src/sessions/session_id.ts";
import { spokenRecord } from "../../../src/sessions/spoken_records.ts";

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
  const suffix = machineSuffix(point.machine);
  const title = titleAt(leaf.bytes, point.start) + suffix;
  const rawSuffix = utf8(JSON.stringify(suffix).slice(1, -1));
  return rewriteLines(leaf, (line, text) => {
    const isOwn = line.start >= point.start;
    const copy = copiedRecord(text, point, isOwn ? rawSuffix : null);
    if (line.start !== point.start) return [copy];
    return [titleRecord(point.id, title), lineEndNear(leaf.bytes, line), copy];
  });
}

/**
 * Gives the continuation that `leaf`, stored under the branch `id`, stands for in its root session:
 * undoes `branchCopy`, and treats what was said in the branch since as if said in the root session.
 * `leaf` may be any bytes; what does not look like the branch's file is left as it is.
 */
export function rootForm(leaf: Leaf, id: SessionId, rootId: SessionId): Leaf {
  if (id === rootId) return leaf;
  const inserted = insertedTitle(leaf.bytes, id, [rootId]);
  const rawSuffix = inserted === null ? null : utf8(JSON.stringify(inserted.suffix).slice(1, -1));
  return rewriteLines(leaf, (line, text) => {
    if (line.start === inserted?.line.start) return null;
    const isOwn = inserted !== null && line.start > inserted.line.start;
    return [restoredRecord(text, id, rootId, isOwn ? rawSuffix : null)];
  });
}

/**
 * The session that session `id` is a branch of, proven by its transcript: a record names it in
 * `forkedFrom`, and `id` is derived from it and a record in the file. `id` itself otherwise.
 */
export function rootSessionId(id: SessionId, bytes: Uint8Array): SessionId {
  if (!mayBeBranchId(id)) return id;
  return insertedTitle(bytes, id, forkSources(bytes))?.rootId ?? id;
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
 * The title that `branchCopy` put in, the suffix in it, and that one of `rootIds` from which `id`
 * derives with the record below the title. Null when there is none.
 */
function insertedTitle(
  bytes: Uint8Array,
  id: SessionId,
  rootIds: readonly SessionId[],
): { readonly line: Line; readonly suffix: string; readonly rootId: SessionId } | null {
  for (const line of lines(bytes)) {
    if (!startsWith(bytes, line.start, TITLE_START) || line.next === bytes.length) continue;
    const text = bytes.subarray(line.start, line.end);
    const title = membersOf(text) === null ? null : parseRecord(text)?.["customTitle"];
    const suffix = typeof title === "string" ? suffixOf(title) : null;
    if (typeof title !== "string" || suffix === null) continue;
    if (!equalBytes(text, titleRecord(id, title))) continue;
    const first = spokenAt(bytes, lineAt(bytes, line.next));
    const rootId = first === null
      ? undefined
      : rootIds.find((rootId) => branchId(rootId, first.hash) === id);
    if (rootId !== undefined) return { line, suffix, rootId };
  }
  return null;
}

/** Session ids that the transcript's records name as what they were forked from. */
function forkSources(bytes: Uint8Array): SessionId[] {
  const sources = new Set<SessionId>();
  for (const line of lines(bytes)) {
    const text = bytes.subarray(line.start, line.end);
    const member = lastMember(membersOf(text) ?? [], "forkedFrom");
    if (member === undefined) continue;
    const value = textOf(text, member.valueStart, member.valueEnd);
    const source = /^\{"sessionId":"([0-9a-f-]{36})",/.exec(value)?.[1];
    const id = source === undefined ? null : parseSessionId(source);
    if (id !== null) sources.add(id);
  }
  return [...sources];
}

/**
 * The end of `line`; of the line before it when it has none; a newline when that has none either.
 */
function lineEndNear(bytes: Uint8Array, line: Line): Uint8Array {
  if (line.next > line.end) return bytes.subarray(line.end, line.next);
  const isCrlf = line.start > 1 && bytes[line.start - 2] === 0x0d;
  return utf8(isCrlf ? "\r\n" : "\n");
}

function endsWith(line: Uint8Array, end: number, suffix: Uint8Array): boolean {
  return end >= suffix.length && startsWith(line, end - suffix.length, suffix);
}

function startsWith(bytes: Uint8Array, start: number, prefix: Uint8Array): boolean {
  for (let i = 0; i < prefix.length; i++) if (bytes[start + i] !== prefix[i]) return false;
  return true;
}

/** Puts what `rewrite` gives in the place of each line (null removes it), and moves the writers. */
function rewriteLines(
  leaf: Leaf,
  rewrite: (line: Line, text: Uint8Array) => readonly Uint8Array[] | null,
): Leaf {
  const parts: Uint8Array[] = [];
  const writers: Writer[] = [];
  let lengthBytes = 0;
  const add = (part: Uint8Array) => {
    parts.push(part);
    lengthBytes += part.length;
  };
  let due = 0;
  for (const line of lines(leaf.bytes)) {
    for (; (leaf.writers[due]?.start ?? Infinity) <= line.start; due++) {
      writers.push({ start: lengthBytes, machine: leaf.writers[due]!.machine });
    }
    const text = leaf.bytes.subarray(line.start, line.end);
    const replacement = rewrite(line, text);
    if (replacement === null) continue;
    replacement.forEach(add);
    add(leaf.bytes.subarray(line.end, line.next));
  }
  return { bytes: joined(parts, lengthBytes), writers };
}

function joined(parts: readonly Uint8Array[], lengthBytes: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function spokenAt(bytes: Uint8Array, { start, end }: Line): ReturnType<typeof spokenRecord> {
  return spokenRecord(bytes.subarray(start, end), start);
}
