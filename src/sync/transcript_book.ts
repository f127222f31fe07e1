/**
 * What lists show of the local transcripts, remembered so that none is read twice for it. Only to
 * be looked at: a file that was rewritten in place with the same size and time shows what it had
 * before, so nothing that is synced may rest on it. Losing it loses nothing.
 */
import type { DatabaseSync } from "node:sqlite";
import { sha256Hex } from "../crypto/hash.ts";
import { isClaudeSyncError } from "../errors.ts";
import type { FileStat, FileSystem, ReadHandle } from "../platform/types.ts";
import {
  readTranscriptSummary,
  SummaryFollower,
  type SummarySoFar,
  summaryTitle,
  type TranscriptSummary,
} from "../sessions/transcript_summary.ts";
import type { LocalSession } from "../sessions/discover.ts";
import type { ScanFollower } from "./file_scan.ts";
import { tryLock } from "./lock.ts";
import { transcriptOf } from "./pull_place.ts";
import { isDatabaseError, Statements, transaction } from "./state_db.ts";

/** Files of which a reader keeps what it found before it writes that down. */
const KEPT_FILES_MAX = 500;
/** Bytes that a reader reads before it writes down what it found: some seconds of work. */
const KEPT_BYTES_MAX = 1024 * 1024 * 1024;

/** A transcript on the disk. */
export interface TranscriptPlace {
  readonly path: string;
  readonly stat: FileStat;
}

interface Row extends TranscriptSummary {
  readonly size: number;
  readonly mtime: number;
  readonly ino: number;
  readonly length: number;
  readonly tail: string;
}

const COLUMNS = "size, mtime, ino, length, tail, custom AS customTitle, ai AS aiTitle, " +
  "prompt AS firstPrompt, cwd AS firstCwd, activity AS lastActivityMs";

/** Who uses the book: the holder of the profile's lock, or a reader, who takes it to write. */
export interface BookUser {
  readonly as: "writer" | "reader";
  /** Of the database. */
  readonly statePath: string;
  readonly lockPath: string;
}

/** Table of transcripts. */
export class TranscriptBook {
  readonly #fs: FileSystem;
  readonly #database: DatabaseSync;
  readonly #statements: Statements;
  readonly #user: BookUser;
  #found: (SummarySoFar & TranscriptPlace)[] = [];
  #readBytes = 0;
  #mayWrite: boolean;

  constructor(fs: FileSystem, database: DatabaseSync, user: BookUser) {
    this.#fs = fs;
    this.#database = database;
    this.#statements = new Statements(database);
    this.#user = user;
    this.#mayWrite = user.as === "writer" || fs.lstat(user.statePath) !== null;
  }

  /**
   * The summary of a transcript, null when it is gone. Reads what was added since the last time,
   * and nothing of one that is as it was; `onRead` hears how many bytes. Errors: `local-io`.
   */
  of(place: TranscriptPlace, onRead: (bytes: number) => void = () => {}): TranscriptSummary | null {
    const { path, stat } = place;
    const row = this.#row(path);
    const isSame = row !== undefined && row.ino === stat.ino;
    if (isSame && row.size === stat.sizeBytes && row.mtime === stat.mtimeMs) return row;
    const before = isSame && row.size <= stat.sizeBytes ? soFarOf(row) : null;
    const found = readTranscriptSummary(this.#fs, path, sha256Hex, before);
    if (found === null) return null;
    const readBytes = Math.max(0, stat.sizeBytes - (before?.lengthBytes ?? 0));
    onRead(readBytes);
    this.#note({ ...found, path, stat }, readBytes);
    return found.summary;
  }

  /** The title that people see; as `of`. */
  titleOf(place: TranscriptPlace): string | null {
    const summary = this.of(place);
    return summary === null ? null : summaryTitle(summary);
  }

  /** The title of the transcript as a push has scanned it; null without one. */
  scannedTitle(path: string): string | null {
    const row = this.#row(path);
    return row === undefined ? null : summaryTitle(row);
  }

  /** Makes the summary while a push reads all of the file, and remembers it. For the writer. */
  following(path: string): ScanFollower {
    const row = this.#row(path);
    const follower = new SummaryFollower(sha256Hex, row === undefined ? null : soFarOf(row));
    return {
      begin: (handle: ReadHandle) => follower.begin(handle),
      take: (bytes, offset) => follower.take(bytes, offset),
      end: (handle, stat) => this.#write({ ...follower.end(handle), path, stat }),
    };
  }

  /**
   * Writes down what a reader has found, and drops what is known of files that are gone: `sessions`
   * are all that are here. Does without when it cannot.
   */
  finish(sessions: readonly LocalSession[]): void {
    this.#save();
    const { known } = this.#statements.prepare("SELECT count(*) AS known FROM transcript")
      .get() as { known: number };
    // Mostly nothing is gone, and of a hundred thousand paths a table takes much memory.
    if (known <= sessions.length) return;
    const paths = new Set<string>();
    for (const session of sessions) paths.add(transcriptOf(session)?.path ?? "");
    const rows = this.#statements.prepare("SELECT path FROM transcript").all();
    const gone = (rows as { path: string }[]).filter(({ path }) => !paths.has(path));
    this.#whenFree(() => {
      const drop = this.#statements.prepare("DELETE FROM transcript WHERE path = ?");
      for (const { path } of gone) drop.run(path);
    });
  }

  #row(path: string): Row | undefined {
    return this.#statements.prepare(`SELECT ${COLUMNS} FROM transcript WHERE path = ?`)
      .get(path) as Row | undefined;
  }

  #note(found: SummarySoFar & TranscriptPlace, readBytes: number): void {
    if (this.#user.as === "writer") {
      this.#write(found);
      return;
    }
    if (!this.#mayWrite) return;
    this.#found.push(found);
    this.#readBytes += readBytes;
    if (this.#found.length < KEPT_FILES_MAX && this.#readBytes < KEPT_BYTES_MAX) return;
    this.#save();
  }

  #save(): void {
    const found = this.#found;
    [this.#found, this.#readBytes] = [[], 0];
    if (found.length === 0) return;
    this.#whenFree(() => {
      for (const each of found) this.#write(each);
    });
  }

  /**
   * One transaction, within the profile's lock: whoever holds that may trust that nobody else
   * writes. What the disk or another process does not allow now is left for the next time.
   */
  #whenFree(work: () => void): void {
    if (!this.#mayWrite) return;
    try {
      const lock = this.#user.as === "writer" ? null : tryLock(this.#user.lockPath);
      if (this.#user.as === "reader" && lock === null) return;
      try {
        transaction(this.#database, work);
      } finally {
        lock?.release();
      }
    } catch (error) {
      if (!isClaudeSyncError(error, "local-io", "no-space") && !isDatabaseError(error)) throw error;
      this.#mayWrite = false;
    }
  }

  #write({ path, stat, summary, lengthBytes, tail }: SummarySoFar & TranscriptPlace): void {
    const { customTitle, aiTitle, firstPrompt, firstCwd, lastActivityMs } = summary;
    this.#statements.prepare(
      "INSERT OR REPLACE INTO transcript VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    ).run(
      ...[path, stat.sizeBytes, stat.mtimeMs, stat.ino, lengthBytes, tail],
      ...[customTitle, aiTitle, firstPrompt, firstCwd, lastActivityMs],
    );
  }
}

function soFarOf({ length, tail, ...summary }: Row): SummarySoFar {
  return { summary, lengthBytes: length, tail };
}
