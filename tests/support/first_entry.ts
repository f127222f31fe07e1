/** Entries for an index, without a vault that they would be in. */
import { utf8 } from "../../src/base/bytes.ts";
import { EMPTY_SHA256_HEX, sha256Hex } from "../../src/crypto/hash.ts";
import type { EntryBody, Op } from "../../src/vault/entry_body.ts";
import type { VerifiedEntry } from "../../src/vault/log_reader.ts";

/** An id of a machine, a key or a forget. */
export function idOf(number: number): string {
  return number.toString(16).padStart(32, "0");
}

/** The first entry of a machine of its own: such may be read in any order. */
export function firstEntry(number: number, ops: readonly Op[]): VerifiedEntry {
  const name = idOf(number);
  const body: EntryBody = {
    v: 1,
    machine: name,
    tag: number.toString(10).padStart(16, "0"),
    seq: 1,
    prev: "0".repeat(64),
    kid: idOf(0),
    time: 1_000 + number,
    heads: {},
    inline: { size: 0, sha256: EMPTY_SHA256_HEX },
    packs: [],
    ops: [{ op: "enrol", sign: idOf(1), kem: idOf(2), name, os: "linux" }, ...ops],
  };
  const hash = sha256Hex(utf8(name));
  return { objectName: `log/${body.tag}/x`, body, hash, sizeBytes: 1 };
}
