import type { FileSystem, Host } from "../platform/types.ts";
import { realpathIfAny } from "./foreign_file.ts";
import { absolutePath } from "./local_path.ts";

/** Longest slug that is not shortened, in UTF-16 units. */
const SLUG_LENGTH_MAX = 200;

/**
 * The folder below `projects/` that the client uses for a working folder. `realCwd` is the absolute
 * path with links resolved, in the system's own spelling. Different paths may share a slug.
 */
export function slugOf(realCwd: string): string {
  const dashed = realCwd.replace(/[^a-zA-Z0-9]/g, "-");
  if (dashed.length <= SLUG_LENGTH_MAX) return dashed;
  let hash = 0;
  for (let i = 0; i < realCwd.length; i++) hash = (Math.imul(hash, 31) + realCwd.charCodeAt(i)) | 0;
  return `${dashed.slice(0, SLUG_LENGTH_MAX)}-${Math.abs(hash).toString(36)}`;
}

/** Slug of a folder: of its real path when it exists, else of the path as written. */
export function slugOfDir(fs: FileSystem, host: Host, dir: string): string {
  const absolute = absolutePath(host.os, host.cwd(), dir);
  return slugOf(realpathIfAny(fs, absolute) ?? absolute);
}
