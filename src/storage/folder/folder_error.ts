import { errnoOf } from "../../base/errno.ts";
import { ClaudeSyncError, type ErrorCode } from "../../errors.ts";
import type { ObjectName } from "../object_name.ts";

const REFUSED = new Set(["EACCES", "EPERM", "EROFS", "ENAMETOOLONG"]);

/** What a failed call on the vault's folder means to whoever uses the store. */
export function folderError(
  error: unknown,
  action: "read" | "write" | "list" | "delete",
  subject: { readonly path: string; readonly objectName?: ObjectName },
): unknown {
  if (!(error instanceof ClaudeSyncError)) return error;
  const code = codeOf(error);
  if (code === null) return error;
  const errno = errnoOf(error);
  const reason = errno === null ? "" : ` (${errno})`;
  return new ClaudeSyncError(code, `Cannot ${action} "${subject.path}"${reason}`, {
    ...subject,
    cause: error,
    hint: hintFor(code, error),
  });
}

/** Null for errors that already say what they mean to a store's user. */
function codeOf(error: ClaudeSyncError): ErrorCode | null {
  switch (error.code) {
    case "no-space":
    case "too-large":
      return error.code;
    case "unsafe-file":
      return "store-invalid";
    case "local-io":
      return REFUSED.has(errnoOf(error) ?? "") ? "store-refused" : "store-unreachable";
    default:
      return null;
  }
}

function hintFor(code: ErrorCode, error: ClaudeSyncError): string {
  if (code === "store-invalid") return "Something other than claude-sync changed that folder";
  if (code === "too-large") return "That file was not made by claude-sync; move it away";
  return error.hint ?? "Check that the disk or network folder is mounted, then try again";
}

/**
 * The error for a vault folder that is not there, or is there but empty although it must not be.
 */
export function vanishedError(root: string, found: "absent" | "empty" | "file"): ClaudeSyncError {
  if (found === "file") {
    return new ClaudeSyncError("store-invalid", `"${root}" is a file, not a folder`, {
      path: root,
      hint: "Name a folder for the vault",
    });
  }
  return new ClaudeSyncError(
    "store-unreachable",
    found === "absent" ? `The vault's folder "${root}" is not there` : `"${root}" is empty`,
    {
      path: root,
      hint: "If it is on a network, removable or cloud-synced disk, connect it and wait until it " +
        "is ready; nothing was changed",
    },
  );
}

/** The error for something that is no ordinary file or folder where only that can be. */
export function strangeKindError(path: string, kind: string, wanted: string): ClaudeSyncError {
  return new ClaudeSyncError("store-invalid", `"${path}" is a ${kind}, not a ${wanted}`, {
    path,
    hint: "Something other than claude-sync changed that folder",
  });
}
