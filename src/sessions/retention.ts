import type { FileSystem } from "../platform/types.ts";
import type { ClaudeRoot } from "./claude_root.ts";
import { readIfAny } from "./foreign_file.ts";
import { parseJsonObject } from "./json_object.ts";
import { pathRules } from "./local_path.ts";

/** Days after which the client deletes a session when the settings say nothing. */
export const CLEANUP_PERIOD_DAYS_DEFAULT = 30;
const SETTINGS_BYTES_MAX = 4 * 1024 * 1024;
const DAY_MS = 86_400_000;

/**
 * The user settings' `cleanupPeriodDays`. Anything but a number of at least 1, or a file that
 * cannot be understood, gives the default: then a pull brings back too little, never what is
 * deleted again.
 */
export function cleanupPeriodDays(fs: FileSystem, root: ClaudeRoot): number {
  const path = pathRules(root.os).join(root.configDir, "settings.json");
  const bytes = readIfAny(fs, path, SETTINGS_BYTES_MAX);
  const days = bytes === null ? undefined : parseJsonObject(bytes)?.["cleanupPeriodDays"];
  return typeof days === "number" && days >= 1 ? days : CLEANUP_PERIOD_DAYS_DEFAULT;
}

/**
 * Whether the client would delete a file of this modification time. Unknown activity is not past.
 */
export function isPastRetention(
  lastActivityMs: number | null,
  days: number,
  nowMs: number,
): boolean {
  return lastActivityMs !== null && nowMs - lastActivityMs > days * DAY_MS;
}
