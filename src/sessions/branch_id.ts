import { createHash } from "node:crypto";
import { concat, fromHex, u32be, utf8 } from "../base/bytes.ts";
import { assert } from "../base/assert.ts";
import { idOfDigest } from "./derived_id.ts";
import type { SessionId } from "./session_id.ts";

const LABEL = "claude-sync branch id v1";

/**
 * The id of the branch of session `rootId` that starts with the spoken record `firstHash`: a UUID
 * of version 8 from the first 16 bytes of `SHA-256(label || root id || record identity)`, each part
 * preceded by its length in four bytes. The same on every machine, and never one the client chooses
 * (it uses version 4). `rootId` is the session that the first machine began, never a branch: so the
 * id does not depend on which continuation was known first.
 */
export function branchId(rootId: SessionId, firstHash: string): SessionId {
  const record = fromHex(firstHash);
  assert(record !== null && record.length === 32, "a record's identity is a SHA-256");
  const parts = [utf8(LABEL), utf8(rootId), record]
    .map((part) => concat(u32be(part.length), part));
  return idOfDigest(createHash("sha256").update(concat(...parts)).digest());
}

/** Whether `id` has the layout of a derived id. Proof is `rootSessionId`'s business. */
export function mayBeBranchId(id: SessionId): boolean {
  return id[14] === "8";
}
