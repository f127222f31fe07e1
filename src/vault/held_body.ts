/** What entries say, held until all logs are read: none is used before. */
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { type Bytes, utf8 } from "../base/bytes.ts";
import type { Memory } from "../platform/types.ts";
import type { EntryBody, Op } from "./entry_body.ts";

/** Most bodies have a few ops, and are used at once. */
const OPS_PACKED_MIN = 64;

/**
 * The same body, in little memory when it is large: its ops are then made anew whenever they are
 * asked for, so nobody should ask again and again.
 */
export function heldBody(body: EntryBody, memory?: Pick<Memory, "passed">): EntryBody {
  return body.ops.length < OPS_PACKED_MIN ? body : new PackedBody(body, memory);
}

/** Texts and objects that ops are made of anew, in sizes of their text. */
const PARSED_COPIES = 4;

/** Ops that were asked for last. */
let latest: { readonly of: PackedBody; readonly ops: readonly Op[] } | null = null;

class PackedBody implements EntryBody {
  readonly v: 1;
  readonly machine: string;
  readonly tag: string;
  readonly seq: number;
  readonly prev: string;
  readonly kid: string;
  readonly time: number;
  readonly base?: number | undefined;
  readonly heads: EntryBody["heads"];
  readonly inline: EntryBody["inline"];
  readonly packs: EntryBody["packs"];
  readonly #packed: Bytes;
  readonly #memory: Pick<Memory, "passed"> | undefined;

  constructor({ ops, ...rest }: EntryBody, memory: Pick<Memory, "passed"> | undefined) {
    this.#memory = memory;
    this.v = rest.v;
    this.machine = rest.machine;
    this.tag = rest.tag;
    this.seq = rest.seq;
    this.prev = rest.prev;
    this.kid = rest.kid;
    this.time = rest.time;
    if (rest.base !== undefined) this.base = rest.base;
    this.heads = rest.heads;
    this.inline = rest.inline;
    this.packs = rest.packs;
    this.#packed = new Uint8Array(deflateRawSync(utf8(JSON.stringify(ops)), { level: 1 }));
  }

  get ops(): readonly Op[] {
    if (latest?.of === this) return latest.ops;
    // What was checked when it was decoded, and has been in our own hands since.
    const text = inflateRawSync(this.#packed).toString("utf8");
    const ops: readonly Op[] = JSON.parse(text);
    this.#memory?.passed(PARSED_COPIES * text.length);
    latest = { of: this, ops };
    return ops;
  }
}
