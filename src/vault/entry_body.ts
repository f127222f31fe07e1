/**
 * The JSON of a log entry (FORMAT.md section 7). Hashes and ids are lower-case hex, as they stand
 * there.
 */
import { assert } from "../base/assert.ts";
import { type Bytes, utf8 } from "../base/bytes.ts";
import { damagedObject } from "../crypto/damaged.ts";
import { ClaudeSyncError } from "../errors.ts";
import { keepsEntryRules } from "./entry_rules.ts";
import { anyEntry, entrySchema, entryWithAnyOps } from "./entry_schema.ts";
import { ENTRY_BODY_BYTES_MAX, ENTRY_VERSION } from "./format.ts";
import type { FileState } from "./generation.ts";
import type { Compression } from "./group.ts";
import { parseJsonStrict } from "./json.ts";

/** The newest entry of a machine that somebody has read and verified. */
export interface Head {
  readonly seq: number;
  readonly hash: string;
}

/** By machineId. */
export type Heads = Readonly<Record<string, Head>>;

/** A pack that the entry names. */
export interface PackClaim {
  readonly name: string;
  /** Bytes of the sealed object. */
  readonly size: number;
  /** Of the sealed object. */
  readonly sha256: string;
}

/**
 * Which project a session belongs to, in words that mean the same on every machine; null when
 * unknown.
 */
export type ProjectClaim =
  | { readonly kind: "git"; readonly remote: string; readonly sub: string }
  | { readonly kind: "home"; readonly path: string }
  | { readonly kind: "path"; readonly path: string }
  | null;

/**
 * The bytes `[off, off + len)` of one file: a step from the state `(gen, parent)` to `(gen, hash)`.
 */
export interface Segment {
  /** Path inside the session; hostile until `sessions/file_name.ts` has judged it. */
  readonly file: string;
  /** Empty for the first generation. */
  readonly gen: string;
  readonly off: number;
  readonly len: number;
  /** SHA-256 of all bytes of the file before `off`. */
  readonly parent: string;
  /** SHA-256 of all bytes of the file before `off + len`. */
  readonly hash: string;
  /** Milliseconds since 1970. */
  readonly mtime: number;
}

/** Segments that are stored together, and where. */
export interface Group {
  /** Index into the entry's `packs`, or -1 for its inline part. */
  readonly in: number;
  readonly at: number;
  /** Bytes there. */
  readonly stored: number;
  /** Bytes decompressed: the sum of the segments' `len`. */
  readonly raw: number;
  readonly comp: Compression;
  readonly segments: readonly Segment[];
}

/** A file that was rewritten in place starts again as `gen`, replacing the state `from`. */
export interface Generation {
  readonly file: string;
  readonly gen: string;
  readonly from: FileState;
}

/** Who a machine is. */
export interface Enrolment {
  /** Ed25519 public key. */
  readonly sign: string;
  /** X25519 public key. */
  readonly kem: string;
  /** What people call the machine; hostile text. */
  readonly name: string;
  readonly os: string;
}

/** First op of entry 1 and of every checkpoint. */
export interface EnrolOp extends Enrolment {
  readonly op: "enrol";
}

/** What people call a session while its transcript is the state `(gen, hash)`. */
export interface TitleClaim extends FileState {
  /** 1 to 200 code points; hostile. */
  readonly text: string;
  /** Orders the titles of a session, in ms since 1970 or later. */
  readonly time: number;
}

/** Bytes of one session: new ones, or those of older entries said again. */
export interface AddOp {
  readonly op: "add";
  readonly session: string;
  readonly project: ProjectClaim;
  readonly title?: TitleClaim | undefined;
  /** Whose segments these are; missing: the entry's machine's. */
  readonly by?: string | undefined;
  /** When `project` was claimed first, in ms since 1970; missing: at the entry's time. */
  readonly time?: number | undefined;
  readonly gens: readonly Generation[];
  readonly groups: readonly Group[];
}

/** Ends a checkpoint: entries below `from` are not needed any more. */
export interface CheckpointOp {
  readonly op: "checkpoint";
  readonly from: number;
  /** For each number below `from` the first 8 hex digits of the entry's hash. */
  readonly covered: readonly string[];
}

/** Another machine's log, up to `seq`, is not needed any more: this one has what it had. */
export interface RetireOp extends Enrolment {
  readonly op: "retire";
  readonly machine: string;
  readonly tag: string;
  readonly seq: number;
  /** Of the entry `seq`. */
  readonly hash: string;
  /** Like a checkpoint's, up to `seq`; 16 or more digits where clones wrote a number twice. */
  readonly covered: readonly string[];
}

/** A state of a file that the user wants deleted, with all that lead to it. */
export interface ForgottenLeaf extends FileState {
  readonly file: string;
  readonly len: number;
}

/** The wish to delete what a session holds now. */
export interface ForgetOp {
  readonly op: "forget";
  readonly id: string;
  readonly session: string;
  readonly leaves: readonly ForgottenLeaf[];
}

/** Withdraws `forget` ops. */
export interface RecallOp {
  readonly op: "recall";
  readonly ids: readonly string[];
}

/** What an entry does. */
export type Op = EnrolOp | AddOp | CheckpointOp | RetireOp | ForgetOp | RecallOp;

const OPS: ReadonlySet<string> = new Set<Op["op"]>([
  "enrol",
  "add",
  "checkpoint",
  "retire",
  "forget",
  "recall",
]);

/** Everything that an entry says and signs. */
export interface EntryBody {
  readonly v: 1;
  readonly machine: string;
  readonly tag: string;
  readonly seq: number;
  /** Hash of the entry before; 64 zeros for entry 1. */
  readonly prev: string;
  readonly kid: string;
  /** Milliseconds since 1970; informative only. */
  readonly time: number;
  /** Number of the first entry of this log that a reader needs; missing: 1. See `baseOf`. */
  readonly base?: number | undefined;
  readonly heads: Heads;
  readonly inline: { readonly size: number; readonly sha256: string };
  readonly packs: readonly PackClaim[];
  readonly ops: readonly Op[];
}

/**
 * The body's bytes. A body that a reader would refuse is a bug; one over 16 MiB throws `too-large`,
 * and the caller makes several entries of it.
 */
export function encodeEntryBody(body: EntryBody): Bytes {
  assert(entrySchema.safeParse(body).success, "an entry's body keeps to its schema");
  assert(keepsEntryRules(body), "an entry's body keeps the rules of the format");
  const bytes = utf8(JSON.stringify(body));
  if (bytes.length > ENTRY_BODY_BYTES_MAX) {
    throw new ClaudeSyncError("too-large", "Log entry is larger than 16 MiB");
  }
  return bytes;
}

/**
 * Reads a body and checks all that can be checked without the signature. Throws `newer-format` for
 * another `v` or an unknown op, `damaged` for anything else that is not as FORMAT.md says; both
 * name `objectName`.
 */
export function decodeEntryBody(bytes: Uint8Array, objectName: string): EntryBody {
  const value = parseJsonStrict(bytes, { bytesMax: ENTRY_BODY_BYTES_MAX });
  if (isOfNewerProgram(value)) {
    throw new ClaudeSyncError("newer-format", "Log entry was made by a newer claude-sync", {
      objectName,
    });
  }
  const parsed = entrySchema.safeParse(value);
  if (!parsed.success || !keepsEntryRules(parsed.data)) throw damagedObject(objectName);
  return parsed.data;
}

function isOfNewerProgram(value: unknown): boolean {
  const entry = anyEntry.safeParse(value);
  if (!entry.success) return false;
  if (entry.data.v !== ENTRY_VERSION) return true;
  const ops = entryWithAnyOps.safeParse(value);
  return ops.success && ops.data.ops.some(({ op }) => !OPS.has(op));
}
