/** Where a vault is: what `config.json` holds, and how it is shown. */
import * as z from "zod/mini";
import { ClaudeSyncError } from "../errors.ts";

/** Longest path of a folder, in UTF-16 units. */
export const LOCATION_PATH_LENGTH_MAX = 4096;

/**
 * A POSIX path, a Windows drive or a network share; never relative to wherever a hook happens to
 * run.
 */
const ABSOLUTE_PATH = /^(\/|[A-Za-z]:[\\/]|\\\\)[^\0]*$/;

const folderLocation = z.strictObject({
  kind: z.literal("folder"),
  path: z.string().check(z.maxLength(LOCATION_PATH_LENGTH_MAX), z.regex(ABSOLUTE_PATH)),
});

/** The form of a location in `config.json`, for use in a larger schema. */
export const storeLocationSchema = z.discriminatedUnion("kind", [folderLocation]);

/** Where a vault is. */
export type StoreLocation = z.infer<typeof storeLocationSchema>;

/** Checks a location read from JSON; throws `malformed-file` when it is none. */
export function parseStoreLocation(value: unknown): StoreLocation {
  const parsed = storeLocationSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new ClaudeSyncError("malformed-file", "The place of the vault is not valid", {
    cause: parsed.error,
    hint: 'It must be like {"kind":"folder","path":"/absolute/path"}',
  });
}

/** The location of the folder at an absolute path; throws `usage` for any other path. */
export function folderLocationOf(path: string): StoreLocation {
  const parsed = folderLocation.safeParse({ kind: "folder", path });
  if (parsed.success) return parsed.data;
  throw new ClaudeSyncError("usage", `"${path}" is not an absolute path`, { cause: parsed.error });
}

/** How a location is shown to the user. Holds no secret. */
export function formatStoreLocation(location: StoreLocation): string {
  return location.path;
}
