/**
 * The client's `history.jsonl`: the prompts of all sessions, one line each, appended by whatever
 * client is open. It is read line by line, and only ever added to.
 */
import { createHash, type Hash } from "node:crypto";
import { type Bytes, concat, toHex } from "../base/bytes.ts";
import { ClaudeSyncError } from "../errors.ts";
import type { FileStat, FileSystem, ReadHandle } from "../platform/types.ts";
import type { ClaudeRoot } from "./claude_root.ts";
import { parseJsonObject } from "./json_object.ts";
import { historyPath } from "./layout.ts";
import { linePieces } from "./line_pieces.ts";
import { parseSessionId, type SessionId } from "./session_id.ts";

/** Longest line, its end included, that leaves this machine or is taken from another one. */
export const HISTORY_LINE_BYTES_MAX = 4 * 1024 * 1024;
/** Largest `history.jsonl` that is looked into. */
export const HISTORY_FILE_BYTES_MAX = 256 * 1024 * 1024;
/** Most bytes of one session's lines; what comes later stays on its machine. */
export const HISTORY_SESSION_BYTES_MAX = 64 * 1024 * 1024;
/** Most bytes that are appended in one write. */
const APPEND_BYTES_MAX = 16 * 1024 * 1024;
const WINDOW_BYTES = 4 * 1024 * 1024;
const NEWLINE = new Uint8Array([10]);

/** A line that says which session it belongs to. */
export interface HistoryLine {
  readonly session: SessionId;
  /** With its end. Shares memory with what was read. */
  readonly bytes: Uint8Array;
  /** When the prompt was typed, in ms by that machine's clock. */
  readonly timeMs: number;
}

const OWNER = /"sessionId"\s*:\s*"([0-9a-f-]{36})"/g;
const latin1 = new TextDecoder("latin1");

/**
 * The lines that belong to a session, in order: complete, within the limit, a JSON object with the
 * session's id, a text and a time. All others are of this machine alone. `wanted` restricts it to
 * these sessions.
 */
export function* historyLines(
  lines: Uint8Array,
  wanted: ReadonlySet<string> | null = null,
): Generator<HistoryLine> {
  const text = latin1.decode(lines);
  let done = 0;
  for (const match of text.matchAll(OWNER)) {
    if (match.index < done || wanted?.has(match[1]!) === false) continue;
    const start = text.lastIndexOf("\n", match.index) + 1;
    const end = text.indexOf("\n", match.index) + 1;
    if (end === 0) return;
    // However often the words come, a line is parsed once.
    done = end;
    const bytes = lines.subarray(start, end);
    const line = bytes.length > HISTORY_LINE_BYTES_MAX ? null : parseLine(bytes);
    if (line !== null && wanted?.has(line.session) !== false) yield line;
  }
}

function parseLine(bytes: Uint8Array): HistoryLine | null {
  const record = parseJsonObject(bytes);
  const { sessionId, display, timestamp } = record ?? {};
  const session = typeof sessionId === "string" ? parseSessionId(sessionId) : null;
  if (session === null || typeof display !== "string" || typeof timestamp !== "number") return null;
  return { session, bytes, timeMs: timestamp };
}

/** What a line is told by: equal lines have equal hashes. 32 hex digits. */
export function historyLineHash(bytes: Uint8Array): string {
  return toHex(new Uint8Array(createHash("sha256").update(bytes).digest()).subarray(0, 16));
}

/**
 * The history as it is, or null when there is none. Throws `unsafe-file` for a link or a folder,
 * `too-large`, `local-io`.
 */
export function historyStat(fs: FileSystem, root: ClaudeRoot): FileStat | null {
  const path = historyPath(root);
  const stat = fs.lstat(path);
  if (stat === null) return null;
  if (stat.kind !== "file") {
    throw new ClaudeSyncError("unsafe-file", `"${path}" is no ordinary file`, { path });
  }
  if (stat.sizeBytes <= HISTORY_FILE_BYTES_MAX) return stat;
  throw new ClaudeSyncError("too-large", `"${path}" is too large to be synced`, {
    path,
    hint: "Make it shorter: it is only what the arrow keys bring back",
  });
}

/** How far a look at the history got. */
export interface HistoryMark {
  /** End of the last line that was looked at. */
  readonly lengthBytes: number;
  /** SHA-256 of all before it, in hex. */
  readonly hash: string;
}

/**
 * The sessions that have lines after `before`, or in the whole file when it no longer begins with
 * what `before` stands for; and how far this look got. Throws `local-io`.
 */
export function sessionsInHistory(
  fs: FileSystem,
  root: ClaudeRoot,
  before: HistoryMark | null,
): { readonly sessions: ReadonlySet<SessionId>; readonly mark: HistoryMark } {
  const hash = createHash("sha256");
  const sessions = new Set<SessionId>();
  const handle = fs.openRead(historyPath(root));
  if (handle === null) return { sessions, mark: { lengthBytes: 0, hash: hash.digest("hex") } };
  try {
    let from = before?.lengthBytes ?? 0;
    addRange(hash, handle, 0, from);
    const isSame = before !== null && hash.copy().digest("hex") === before.hash;
    if (!isSame) from = 0;
    let lengthBytes = from;
    for (const { bytes, offset } of linePieces(handle, from)) {
      for (const { session } of historyLines(bytes)) sessions.add(session);
      lengthBytes = offset + bytes.length;
    }
    const whole = isSame ? hash : createHash("sha256");
    addRange(whole, handle, from, lengthBytes);
    return { sessions, mark: { lengthBytes, hash: whole.digest("hex") } };
  } finally {
    handle.close();
  }
}

function addRange(hash: Hash, handle: ReadHandle, from: number, to: number): void {
  const window = new Uint8Array(WINDOW_BYTES);
  for (let at = from; at < to;) {
    const part = window.subarray(0, Math.min(window.length, to - at));
    const count = handle.readAt(part, at);
    if (count === 0) return;
    hash.update(part.subarray(0, count));
    at += count;
  }
}

/**
 * Each wanted session's lines, one after the other, as they stand in the history: at most 64 MiB a
 * session. Sessions without lines are absent. Throws `local-io`.
 */
export function readHistory(
  fs: FileSystem,
  root: ClaudeRoot,
  wanted: ReadonlySet<string>,
): Map<string, Bytes> {
  const parts = new Map<string, { bytes: Uint8Array[]; sizeBytes: number; isFull: boolean }>();
  const handle = wanted.size === 0 ? null : fs.openRead(historyPath(root));
  if (handle === null) return new Map();
  try {
    for (const { bytes } of linePieces(handle)) {
      for (const line of historyLines(bytes, wanted)) {
        const own = parts.get(line.session) ?? { bytes: [], sizeBytes: 0, isFull: false };
        parts.set(line.session, own);
        // What follows a line that is left out is left out, too: the order is what it was.
        own.isFull ||= own.sizeBytes + line.bytes.length > HISTORY_SESSION_BYTES_MAX;
        if (own.isFull) continue;
        own.bytes.push(line.bytes.slice());
        own.sizeBytes += line.bytes.length;
      }
    }
  } finally {
    handle.close();
  }
  return new Map([...parts].map(([session, { bytes }]) => [session, concat(...bytes)]));
}

/**
 * Adds `lines` (each with its end) at the end of the history. Other programs append at any moment,
 * also while this runs: the file is opened for appending, so that nothing of theirs is overwritten,
 * and never replaced, as what they append to the replaced one would be lost. A torn last line is
 * ended first, or the first new line would be glued to it. The lines are on the disk when it
 * returns. A failure may leave some of them, or a part of one, which counts as torn the next time.
 * Throws as `historyStat` does, and `no-space`.
 */
export function appendHistory(
  fs: FileSystem,
  root: ClaudeRoot,
  lines: readonly Uint8Array[],
): void {
  if (lines.length === 0) return;
  const path = historyPath(root);
  const isTorn = historyStat(fs, root) !== null && endsTorn(fs, path);
  if (fs.realpath(root.configDir) === null) fs.makeDir(root.configDir);
  const present = fs.openAppend(path);
  const handle = present ?? fs.createFile(path);
  try {
    let batch: Uint8Array[] = isTorn ? [NEWLINE] : [];
    let sizeBytes = batch.length;
    const flush = () => {
      handle.write(concat(...batch));
      [batch, sizeBytes] = [[], 0];
    };
    for (const line of lines) {
      if (sizeBytes > 1 && sizeBytes + line.length > APPEND_BYTES_MAX) flush();
      batch.push(line);
      sizeBytes += line.length;
    }
    flush();
    handle.sync();
  } finally {
    handle.close();
  }
  if (present === null) fs.syncDir(root.configDir);
}

function endsTorn(fs: FileSystem, path: string): boolean {
  const handle = fs.openRead(path);
  if (handle === null) return false;
  try {
    const last = new Uint8Array(1);
    const { sizeBytes } = handle.stat();
    return sizeBytes > 0 && handle.readAt(last, sizeBytes - 1) === 1 && last[0] !== NEWLINE[0];
  } finally {
    handle.close();
  }
}
