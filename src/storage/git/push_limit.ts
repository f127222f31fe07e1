/** Keeps this machine below what hosts allow: GitHub takes six pushes a minute per repository. */
import { join } from "node:path";
import * as z from "zod/mini";
import { fromUtf8, utf8 } from "../../base/bytes.ts";
import { isClaudeSyncError } from "../../errors.ts";
import { writeFileUnflushed } from "../../platform/atomic_file.ts";
import type { Platform } from "../../platform/types.ts";

/** Pushes in `PUSH_WINDOW_MS`. */
export const PUSHES_MAX = 6;
/** A minute. */
export const PUSH_WINDOW_MS = 60_000;
/** Shorter waits are not worth a word. */
const SILENT_WAIT_MS = 2_000;

const FILE_BYTES_MAX = 4096;
const fileSchema = z.array(z.number()).check(z.maxLength(PUSHES_MAX));

/** Waits before a push when there were too many; kept in a file for all processes. */
export class PushLimit {
  readonly #platform: Platform;
  readonly #path: string;
  readonly #note: (message: string) => void;

  constructor(platform: Platform, folder: string, note: (message: string) => void) {
    this.#platform = platform;
    this.#path = join(folder, "pushes.json");
    this.#note = note;
  }

  /** Resolves when a push may begin, and counts it. An abort rejects with the signal's reason. */
  async wait(signal: AbortSignal | undefined): Promise<void> {
    const { clock, fs, random } = this.#platform;
    const waitMs = this.#waitMs();
    if (waitMs > SILENT_WAIT_MS) {
      const seconds = Math.ceil(waitMs / 1000);
      this.#note(`The next push begins in ${seconds} s: hosts take ${PUSHES_MAX} a minute`);
    }
    if (waitMs > 0) await clock.sleep(waitMs, signal);
    const times = [...this.#recent(), clock.nowMs()].slice(-PUSHES_MAX);
    writeFileUnflushed(fs, random, this.#path, utf8(JSON.stringify(times)));
  }

  #waitMs(): number {
    const recent = this.#recent();
    if (recent.length < PUSHES_MAX) return 0;
    return Math.max(0, recent[0]! + PUSH_WINDOW_MS - this.#platform.clock.nowMs());
  }

  /** Times in the window, oldest first. Those of a clock that was ahead do not count. */
  #recent(): number[] {
    const nowMs = this.#platform.clock.nowMs();
    return this.#read().filter((time) => time <= nowMs && time > nowMs - PUSH_WINDOW_MS)
      .sort((a, b) => a - b);
  }

  #read(): number[] {
    try {
      const bytes = this.#platform.fs.readFile(this.#path, FILE_BYTES_MAX);
      const parsed = fileSchema.safeParse(bytes === null ? [] : JSON.parse(fromUtf8(bytes)));
      return parsed.success ? parsed.data : [];
    } catch (error) {
      // The limit is a courtesy: a file that says nothing is no reason not to push.
      if (error instanceof SyntaxError || error instanceof TypeError) return [];
      if (isClaudeSyncError(error, "too-large", "unsafe-file")) return [];
      throw error;
    }
  }
}
