/** Reading files that other programs wrote and that credentials are in. */
import { isAbsolute, join } from "node:path";
import { fromUtf8 } from "../../base/bytes.ts";
import { ClaudeSyncError, isClaudeSyncError } from "../../errors.ts";
import type { FileSystem, Host } from "../../platform/types.ts";

/** What is needed to read such files. */
export interface OutsideFiles {
  readonly fs: FileSystem;
  readonly host: Host;
}

/** An absolute path from one as people write it: `~/x`, relative to the current folder. */
export function outsidePath(host: Pick<Host, "home" | "cwd">, path: string): string {
  if (path === "~" || /^~[\\/]/.test(path)) return join(host.home, path.slice(1));
  return isAbsolute(path) ? path : join(host.cwd(), path);
}

/**
 * The text of such a file, without a mark of byte order; null when absent. Links are followed:
 * these files are often kept elsewhere. Errors: `malformed-file` for what is no text or no ordinary
 * file (a pipe would be waited for without end), `too-large`, `local-io`.
 */
export function readOutsideText(
  { fs }: Pick<OutsideFiles, "fs">,
  path: string,
  bytesMax: number,
): string | null {
  const real = fs.realpath(path);
  const stat = real === null ? null : fs.lstat(real);
  if (real === null || stat === null) return null;
  if (stat.kind !== "file") throw malformed(path, "is not an ordinary file");
  const bytes = fs.readFile(real, bytesMax);
  if (bytes === null) return null;
  const text = textOf(bytes);
  if (text === null) throw malformed(path, "is not text in UTF-8");
  return text.replace(/^\uFEFF/, "");
}

function textOf(bytes: Uint8Array): string | null {
  try {
    const text = fromUtf8(bytes);
    return text.includes("\0") ? null : text;
  } catch {
    // The decoder's only failure.
    return null;
  }
}

/** The value of JSON in such a file; never quotes it. Errors: `malformed-file`. */
export function parseOutsideJson(path: string, text: string): unknown {
  const value = jsonOf(text);
  if (value === undefined) throw malformed(path, "is not JSON");
  return value;
}

/** The value of JSON that may hold secrets; undefined when it is none. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Without the parser's message, which quotes what was read.
    return undefined;
  }
}

/** The error for a file that is not what it should be. Never quotes its content. */
export function malformed(path: string, why: string, hint?: string): ClaudeSyncError {
  return new ClaudeSyncError("malformed-file", `"${path}" ${why}`, {
    path,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** What a file says, or null when reading it is not allowed: for places that are only tried. */
export function ifReadable(read: () => string | null): string | null {
  try {
    return read();
  } catch (error) {
    if (isClaudeSyncError(error, "local-io", "malformed-file", "too-large")) return null;
    throw error;
  }
}
