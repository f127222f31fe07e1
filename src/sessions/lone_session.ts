/** The sessions that most are, in little memory: there may be a hundred thousand. */
import type { FileStat } from "../platform/types.ts";
import type { LocalFile, LocalSession } from "./discover.ts";
import { type FileName, TRANSCRIPT } from "./file_name.ts";
import type { SessionId } from "./session_id.ts";

/** A transcript; its path is made when it is asked for. */
export class Transcript implements LocalFile {
  readonly #dir: string;
  readonly id: SessionId;
  readonly stat: FileStat;

  /** `dir`: the folder's path up to the file's name. */
  constructor(dir: string, id: SessionId, stat: FileStat) {
    this.#dir = dir;
    this.id = id;
    this.stat = stat;
  }

  get name(): FileName {
    return TRANSCRIPT;
  }

  get path(): string {
    return `${this.#dir}${this.id}.jsonl`;
  }
}

/** A session that is a transcript and nothing else. */
export class LoneSession implements LocalSession {
  readonly slug: string;
  readonly #transcript: Transcript;

  constructor(slug: string, transcript: Transcript) {
    this.slug = slug;
    this.#transcript = transcript;
  }

  get id(): SessionId {
    return this.#transcript.id;
  }

  get files(): readonly LocalFile[] {
    return [this.#transcript];
  }
}
