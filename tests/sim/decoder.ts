/**
 * Opens objects of a vault as FORMAT.md says, without a line of the program: what the checkers know
 * of a vault must not come from what they check. Trusts who wrote it: no signature is looked at.
 */
import { Buffer } from "node:buffer";
import nodeCrypto from "node:crypto";
import { zstdDecompressSync } from "node:zlib";

/** A segment of a file, as the op says it. */
export interface DecodedSegment {
  readonly file: string;
  readonly gen: string;
  readonly off: number;
  readonly len: number;
  readonly parent: string;
  readonly hash: string;
  readonly mtime: number;
}

/** A group of segments; `in` is an index into the entry's packs, or -1. */
export interface DecodedGroup {
  readonly in: number;
  readonly at: number;
  readonly stored: number;
  readonly comp: "zstd" | "none";
  readonly segments: readonly DecodedSegment[];
}

/** A state that a `forget` names. */
export interface DecodedLeaf {
  readonly file: string;
  readonly gen: string;
  readonly hash: string;
}

/** What a session is called at a state of its transcript. */
export interface DecodedTitle {
  readonly text: string;
  readonly time: number;
  readonly gen: string;
  readonly hash: string;
}

/** What is looked at of ops. */
export type DecodedOp =
  | { readonly op: "enrol" }
  | {
    readonly op: "add";
    readonly session: string;
    readonly title?: DecodedTitle;
    readonly gens: readonly {
      readonly file: string;
      readonly gen: string;
      readonly from: { readonly gen: string; readonly hash: string };
    }[];
    readonly groups: readonly DecodedGroup[];
  }
  | { readonly op: "checkpoint"; readonly from: number; readonly covered: readonly string[] }
  | {
    readonly op: "retire";
    readonly tag: string;
    readonly seq: number;
    readonly covered: readonly string[];
  }
  | {
    readonly op: "forget";
    readonly id: string;
    readonly session: string;
    readonly leaves: readonly DecodedLeaf[];
  }
  | { readonly op: "recall"; readonly ids: readonly string[] };

/** An entry's body, and the bytes that travel with it. */
export interface DecodedEntry {
  readonly machine: string;
  readonly tag: string;
  readonly seq: number;
  readonly base?: number;
  readonly packs: readonly { readonly name: string }[];
  readonly ops: readonly DecodedOp[];
  readonly inline: Buffer;
}

const IV_BYTES = 12;
const TAG_BYTES = 16;
/** Commitment, magic and version come before the lengths. */
const LENGTHS_AT = 40;
const PAYLOAD_AT = LENGTHS_AT + 16;
const SIGNATURE_BYTES = 64;

/** Opens objects of the vault with the root key `key`, whose header has these bytes. */
export class Decoder {
  readonly #objectKey: Buffer;
  readonly #kid: Buffer;
  readonly #vaultId: Buffer;

  constructor(key: Uint8Array, header: Uint8Array) {
    const { vaultId } = JSON.parse(Buffer.from(header).toString()) as { vaultId: string };
    this.#vaultId = Buffer.from(vaultId, "hex");
    this.#kid = hkdf(key, label("key-id"), 16);
    this.#objectKey = hkdf(hkdf(key, label("epoch-data"), 32), label("object"), 32);
  }

  /** The payload of an object; throws when it does not open. */
  open(type: "log" | "pack", name: string, sealed: Uint8Array): Buffer {
    const context = Buffer.concat([
      Buffer.from("claude-sync/v1\0"),
      ...[Buffer.from(type), this.#vaultId, this.#kid, Buffer.from(name)].map(lengthPrefixed),
    ]);
    const okm = hkdf(this.#objectKey, Buffer.concat([label("object-key"), context]), 64);
    const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
    const cipher = nodeCrypto.createDecipheriv(
      "aes-256-gcm",
      okm.subarray(0, 32),
      bytes.subarray(0, IV_BYTES),
    );
    cipher.setAAD(context);
    cipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
    const body = bytes.subarray(IV_BYTES + TAG_BYTES);
    const frame = Buffer.concat([cipher.update(body), cipher.final()]);
    const length = Number(frame.readBigUInt64BE(LENGTHS_AT));
    return frame.subarray(PAYLOAD_AT, PAYLOAD_AT + length);
  }

  /** A log entry. */
  entry(name: string, sealed: Uint8Array): DecodedEntry {
    const payload = this.open("log", name, sealed);
    const storedLength = payload.readUInt32BE(0);
    const body = zstdDecompressSync(payload.subarray(8, 8 + storedLength)).toString();
    const inline = payload.subarray(8 + storedLength + SIGNATURE_BYTES);
    return { ...JSON.parse(body) as DecodedEntry, inline };
  }
}

/** A group's raw bytes; `payload`: of the pack or of the entry's inline part that it lies in. */
export function groupBytes({ at, stored, comp }: DecodedGroup, payload: Buffer): Buffer {
  const bytes = payload.subarray(at, at + stored);
  return comp === "zstd" ? zstdDecompressSync(bytes) : bytes;
}

function label(text: string): Buffer {
  return Buffer.from(`claude-sync/v1/${text}\0`);
}

function lengthPrefixed(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function hkdf(key: Uint8Array, info: Buffer, length: number): Buffer {
  return Buffer.from(nodeCrypto.hkdfSync("sha256", key, Buffer.alloc(0), info, length));
}
