/** Looks at one local file and says what of it is to be pushed. */
import type { Bytes } from "../base/bytes.ts";
import type { Sha256 } from "../crypto/hash.ts";
import type { FileStat } from "../platform/types.ts";
import type { LocalFile, LocalSession } from "../sessions/discover.ts";
import { fileKind, TRANSCRIPT } from "../sessions/file_name.ts";
import { Transcript } from "../sessions/lone_session.ts";
import { besideOf, shelfArea } from "../sessions/shelf.ts";
import { isRewriteOf } from "../sessions/spoken_records.ts";
import { type FileScan, scanFile } from "./file_scan.ts";
import { type LocalFileRow, mayChangeUnseen } from "./local_files.ts";
import { forgottenContent, knownOf } from "./push_forgotten.ts";
import { decideLines, decideWhole, type FileRelation, FIRST_START, relate } from "./push_plan.ts";
import type { FileState } from "./segment_index.ts";
import type { OpenVault } from "./vault_access.ts";
import { COMPARED_BYTES_MAX, isBehind, isNotComparable, readState } from "./vault_content.ts";

/** Bytes of one file that are to be pushed: `[from.len, end)`. */
export interface PushItem {
  readonly session: string;
  readonly file: string;
  readonly path: string;
  /** The file as it was when it was scanned. */
  readonly stat: FileStat;
  /** See `mayChangeUnseen`, for the moment of the scan. */
  readonly mayChangeUnseen?: boolean;
  readonly from: FileState;
  readonly end: number;
  readonly replaces: FileState | null;
  /** Hash in progress at `from`; null at the start of a file. A first push has many of these. */
  readonly hasher: Sha256 | null;
  /** For a session's prompt history, which is no file. */
  readonly history?: HistoryPart;
}

/** One session's lines of the prompt history. */
export interface HistoryPart {
  readonly content: Bytes;
  /** The whole file when it was known which sessions are due. */
  readonly asOf: FileStat;
}

/**
 * All of a transcript that the vault has nothing of. A first push has one of these for each session
 * there is.
 */
class NewTranscript implements PushItem {
  readonly #transcript: Transcript;
  readonly stat: FileStat;
  readonly end: number;

  constructor(transcript: Transcript, stat: FileStat, end: number) {
    this.#transcript = transcript;
    // Mostly it has stayed as it was found: then one of the two is enough.
    this.stat = isSameStat(transcript.stat, stat) ? transcript.stat : stat;
    this.end = end;
  }

  get session(): string {
    return this.#transcript.id;
  }

  get file(): string {
    return TRANSCRIPT;
  }

  get path(): string {
    return this.#transcript.path;
  }

  get from(): FileState {
    return FIRST_START;
  }

  get replaces(): null {
    return null;
  }

  get hasher(): null {
    return null;
  }
}

function isSameStat(a: FileStat, b: FileStat): boolean {
  return a.kind === b.kind && a.sizeBytes === b.sizeBytes && a.mtimeMs === b.mtimeMs &&
    a.ino === b.ino && a.dev === b.dev && a.nlink === b.nlink && a.mode === b.mode &&
    a.uid === b.uid;
}

/** What looking at a file gave. */
export interface LookedAt {
  readonly item: PushItem | null;
  /** A last line without an end waits. */
  readonly isTorn: boolean;
  /** The state that the file begins with; null when it is gone. */
  readonly state: FileState | null;
  readonly scan: FileScan | null;
}

/**
 * Scans the file and decides. Remembers in the state database what it proved. `mayTear`: a torn
 * last line may be pushed. `isGoneOnWith`: the session's transcript is pushed now, so nothing of it
 * counts as forgotten. Errors: `local-io`, and those of reading the vault when contents must be
 * compared.
 */
export async function lookAt(
  vault: OpenVault,
  session: LocalSession,
  file: LocalFile,
  remembered: LocalFileRow | undefined,
  mayTear: boolean,
  isGoneOnWith = false,
): Promise<LookedAt> {
  const { states, row } = knownOf(vault, session.id, file.name, remembered);
  const known = row === undefined || row.isDerived ? states : [...states, row];
  const { fs } = vault.context.platform;
  const follower = file.name === TRANSCRIPT ? vault.transcripts.following(file.path) : null;
  const scan = scanFile(fs, file.path, known, follower);
  if (scan === null) {
    return { item: null, isTorn: false, state: null, scan };
  }
  const isFresh = mayChangeUnseen(file.name, scan.stat, vault.context.platform.clock.nowMs());
  const key = { session: session.id, file: file.name };
  const forgotten = isGoneOnWith ? null : forgottenContent(vault, session.id, file.name, scan);
  if (forgotten !== null) {
    // A branch that nobody has stored can be made again when it is recalled, as it was made here.
    const isMade = remembered?.isDerived === true && remembered.hash === scan.hash;
    vault.locals.remember(file.path, key, scan.stat, forgotten, isMade);
    return { item: null, isTorn: false, state: forgotten, scan };
  }
  const shown = states.length === 0 ? shownBeside(vault, session, file, scan) : null;
  if (shown !== null) {
    vault.locals.remember(file.path, key, scan.stat, shown, true);
    return { item: null, isTorn: false, state: shown, scan };
  }
  const decision = fileKind(file.name) === "whole"
    ? decideWhole(scan, row, vault.index.leaves(session.id, file.name))
    : await decideForLines(vault, session, file, row, scan, mayTear);
  if (decision.kind === "nothing") {
    const { state, isTorn } = decision;
    if (!isShortened(row, state)) vault.locals.remember(file.path, key, scan.stat, state);
    if (isFresh) vault.locals.doubt(file.path);
    return { item: null, isTorn, state, scan };
  }
  const { from, end, replaces, isTorn } = decision;
  if (file instanceof Transcript && from === FIRST_START && replaces === null) {
    return { item: new NewTranscript(file, scan.stat, end), isTorn, state: from, scan };
  }
  const hasher = from.len === 0 ? null : scan.hasher;
  const { path, name } = file;
  const item = {
    session: session.id,
    file: name,
    path,
    stat: scan.stat,
    mayChangeUnseen: isFresh,
    from,
    end,
    replaces,
    hasher,
  };
  return { item, isTorn, state: from, scan };
}

/** The state of another file of the shelf that a pull has put here (FORMAT.md section 8). */
function shownBeside(
  vault: OpenVault,
  session: LocalSession,
  file: LocalFile,
  scan: FileScan,
): FileState | null {
  const beside = shelfArea(file.name) === null ? null : besideOf(file.name);
  if (beside === null || !scan.hash.startsWith(beside.hash8)) return null;
  const states = vault.index.states(session.id, beside.name);
  return states.find((state) => state.hash === scan.hash) ?? null;
}

/**
 * Whether the file is only a part of what it was: perhaps it is being written anew right now. What
 * it was must stay known, to tell a rewrite from a continuation when it is complete.
 */
function isShortened(row: LocalFileRow | undefined, state: FileState): boolean {
  return row !== undefined && !row.isDerived && state.len < row.len &&
    (state.gen === row.gen || state.len === 0);
}

async function decideForLines(
  vault: OpenVault,
  session: LocalSession,
  file: LocalFile,
  row: LocalFileRow | undefined,
  scan: FileScan,
  mayTear: boolean,
) {
  const relation = relate(scan, row);
  if (relation.kind === "settled") {
    return decideLines(scan, relation, { mayTear, isBehind: false, isRewrite: false });
  }
  const tail = (offset: number, length: number) => readRange(vault, file.path, offset, length);
  const behind = await isBehind(
    vault,
    session.id,
    file.name,
    relation.from,
    tail,
    scan.sizeBytes,
  );
  const isRewrite = !behind && await rewritten(vault, session, file, relation);
  return decideLines(scan, relation, { mayTear, isBehind: behind, isRewrite });
}

/**
 * Whether the file takes the place of what was synced from it. What cannot be compared is sent
 * beside it: that loses nothing.
 */
async function rewritten(
  vault: OpenVault,
  session: LocalSession,
  file: LocalFile,
  relation: FileRelation,
): Promise<boolean> {
  if (relation.kind !== "changed") return false;
  if (file.name !== TRANSCRIPT) return true;
  if (Math.max(relation.row.len, file.stat.sizeBytes) > COMPARED_BYTES_MAX) return false;
  try {
    const old = await readState(vault, session.id, file.name, relation.row);
    const now = vault.context.platform.fs.readFile(file.path, COMPARED_BYTES_MAX);
    return now !== null && isRewriteOf(old, now);
  } catch (error) {
    if (isNotComparable(error)) return false;
    throw error;
  }
}

function readRange(vault: OpenVault, path: string, offset: number, length: number): Bytes {
  const handle = vault.context.platform.fs.openRead(path);
  if (handle === null) return new Uint8Array(0);
  try {
    const bytes = new Uint8Array(length);
    return bytes.subarray(0, handle.readAt(bytes, offset));
  } finally {
    handle.close();
  }
}
