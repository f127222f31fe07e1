/** How work ended that may fail. */
import { ClaudeSyncError, type ErrorCode } from "../../src/errors.ts";

/** The code that it failed with; null when it did not. Anything but a failure of ours is thrown. */
export async function codeOf(work: Promise<unknown>): Promise<ErrorCode | null> {
  try {
    await work;
    return null;
  } catch (error) {
    if (error instanceof ClaudeSyncError) return error.code;
    throw error;
  }
}

/** The failure that it ended with; throws when it did not fail, or not with one of ours. */
export async function errorOf(work: Promise<unknown>): Promise<ClaudeSyncError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof ClaudeSyncError) return error;
    throw error;
  }
  throw new Error("It did not fail");
}
