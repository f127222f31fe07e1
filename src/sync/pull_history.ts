/**
 * The pull's part in the prompt history: adds the lines that the vault has and that were never
 * here. Nothing that stands in the history is changed, moved or removed.
 */
import type { Bytes } from "../base/bytes.ts";
import { isClaudeSyncError } from "../errors.ts";
import type { LocalSession } from "../sessions/discover.ts";
import { HISTORY } from "../sessions/file_name.ts";
import { historyPath } from "../sessions/layout.ts";
import { historyLineHash, historyLines } from "../sessions/prompt_history.ts";
import { type HistoryLine, historyStat } from "../sessions/prompt_history.ts";
import type { Failure } from "./api.ts";
import { scanHandle } from "./file_scan.ts";
import type { PullScope } from "./pull_plan.ts";
import { failureOf } from "./push.ts";
import { handleOf, unreadBytes } from "./push_history.ts";
import type { Leaf } from "./segment_index.ts";
import type { OpenVault } from "./vault_access.ts";

/** Bytes that are held while sessions are written; what is over is read again afterwards. */
const HELD_BYTES_MAX = 64 * 1024 * 1024;

/** What was added. */
export interface AddedHistory {
  readonly bytes: number;
  readonly failures: readonly Failure[];
}

interface Found {
  readonly session: string;
  readonly leaves: readonly Leaf[];
  /** What each leaf has. Never joined: one of them may end in the middle of a line. */
  readonly parts: readonly Bytes[];
}

/** The histories of one pull. */
export class HistoryPull {
  readonly #vault: OpenVault;
  readonly #scope: PullScope;
  readonly #held = new Map<string, Bytes>();
  #heldBytes = 0;

  constructor(vault: OpenVault, scope: PullScope) {
    this.#vault = vault;
    this.#scope = scope;
  }

  /**
   * Reads what is new of a session's history now, while the pack with its transcript is at hand.
   * Errors: alarms, those of the store.
   */
  async hold(session: string): Promise<void> {
    for (const leaf of this.#vault.history.unreadLeaves(session)) {
      if (this.#heldBytes > HELD_BYTES_MAX) return;
      try {
        const bytes = await unreadBytes(this.#vault, session, leaf);
        this.#held.set(keyOf(session, leaf), bytes);
        this.#heldBytes += bytes.length;
      } catch (error) {
        // It is read again below, where it is reported.
        failureOf(error, session);
      }
    }
  }

  /**
   * Adds what is new of the sessions that are here, all machines' lines in the order of their time.
   * Errors: alarms, those of the store.
   */
  async add(
    sessions: () => readonly LocalSession[],
    isExcluded: (session: LocalSession) => boolean,
  ): Promise<AddedHistory> {
    const wanted = this.#wanted(sessions, isExcluded);
    if (wanted.size === 0) return { bytes: 0, failures: [] };
    try {
      const failures: Failure[] = [];
      const news: HistoryLine[] = [];
      const found: Found[] = [];
      const here = this.#vault.history.read(wanted);
      for (const session of wanted) {
        this.#vault.context.signal.throwIfAborted();
        try {
          const one = await this.#find(session, here.get(session) ?? new Uint8Array(0), news);
          if (one !== null) found.push(one);
        } catch (error) {
          failures.push(failureOf(error, session));
        }
      }
      news.sort(byTime);
      const lines = news.map(({ bytes }) => bytes);
      this.#vault.history.append(lines);
      // Only now: a line that is known and not there counts as taken away by the user.
      this.#vault.history.noteAll(
        found.flatMap(({ session, leaves, parts }) =>
          parts.map((bytes, index) => [session, bytes, [leaves[index]!]] as const)
        ),
      );
      return { bytes: lines.reduce((sum, { length }) => sum + length, 0), failures };
    } catch (error) {
      if (!isClaudeSyncError(error, "local-io", "too-large", "unsafe-file", "no-space")) {
        throw error;
      }
      const { code, message } = error;
      const path = historyPath(this.#vault.root);
      return { bytes: 0, failures: [{ sessionId: null, path, code, message }] };
    }
  }

  #wanted(
    sessions: () => readonly LocalSession[],
    isExcluded: (session: LocalSession) => boolean,
  ): ReadonlySet<string> {
    const ids = this.#vault.history.sessions(this.#scope.all ? "all" : "unread");
    if (ids.size === 0) return ids;
    const wanted = sessions().filter((session) =>
      ids.has(session.id) && (this.#scope.ids?.has(session.id) ?? true) && !isExcluded(session)
    );
    return new Set(wanted.map(({ id }) => id));
  }

  /** Puts the session's new lines into `news`. `here`: those that the file has. */
  async #find(session: string, here: Bytes, news: HistoryLine[]): Promise<Found | null> {
    const have = new Set<string>();
    for (const { bytes } of historyLines(here)) have.add(historyLineHash(bytes));
    this.#noteStates(session, here);
    const known = this.#vault.history.knownLines(session);
    // What was here and was taken away comes back only when all is asked for.
    const isMissing = this.#scope.all && [...known].some((line) => !have.has(line));
    const leaves = isMissing
      ? this.#vault.index.leaves(session, HISTORY)
      : this.#vault.history.unreadLeaves(session);
    if (leaves.length === 0) return null;
    const parts: Bytes[] = [];
    for (const leaf of leaves) {
      const held = isMissing ? undefined : this.#held.get(keyOf(session, leaf));
      const from = isMissing ? "start" : "unread";
      parts.push(held ?? await unreadBytes(this.#vault, session, leaf, from));
    }
    const own = new Set([session]);
    for (const line of parts.flatMap((bytes) => [...historyLines(bytes, own)])) {
      const hash = historyLineHash(line.bytes);
      if (have.has(hash) || (!isMissing && known.has(hash))) continue;
      have.add(hash);
      news.push(line);
    }
    return { session, leaves, parts };
  }

  /**
   * States of the vault that the file begins with have no line that is new. Their lines are noted,
   * too, or `all` would not miss them when they are gone.
   */
  #noteStates(session: string, here: Bytes): void {
    const stat = here.length === 0
      ? null
      : historyStat(this.#vault.context.platform.fs, this.#vault.root);
    if (stat === null) return;
    const handle = handleOf({ content: here, stat: { ...stat, sizeBytes: here.length } });
    const { matches } = scanHandle(handle, this.#vault.index.states(session, HISTORY));
    const lengthBytes = Math.max(0, ...matches.map(({ len }) => len));
    this.#vault.history.note(session, here.subarray(0, lengthBytes), matches);
  }
}

function keyOf(session: string, { gen, hash }: Leaf): string {
  return `${session}/${gen}/${hash}`;
}

function byTime(a: HistoryLine, b: HistoryLine): number {
  if (a.timeMs !== b.timeMs) return a.timeMs - b.timeMs;
  if (a.session !== b.session) return a.session < b.session ? -1 : 1;
  const [x, y] = [historyLineHash(a.bytes), historyLineHash(b.bytes)];
  return x < y ? -1 : x > y ? 1 : 0;
}
