import { ClaudeSyncError } from "../errors.ts";

/**
 * The one error for an object that fails any check. It never says which check: that would tell
 * whoever made the object how far it got.
 */
export function damagedObject(objectName: string): ClaudeSyncError {
  return new ClaudeSyncError("damaged", "Object is damaged or was made with another key", {
    objectName,
  });
}
