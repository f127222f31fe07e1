/** What entries say, held until all logs are read: none is used before. */
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { type Bytes, utf8 } from "../base/bytes.ts";
import type { Memory } from "../platform/types.ts";
import type { EntryBody, Op } from "./entry_body.ts";

/** Most bodies have a few ops, and are used at once. */
const OPS_PACKED_MIN = 64;

/** Texts and objects that ops are made of anew, in sizes of their text. */
const PARSED_COPIES = 4;

/** The ops of one body that was packed. */
interface UnpackedOps {
  readonly packed: Bytes;
  readonly ops: readonly Op[];
}

/** Bodies of entries as they are held, and the ops of that one which was asked for last. */
export class HeldBodies {
  readonly #memory: Pick<Memory, "passed"> | null;
  #latest: UnpackedOps | null = null;

  /** `memory` is told of what is made anew. */
  constructor(memory: Pick<Memory, "passed"> | null = null) {
    this.#memory = memory;
  }

  /**
   * The same body, in little memory when it is large: its ops are then made anew whenever they are
   * asked for, but for those that were asked for last. So nobody should go to and fro between two.
   */
  hold(body: EntryBody): EntryBody {
    if (body.ops.length < OPS_PACKED_MIN) return body;
    const { ops: given, ...rest } = body;
    const packed = new Uint8Array(deflateRawSync(utf8(JSON.stringify(given)), { level: 1 }));
    const unpacked = () => this.#opsOf(packed);
    return {
      ...rest,
      get ops() {
        return unpacked();
      },
    };
  }

  #opsOf(packed: Bytes): readonly Op[] {
    if (this.#latest?.packed === packed) return this.#latest.ops;
    // What was checked when it was decoded, and has been in our own hands since.
    const text = inflateRawSync(packed).toString("utf8");
    const ops: readonly Op[] = JSON.parse(text);
    this.#memory?.passed(PARSED_COPIES * text.length);
    this.#latest = { packed, ops };
    return ops;
  }
}
