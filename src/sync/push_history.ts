/** What of the prompt history is to be pushed (FORMAT.md section 8, "History"). */
import { type Bytes, concat } from "../base/bytes.ts";
import { ClaudeSyncError, isClaudeSyncError } from "../errors.ts";
import type { ReadHandle } from "../platform/types.ts";
import type { LocalFile, LocalSession } from "../sessions/discover.ts";
import { HISTORY } from "../sessions/file_name.ts";
import { historyPath } from "../sessions/layout.ts";
import { HISTORY_SESSION_BYTES_MAX } from "../sessions/prompt_history.ts";
import { historyLineHash, historyLines } from "../sessions/prompt_history.ts";
import type { Failure } from "./api.ts";
import { scanHandle } from "./file_scan.ts";
import type { HistoryPart, LookedAt } from "./push_files.ts";
import { FIRST_START } from "./push_plan.ts";
import type { Leaf } from "./segment_index.ts";
import type { OpenVault } from "./vault_access.ts";
import { chainTo, isNotComparable } from "./vault_content.ts";

/** A session's lines of the history, in the form of a file. */
export interface LocalHistory extends LocalFile, HistoryPart {}

/**
 * The history of those `sessions` that may have lines which the vault lacks, by session. What
 * cannot be read is one failure and keeps nothing else from being pushed.
 */
export function dueHistory(
  vault: OpenVault,
  sessions: readonly LocalSession[],
  isExcluded: (session: LocalSession) => boolean,
): { readonly due: Map<string, LocalHistory>; readonly failures: readonly Failure[] } {
  const due = new Map<string, LocalHistory>();
  const path = historyPath(vault.root);
  try {
    const { sessions: ids, stat } = vault.history.due();
    if (stat === null || ids.size === 0) return { due, failures: [] };
    const wanted = sessions.filter((each) => ids.has(each.id) && !isExcluded(each));
    for (const [id, content] of vault.history.read(new Set(wanted.map((each) => each.id)))) {
      const part = { ...stat, sizeBytes: content.length };
      due.set(id, { name: HISTORY, path, stat: part, content, asOf: stat });
    }
    return { due, failures: [] };
  } catch (error) {
    if (!isClaudeSyncError(error, "local-io", "too-large", "unsafe-file")) throw error;
    const { code, message } = error;
    return { due, failures: [{ sessionId: null, path, code, message }] };
  }
}

/**
 * Decides for a session's history. It is pushed when it has a line that the vault has not; then all
 * that follows the longest state that it begins with goes, so that what the vault has is this
 * machine's lines in this machine's order.
 */
export async function lookAtHistory(
  vault: OpenVault,
  session: LocalSession,
  file: LocalHistory,
): Promise<LookedAt> {
  const { content, asOf } = file;
  const book = vault.history;
  const states = vault.index.states(session.id, HISTORY);
  const scan = scanHandle(handleOf(file), states);
  const from = scan.matches.at(-1) ?? FIRST_START;
  if (!await hasNews(vault, session, content.subarray(from.len))) {
    book.note(session.id, content, scan.matches);
    book.settle(session.id, asOf);
    return { item: null, isTorn: false, state: from, scan };
  }
  book.note(session.id, content.subarray(0, from.len), scan.matches);
  const { path, stat } = file;
  const item = {
    session: session.id,
    file: HISTORY,
    path,
    stat,
    from,
    end: content.length,
    replaces: null,
    hasher: from.len === 0 ? null : scan.hasher,
    history: { content, asOf },
  };
  return { item, isTorn: false, state: from, scan };
}

/** Whether `lines` has one that the vault has not. */
async function hasNews(
  vault: OpenVault,
  session: LocalSession,
  lines: Bytes,
): Promise<boolean> {
  const news = new Set<string>();
  for (const { bytes } of historyLines(lines)) news.add(historyLineHash(bytes));
  if (news.size === 0) return false;
  // What a compaction has left out is not in the vault any more, although it was.
  const isThere = vault.index.states(session.id, HISTORY).length > 0;
  for (const line of isThere ? vault.history.knownLines(session.id) : []) news.delete(line);
  for (const leaf of news.size === 0 ? [] : vault.history.unreadLeaves(session.id)) {
    try {
      const bytes = await unreadBytes(vault, session.id, leaf);
      for (const line of historyLines(bytes)) news.delete(historyLineHash(line.bytes));
    } catch (error) {
      // What cannot be read keeps no line from the vault.
      if (!isNotComparable(error)) throw error;
    }
  }
  return news.size > 0;
}

/**
 * The bytes of a leaf after the last of its states whose lines have all been here. Their joint hash
 * is not checked: every line is looked at by itself, and each object is what its entry says.
 * Errors: `too-large` over 64 MiB, those of reading.
 */
export async function unreadBytes(
  vault: OpenVault,
  session: string,
  leaf: Leaf,
  from: "unread" | "start" = "unread",
): Promise<Bytes> {
  if (leaf.len > HISTORY_SESSION_BYTES_MAX) {
    const message = "A session's prompt history in the vault is too large";
    throw new ClaudeSyncError("too-large", message, { sessionId: session });
  }
  const chain = chainTo(vault, session, HISTORY, leaf);
  const hasBeenHere = (state: { gen: string; hash: string }) =>
    vault.history.hasState(session, state);
  const read = from === "start" ? -1 : chain.findLastIndex(hasBeenHere);
  const parts: Bytes[] = [];
  for (const segment of chain.slice(read + 1)) parts.push(await vault.reader.read(segment));
  return concat(...parts);
}

/** Remembers that the vault has the history up to `end` now. */
export function rememberHistory(
  vault: OpenVault,
  session: string,
  { content, asOf }: HistoryPart,
  reached: { readonly gen: string; readonly hash: string; readonly end: number },
): void {
  vault.history.note(session, content.subarray(0, reached.end), [reached]);
  if (reached.end === content.length) vault.history.settle(session, asOf);
}

/** The lines as an open file. */
export function handleOf({ content, stat }: Pick<LocalHistory, "content" | "stat">): ReadHandle {
  return {
    stat: () => stat,
    readAt(into, offset) {
      const part = content.subarray(offset, offset + into.length);
      into.set(part);
      return part.length;
    },
    close() {},
  };
}
