import { assert } from "../base/assert.ts";
import { toHex } from "../base/bytes.ts";
import { parseSessionId, type SessionId } from "./session_id.ts";

/** A UUID of version 8 from the first 16 bytes of `digest`, which has at least as many. */
export function idOfDigest(digest: Uint8Array): SessionId {
  const bytes = digest.slice(0, 16);
  assert(bytes.length === 16, "a UUID has 16 bytes");
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = toHex(bytes);
  const parts = [[0, 8], [8, 12], [12, 16], [16, 20], [20, 32]] as const;
  const id = parseSessionId(parts.map(([from, to]) => hex.slice(from, to)).join("-"));
  assert(id !== null, "a derived id is a UUID");
  return id;
}
