/**
 * Opens objects of a vault as FORMAT.md says, without a line of the program: what the checkers know
 * of a vault must not come from what they check. Trusts who wrote it: no signature is looked at.
 */
import { Buffer } from "node:buffer";
import { zstdDecompressSync } from "node:zlib";
import { rawDecrypt, rawKeys } from "../crypto/raw_envelope.ts";

/** A state of a file of which the session is known. */
export type DecodedLeaf = Readonly<Record<"file" | "gen" | "hash", string>>;

/** A segment of a file: it leads from the hash `parent` to the leaf that it has in it. */
export type DecodedSegment =
  & DecodedLeaf
  & Readonly<Record<"parent", string> & Record<"off" | "len" | "mtime", number>>;

/** A group of segments; `in` is an index into the entry's packs, or -1. */
export interface DecodedGroup {
  readonly in: number;
  readonly at: number;
  readonly stored: number;
  readonly comp: "zstd" | "none";
  readonly segments: readonly DecodedSegment[];
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
      readonly from: Omit<DecodedLeaf, "file">;
    }[];
    readonly groups: readonly DecodedGroup[];
  }
  | { readonly op: "checkpoint"; readonly covered: readonly string[] }
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

/** Opens objects of the vault with the root key `root`, whose header has these bytes. */
export class Decoder {
  readonly #root: Uint8Array;
  readonly #vaultId: Buffer;

  constructor(root: Uint8Array, header: Uint8Array) {
    this.#root = root;
    const { vaultId } = JSON.parse(Buffer.from(header).toString()) as { vaultId: string };
    this.#vaultId = Buffer.from(vaultId, "hex");
  }

  /** The payload of an object; throws when it does not open. */
  open(type: "log" | "pack", name: string, sealed: Uint8Array): Buffer {
    const { cipherKey, context } = rawKeys({
      root: this.#root,
      vaultId: this.#vaultId,
      type,
      name,
    });
    const frame = rawDecrypt(cipherKey, context, sealed);
    // Commitment, magic and version, 8 bytes for each of two equal lengths, the payload, zeros.
    const payload = frame.subarray(32 + 8 + 8 + 8);
    return payload.subarray(0, Number(frame.readBigUInt64BE(32 + 8)));
  }

  /** A log entry. */
  entry(name: string, sealed: Uint8Array): DecodedEntry {
    const payload = this.open("log", name, sealed);
    // Two lengths, the body, its signature, the rest.
    const bodyEnd = 4 + 4 + payload.readUInt32BE(0);
    const body = zstdDecompressSync(payload.subarray(4 + 4, bodyEnd)).toString();
    return { ...JSON.parse(body) as DecodedEntry, inline: payload.subarray(bodyEnd + 64) };
  }
}

/** A group's raw bytes; `payload`: of the pack or of the entry's inline part that it lies in. */
export function groupBytes({ at, stored, comp }: DecodedGroup, payload: Buffer): Buffer {
  const bytes = payload.subarray(at, at + stored);
  return comp === "zstd" ? zstdDecompressSync(bytes) : bytes;
}
