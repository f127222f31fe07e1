/** The sessions that most are, in little memory: there may be a hundred thousand. */
import type { FileStat } from "../platform/types.ts";
import type { LocalFile, LocalSession } from "./discover.ts";
import { type FileName, TRANSCRIPT } from "./file_name.ts";
import type { SessionId } from "./session_id.ts";

/** A folder below `projects/`: what the paths of a thousand transcripts have in common. */
export interface TranscriptFolder {
  /** Its name. */
  readonly slug: string;
  /** Its path up to a file's name. */
  readonly dir: string;
}

/**
 * A transcript, and the session that it is when there is nothing else of it: one object is both.
 * Its path is made when it is asked for.
 */
export class Transcript implements LocalFile, LocalSession {
  readonly #folder: TranscriptFolder;
  readonly id: SessionId;
  readonly stat: FileStat;

  constructor(folder: TranscriptFolder, id: SessionId, stat: FileStat) {
    this.#folder = folder;
    this.id = id;
    this.stat = stat;
  }

  get name(): FileName {
    return TRANSCRIPT;
  }

  get path(): string {
    return `${this.#folder.dir}${this.id}.jsonl`;
  }

  get slug(): string {
    return this.#folder.slug;
  }

  /** Those of a session that is nothing else. */
  get files(): readonly LocalFile[] {
    return [this];
  }
}
