/** Places that are not there yet, which a dry run must not make to look at them. */
import { isAbsolute } from "node:path";
import { isClaudeSyncError } from "../errors.ts";
import type { FileSystem } from "../platform/types.ts";
import type { StoreLocation } from "../storage/location.ts";

/** Whether a place on this disk is not there yet. */
export function isToBeMade({ lstat }: FileSystem, location: StoreLocation): boolean {
  switch (location.kind) {
    case "folder":
      return lstat(location.path) === null;
    case "git":
      return isAbsolute(location.url) && lstat(location.url) === null;
    default:
      return false;
  }
}

/** What was read, or null where a dry run would first make the bucket. */
export async function unlessBucketIsToBeMade<T>(
  { dryRun, createBucket = false }: { readonly dryRun: boolean; readonly createBucket?: boolean },
  reading: Promise<T>,
): Promise<T | null> {
  try {
    return await reading;
  } catch (error) {
    if (dryRun && createBucket && isClaudeSyncError(error, "no-vault")) return null;
    throw error;
  }
}
