import { createHash } from "node:crypto";
import type { Bytes } from "../../src/base/bytes.ts";
import type { Random } from "../../src/platform/types.ts";

/** The same bytes in every run: SHA-256 of `seed` and a counter. For tests and vectors only. */
export function fixedRandom(seed: string): Random {
  let counter = 0;
  return {
    bytes(length): Bytes {
      const bytes = new Uint8Array(length);
      for (let at = 0; at < length; at += 32) {
        const block = createHash("sha256").update(`${seed} ${counter++}`).digest();
        bytes.set(block.subarray(0, Math.min(32, length - at)), at);
      }
      return bytes;
    },
  };
}
