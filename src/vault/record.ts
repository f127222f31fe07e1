/** The payload of a log object: body, signature and inline groups (FORMAT.md section 7). */
import { assert } from "../base/assert.ts";
import { type Bytes, concat, fromHex, toHex, u32be } from "../base/bytes.ts";
import { damagedObject } from "../crypto/damaged.ts";
import { sha256, sha256Hex } from "../crypto/hash.ts";
import { label, lengthPrefixed } from "../crypto/label.ts";
import type { MachineIdentity } from "../crypto/machine_identity.ts";
import { SIGNATURE_BYTES, verifySignature } from "../crypto/machine_identity.ts";
import { decodeEntryBody, encodeEntryBody, type EntryBody } from "./entry_body.ts";
import { ENTRY_BODY_BYTES_MAX, INLINE_BYTES_MAX } from "./format.ts";
import { logEntryName } from "./names.ts";
import { zstdCompress, zstdDecompress } from "./zstd_frame.ts";

/** A record ready to be sealed. */
export interface EncodedRecord {
  readonly payload: Bytes;
  /** 64 characters of hex. */
  readonly entryHash: string;
}

/**
 * The key that an entry must be signed with. Null: the one that it brings itself. `unchecked`: who
 * only looks what the entry says, and verifies it later.
 */
export type SignKey = Bytes | null | "unchecked";

/** What a reader knows of an entry before it opens it. */
export interface ExpectedEntry {
  /** From the object's name. */
  readonly tag: string;
  /** From the object's name. */
  readonly seq: number;
  /** From the object's name. */
  readonly hash8: string;
  /** Ed25519 key of the machine whose log it is; null for entry 1, which brings its own. */
  readonly signPublic: SignKey;
  /** machineId whose log it is, when known. */
  readonly machine?: string;
  /** Hash of the entry before it, when known. */
  readonly prev?: string;
  /** Hex of the epoch that opened it, when the caller wants it compared. */
  readonly kid?: string;
}

/** An entry of which everything that concerns it alone holds. */
export interface DecodedRecord {
  readonly body: EntryBody;
  /** Stored bytes of the groups inside the entry; a view of the payload. */
  readonly inline: Bytes;
  /** 64 characters of hex. */
  readonly entryHash: string;
  /** Of the body as it is signed. */
  readonly bodySizeBytes: number;
}

interface RecordParts {
  readonly bodyBytes: Bytes;
  readonly signature: Bytes;
  readonly inline: Bytes;
}

const HEAD_BYTES = 8;

/**
 * Signs `body` and joins it with the inline groups, which it must describe (anything else is a
 * bug). Throws `too-large` for a body over 16 MiB.
 */
export async function encodeRecord(
  body: EntryBody,
  identity: MachineIdentity,
  vaultId: Bytes,
  inline: Bytes,
): Promise<EncodedRecord> {
  assert(body.machine === identity.id, "a machine signs its own entries only");
  assert(body.inline.size === inline.length, "an entry says how long its inline part is");
  assert(body.inline.sha256 === sha256Hex(inline), "an entry says what its inline part is");
  const bodyBytes = encodeEntryBody(body);
  const signature = await identity.sign(signedBytes(vaultId, bodyBytes));
  const stored = zstdCompress(bodyBytes);
  const lengths = concat(u32be(stored.length), u32be(bodyBytes.length));
  return {
    payload: concat(lengths, stored, signature, inline),
    entryHash: entryHashOf(bodyBytes, signature),
  };
}

/**
 * Reads a log object's payload and verifies everything that concerns this entry alone: lengths,
 * hash and name, signature, machine, tag, number, inline part and the body's own rules. Throws
 * `newer-format` or `damaged`, naming the object. Whether the entries before it and other machines'
 * claims agree is the reader's task.
 */
export async function decodeRecord(
  payload: Bytes,
  vaultId: Bytes,
  expected: ExpectedEntry,
): Promise<DecodedRecord> {
  const objectName = logEntryName(expected.tag, expected.seq, expected.hash8);
  const parts = splitRecord(payload);
  if (parts === null) throw damagedObject(objectName);
  const { bodyBytes, signature, inline } = parts;
  const entryHash = entryHashOf(bodyBytes, signature);
  if (entryHash.slice(0, 8) !== expected.hash8) throw damagedObject(objectName);
  const signed = signedBytes(vaultId, bodyBytes);
  const { signPublic } = expected;
  if (signPublic !== null && signPublic !== "unchecked") {
    const isSigned = await verifySignature(signPublic, signature, signed);
    if (!isSigned) throw damagedObject(objectName);
  }
  const body = decodeEntryBody(bodyBytes, objectName);
  if (!isExpected(body, expected)) throw damagedObject(objectName);
  const own = enrolledKey(body);
  if (signPublic === null) {
    const isSigned = own !== null && await verifySignature(own, signature, signed);
    if (!isSigned) throw damagedObject(objectName);
  }
  if (body.inline.size !== inline.length) throw damagedObject(objectName);
  if (body.inline.sha256 !== sha256Hex(inline)) throw damagedObject(objectName);
  return { body, inline, entryHash, bodySizeBytes: bodyBytes.length };
}

function splitRecord(payload: Bytes): RecordParts | null {
  if (payload.length < HEAD_BYTES + SIGNATURE_BYTES) return null;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const storedLength = view.getUint32(0);
  const rawLength = view.getUint32(4);
  if (rawLength > ENTRY_BODY_BYTES_MAX) return null;
  const signatureAt = HEAD_BYTES + storedLength;
  const inlineAt = signatureAt + SIGNATURE_BYTES;
  if (inlineAt > payload.length || payload.length - inlineAt > INLINE_BYTES_MAX) return null;
  const bodyBytes = zstdDecompress(payload.subarray(HEAD_BYTES, signatureAt), rawLength);
  if (bodyBytes === null) return null;
  return {
    bodyBytes,
    signature: payload.slice(signatureAt, inlineAt),
    inline: payload.subarray(inlineAt),
  };
}

function isExpected(body: EntryBody, expected: ExpectedEntry): boolean {
  return body.tag === expected.tag && body.seq === expected.seq &&
    (expected.machine === undefined || body.machine === expected.machine) &&
    (expected.prev === undefined || body.prev === expected.prev) &&
    (expected.kid === undefined || body.kid === expected.kid);
}

function enrolledKey(body: EntryBody): Bytes | null {
  const first = body.ops[0];
  return first?.op === "enrol" ? fromHex(first.sign) : null;
}

function signedBytes(vaultId: Bytes, bodyBytes: Bytes): Bytes {
  return concat(label("log-entry"), lengthPrefixed(vaultId), bodyBytes);
}

function entryHashOf(bodyBytes: Bytes, signature: Bytes): string {
  return toHex(sha256(concat(label("log-hash"), lengthPrefixed(bodyBytes), signature)));
}
