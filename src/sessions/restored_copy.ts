/**
 * An earlier version of a session as a session of its own, in the shape that the client's `/branch`
 * gives a copy: under an id that derives from the session and the version, so that restoring one
 * version twice gives one session. Every other byte stays.
 */
import { createHash } from "node:crypto";
import { concat, fromHex, u32be, utf8 } from "../base/bytes.ts";
import { assert } from "../base/assert.ts";
import { copiedRecord, movedRecord } from "./branch_copy.ts";
import { titleAt } from "./branch_title.ts";
import { idOfDigest } from "./derived_id.ts";
import { lines } from "./record_text.ts";
import type { SessionId } from "./session_id.ts";

const LABEL = "claude-sync restored id v1";
const NEWLINE = 0x0a;
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
  const { of, id, atMs } = version;
  const parts = copiedLines(bytes, (line) => copiedRecord(line, { rootId: of, id }, null));
  if (bytes.length > 0 && bytes.at(-1) !== NEWLINE) parts.push(utf8("\n"));
  const customTitle = `${titleAt(bytes, Infinity)} (as of ${utcMinute(atMs)})`;
  parts.push(utf8(JSON.stringify({ type: "custom-title", customTitle, sessionId: id }) + "\n"));
  return concat(...parts);
}

/** A file of lines beside the transcript, such as an agent's: its records name the new session. */
export function restoredLines(bytes: Uint8Array, { of, id }: RestoredVersion): Uint8Array {
  return concat(...copiedLines(bytes, (line) => movedRecord(line, of, id)));
}

function copiedLines(
  bytes: Uint8Array,
  copy: (line: Uint8Array) => Uint8Array,
): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (const line of lines(bytes)) {
    parts.push(copy(bytes.subarray(line.start, line.end)), bytes.subarray(line.end, line.next));
  }
  return parts;
}

/** The same on every machine, whatever its time zone. `atMs` may be any number. */
function utcMinute(atMs: number): string {
  if (!(atMs >= 0 && atMs < YEAR_10000_MS)) return "an unknown time";
  const iso = new Date(atMs).toISOString();
  return `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;
}
