import { ClaudeSyncError } from "../errors.ts";

/**
 * Throws a `bug` error unless `condition` holds; `mustHold` says what must hold. Kept in releases.
 */
export function assert(condition: unknown, mustHold: string): asserts condition {
  if (!condition) throw new ClaudeSyncError("bug", `Broken invariant: ${mustHold}`);
}
