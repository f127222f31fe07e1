/** The titles that the vault's machines gave their sessions (FORMAT.md sections 7 and 8). */
import type { DatabaseSync } from "node:sqlite";
import type { TitleClaim } from "../vault/entry_body.ts";
import { TITLE_CHARACTERS_MAX } from "../vault/format.ts";
import type { FileState } from "../vault/generation.ts";
import type { Forgotten } from "./forgotten.ts";
import { Statements } from "./state_db.ts";

/** What becomes a space: controls, and what some terminals take for a line's end. */
// deno-lint-ignore no-control-regex -- these are what has to go
const GAPS = /[\u0000-\u0020\u007f-\u009f\u2028\u2029]+/g;

/** Most UTF-16 units of a title that are looked at: what the limit leaves is among them. */
const UNITS_MAX = 16 * TITLE_CHARACTERS_MAX;

/** A title as the vault takes it: one line of at most 200 code points, empty when none is left. */
export function titleLine(title: string): string {
  const line = title.slice(0, UNITS_MAX).toWellFormed().replace(GAPS, " ").trim();
  return [...line].slice(0, TITLE_CHARACTERS_MAX).join("").trimEnd();
}

/** A title of another machine as the database takes it: text ends there at U+0000. */
export function storedText(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\ufffd");
}

interface Row extends TitleClaim {
  readonly session: string;
}

/** Titles over an open state database. */
export class VaultTitles {
  readonly #statements: Statements;
  readonly #forgotten: Forgotten;

  constructor(database: DatabaseSync, forgotten: Forgotten) {
    this.#statements = new Statements(database);
    this.#forgotten = forgotten;
  }

  /** The title that holds; null when the vault has none, or it is forgotten. */
  of(session: string): string | null {
    const titles = this.#titles(session);
    if (titles.length === 0) return null;
    const holds = this.#forgotten.isTouched(session)
      ? titles.find((title) => !this.#forgotten.isForgotten(session, "transcript", title))
      : titles[0];
    return holds?.text ?? null;
  }

  /** The largest title, also one that is forgotten, as long as the vault has it. */
  evenForgotten(session: string): string | null {
    return this.#titles(session)[0]?.text ?? null;
  }

  /**
   * What a push of the transcript's state `reached` has to say when the session is called `title`
   * here; undefined when that holds already, or the session has no title.
   */
  news(
    session: string,
    title: string | null,
    reached: FileState,
    nowMs: number,
  ): TitleClaim | undefined {
    const text = titleLine(title ?? "");
    if (text === "" || text === this.of(session)) return undefined;
    const knownMs = this.#titles(session)[0]?.time ?? -1;
    const time = Math.min(Math.max(Math.floor(nowMs), knownMs + 1), Number.MAX_SAFE_INTEGER);
    return { text, time, gen: reached.gen, hash: reached.hash };
  }

  /** The titles that count, the largest first. */
  #titles(session: string): Row[] {
    return this.#statements.prepare(
      `SELECT session, text, time, gen, state AS hash FROM title WHERE session = ?
       ORDER BY time DESC, text DESC, gen DESC, state DESC`,
    ).all(session) as unknown as Row[];
  }
}
