/** Object names (FORMAT.md section 2). They carry no meaning but kind, machine tag and number. */
import { assert } from "../base/assert.ts";
import { toBase32 } from "../base/bytes.ts";
import type { Random } from "../platform/types.ts";
import { type ObjectName, objectName, parseObjectName } from "../storage/object_name.ts";
import { ENTRY_SEQ_MAX } from "./format.ts";

/** The plaintext header. */
export const HEADER_NAME: ObjectName = objectName("claude-sync.json");

/** Folder of all logs, for `list`. */
export const LOG_PREFIX = "log/";

/** Folder of all packs, for `list`. */
export const PACKS_PREFIX = "packs/";

/** What an object of a vault is. */
export type ObjectKind = "header" | "entry" | "pack" | "keychain" | "wrap";

/** What a log entry's name tells. */
export interface LogEntryName {
  /** The machine's tag, 16 characters of base32. */
  readonly tag: string;
  /** From 1. */
  readonly seq: number;
  /** First 8 characters of hex(entry hash). */
  readonly hash8: string;
}

const TAG = /^[0-9a-hjkmnp-tv-z]{16}$/;
const LOG_ENTRY = /^log\/([0-9a-hjkmnp-tv-z]{16})\/([0-9]{12})\.([0-9a-f]{8})$/;
const KEYCHAIN = /^keys\/[0-9a-f]{32}$/;
const WRAP = /^wraps\/[0-9a-hjkmnp-tv-z]{52}$/;
const PACK = /^packs\/[0-9a-hjkmnp-tv-z]{2}\/[0-9a-hjkmnp-tv-z]{30}$/;

/** Whether `text` has the form of a machine tag. */
export function isMachineTag(text: string): boolean {
  return TAG.test(text);
}

/** A new tag for a machine that enrols: 80 random bits. */
export function machineTag(random: Random): string {
  return toBase32(random.bytes(10));
}

/** Name of entry `seq`. Of `hashHex`, the entry hash, the first 8 characters count. */
export function logEntryName(tag: string, seq: number, hashHex: string): ObjectName {
  const name = objectName(
    `${LOG_PREFIX}${tag}/${String(seq).padStart(12, "0")}.${hashHex.slice(0, 8)}`,
  );
  assert(parseLogEntryName(name)?.seq === seq, `"${name}" is the name of a log entry`);
  return name;
}

/** Takes a log entry's name apart. Null for every other name, which readers ignore. */
export function parseLogEntryName(name: string): LogEntryName | null {
  const match = LOG_ENTRY.exec(name);
  if (match === null) return null;
  const seq = Number(match[2]);
  if (seq < 1 || seq > ENTRY_SEQ_MAX) return null;
  return { tag: match[1]!, seq, hash8: match[3]! };
}

/** A new name for a pack: 160 random bits, the first two characters as its folder. */
export function packName(random: Random): ObjectName {
  const text = toBase32(random.bytes(20));
  return objectName(`${PACKS_PREFIX}${text.slice(0, 2)}/${text.slice(2)}`);
}

/** Gives `name` when it is a pack's. Null for every other name, which readers ignore. */
export function parsePackName(name: string): ObjectName | null {
  return PACK.test(name) ? parseObjectName(name) : null;
}

/** What the object of that name is (FORMAT.md section 2). Null for names that no vault has. */
export function objectKindOf(name: string): ObjectKind | null {
  if (name === HEADER_NAME) return "header";
  if (parseLogEntryName(name) !== null) return "entry";
  if (PACK.test(name)) return "pack";
  if (KEYCHAIN.test(name)) return "keychain";
  return WRAP.test(name) ? "wrap" : null;
}
