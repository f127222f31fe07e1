/**
 * An earlier version of a session as a session of its own, in the shape that the client's `/branch`
 * gives a copy: under an id that derives from the session and the version, so that restoring one
 * version twice gives one session. Every other byte stays.
 */
import { createHash } from "node:crypto";
import { concat, fromHex, u32be, utf8 } from "../base/bytes.ts";
import { assert } from "../base/assert.ts";
import { copiedRecord, movedRecord } from "./branch_copy.ts";
import { TitleSearch } from "./branch_title.ts";
import { idOfDigest } from "./derived_id.ts";
import { LineFeed } from "./line_cutter.ts";
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
 * Makes the transcript of the restored version, of the version's bytes: records name their new
 * session and what they were forked from, and a last title says what time this is. A torn last line
 * gets its end. `put` gets the copy's bytes, which are gone after the call.
 */
export function restoredCopy(
  { of, id, atMs }: RestoredVersion,
  put: (bytes: Uint8Array) => void,
): LineFeed {
  const title = new TitleSearch();
  let isTorn = false;
  return new LineFeed(({ text, ending }) => {
    title.take(text);
    put(copiedRecord(text, { rootId: of, id }, null));
    put(ending);
    isTorn = ending.length === 0;
  }, () => {
    if (isTorn) put(utf8("\n"));
    const customTitle = `${title.title()} (as of ${utcMinute(atMs)})`;
    put(utf8(JSON.stringify({ type: "custom-title", customTitle, sessionId: id }) + "\n"));
  });
}

/**
 * Makes a file of lines beside the transcript, such as an agent's: its records name the new
 * session. `put` as above.
 */
export function restoredLines(
  { of, id }: RestoredVersion,
  put: (bytes: Uint8Array) => void,
): LineFeed {
  return new LineFeed(({ text, ending }) => {
    put(movedRecord(text, of, id));
    put(ending);
  });
}

/** The same on every machine, whatever its time zone. `atMs` may be any number. */
function utcMinute(atMs: number): string {
  if (!(atMs >= 0 && atMs < YEAR_10000_MS)) return "an unknown time";
  const iso = new Date(atMs).toISOString();
  return `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;
}
