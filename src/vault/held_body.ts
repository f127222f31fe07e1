/** What entries say, held until all logs are read: none is used before. */
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { type Bytes, utf8 } from "../base/bytes.ts";
import type { Memory } from "../platform/types.ts";
import type { EntryBody, Op } from "./entry_body.ts";

/** Most bodies have a few ops, and are used at once. */
const OPS_PACKED_MIN = 64;

/** Texts and objects that ops are made of anew, in sizes of their text. */
const PARSED_COPIES = 4;

/** Ops that were asked for last. */
let latest: { readonly packed: Bytes; readonly ops: readonly Op[] } | null = null;

/**
 * The same body, in little memory when it is large: its ops are then made anew whenever they are
 * asked for, so nobody should ask again and again.
 */
export function heldBody(body: EntryBody, memory?: Pick<Memory, "passed">): EntryBody {
  if (body.ops.length < OPS_PACKED_MIN) return body;
  const { ops: given, ...rest } = body;
  const packed = new Uint8Array(deflateRawSync(utf8(JSON.stringify(given)), { level: 1 }));
  return {
    ...rest,
    get ops() {
      if (latest?.packed === packed) return latest.ops;
      // What was checked when it was decoded, and has been in our own hands since.
      const text = inflateRawSync(packed).toString("utf8");
      const ops: readonly Op[] = JSON.parse(text);
      memory?.passed(PARSED_COPIES * text.length);
      latest = { packed, ops };
      return ops;
    },
  };
}
