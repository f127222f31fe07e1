/**
 * An earlier version of a session as a session of its own, in the shape that the client's `/branch`
 * gives a copy: under an id that derives from the session and the version, so that restoring one
 * version twice gives one session. Every other byte stays.
 */
import { createHash } from "node:crypto";
import { concat, fromHex, joined, u32be, utf8 } from "../base/bytes.ts";
import { assert } from "../base/assert.ts";
import { copiedRecord, movedRecord } from "./branch_copy.ts";
import { TitleSearch } from "./branch_title.ts";
import { idOfDigest } from "./derived_id.ts";
import { LineCutter, type TextLine } from "./line_cutter.ts";
import type { SessionId } from "./session_id.ts";

const LABEL = "claude-sync restored id v1";
const YEAR_10000_MS = Date.UTC(10_000, 0);

/** What is restored, and as what. */
export interface RestoredVersion {
  readonly of: SessionId;
  readonly id: SessionId;
  /** When it was the newest. */
  readonly atMs: number;
}

/**
 * The id of the restored version of session `of` whose bytes have the SHA-256 `hash`: a UUID of
 * version 8, which the client never chooses and no branch gets.
 */
export function restoredId(of: SessionId, hash: string): SessionId {
  const digest = fromHex(hash);
  assert(digest !== null && digest.length === 32, "a version's identity is a SHA-256");
  const parts = [utf8(LABEL), utf8(of), digest].map((part) => concat(u32be(part.length), part));
  return idOfDigest(createHash("sha256").update(concat(...parts)).digest());
}

/**
 * The transcript of the restored version: records name their new session and what they were forked
 * from, and a last title says what time this is. A torn last line gets its end.
 */
export function restoredCopy(bytes: Uint8Array, version: RestoredVersion): Uint8Array {
  return inMemory(bytes, (put) => new RestoredCopy(version, put));
}

/** Makes what `restoredCopy` gives of bytes that come in pieces. */
export class RestoredCopy {
  readonly #version: RestoredVersion;
  readonly #put: (bytes: Uint8Array) => void;
  readonly #cutter = new LineCutter();
  readonly #title = new TitleSearch();
  #isTorn = false;

  /** `put` gets the copy's bytes, which are gone after the call. */
  constructor(version: RestoredVersion, put: (bytes: Uint8Array) => void) {
    this.#version = version;
    this.#put = put;
  }

  /** Takes the next bytes; keeps nothing of them. */
  take(bytes: Uint8Array): void {
    for (const line of this.#cutter.take(bytes)) this.#line(line);
  }

  /** Says that all bytes were taken. */
  end(): void {
    for (const line of this.#cutter.end()) this.#line(line);
    if (this.#isTorn) this.#put(utf8("\n"));
    const { id, atMs } = this.#version;
    const customTitle = `${this.#title.title()} (as of ${utcMinute(atMs)})`;
    this.#put(utf8(JSON.stringify({ type: "custom-title", customTitle, sessionId: id }) + "\n"));
  }

  #line({ text, ending }: TextLine): void {
    const { of, id } = this.#version;
    this.#title.take(text);
    this.#put(copiedRecord(text, { rootId: of, id }, null));
    this.#put(ending);
    this.#isTorn = ending.length === 0;
  }
}

/** A file of lines beside the transcript, such as an agent's: its records name the new session. */
export function restoredLines(bytes: Uint8Array, version: RestoredVersion): Uint8Array {
  return inMemory(bytes, (put) => new RestoredLines(version, put));
}

/** Makes what `restoredLines` gives of bytes that come in pieces. */
export class RestoredLines {
  readonly #version: RestoredVersion;
  readonly #put: (bytes: Uint8Array) => void;
  readonly #cutter = new LineCutter();

  /** `put` gets the file's bytes, which are gone after the call. */
  constructor(version: RestoredVersion, put: (bytes: Uint8Array) => void) {
    this.#version = version;
    this.#put = put;
  }

  /** Takes the next bytes; keeps nothing of them. */
  take(bytes: Uint8Array): void {
    for (const line of this.#cutter.take(bytes)) this.#line(line);
  }

  /** Says that all bytes were taken. */
  end(): void {
    for (const line of this.#cutter.end()) this.#line(line);
  }

  #line({ text, ending }: TextLine): void {
    this.#put(movedRecord(text, this.#version.of, this.#version.id));
    this.#put(ending);
  }
}

function inMemory(
  bytes: Uint8Array,
  begin: (put: (bytes: Uint8Array) => void) => RestoredCopy | RestoredLines,
): Uint8Array {
  const parts: Uint8Array[] = [];
  const copy = begin((part) => parts.push(part));
  copy.take(bytes);
  copy.end();
  return joined(parts);
}

/** The same on every machine, whatever its time zone. `atMs` may be any number. */
function utcMinute(atMs: number): string {
  if (!(atMs >= 0 && atMs < YEAR_10000_MS)) return "an unknown time";
  const iso = new Date(atMs).toISOString();
  return `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;
}
