/** Packs: stored groups, one after the other, without framing (FORMAT.md section 6). */
import { assert } from "../base/assert.ts";
import { type Bytes, concat } from "../base/bytes.ts";
import { damagedObject } from "../crypto/damaged.ts";
import { PACK_PAYLOAD_BYTES_MAX } from "./format.ts";

/** Collects stored groups until the sealed pack would exceed 8 MiB. */
export class PackBuilder {
  readonly #groups: Bytes[] = [];
  #sizeBytes = 0;

  /** Payload bytes so far. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** How many groups it holds. */
  get groupCount(): number {
    return this.#groups.length;
  }

  /**
   * Adds a stored group and gives its place (`at`), or null, with nothing added, when it does not
   * fit any more.
   */
  add(stored: Bytes): number | null {
    assert(stored.length <= PACK_PAYLOAD_BYTES_MAX, "a group fits an empty pack");
    if (this.#sizeBytes + stored.length > PACK_PAYLOAD_BYTES_MAX) return null;
    const at = this.#sizeBytes;
    this.#groups.push(stored);
    this.#sizeBytes += stored.length;
    return at;
  }

  /** The payload to seal. */
  payload(): Bytes {
    return concat(...this.#groups);
  }
}

/**
 * A view of one group's stored bytes in a pack's payload or an entry's inline part. Throws
 * `damaged`, naming `objectName`, when they do not lie within it.
 */
export function storedGroup(
  payload: Bytes,
  place: { readonly at: number; readonly stored: number },
  objectName: string,
): Bytes {
  if (place.at + place.stored > payload.length) throw damagedObject(objectName);
  return payload.subarray(place.at, place.at + place.stored);
}
