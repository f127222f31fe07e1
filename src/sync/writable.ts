/** Asks the disk itself why it takes nothing. */
import type { FileSystem } from "../platform/types.ts";

/** Enough that a disk without a free block says so. */
const PROBE_BYTES = 4096;

/**
 * Throws the system's own reason (`no-space`, `local-io`) when nothing can be written beside
 * `path`: SQLite says only that it cannot, for a full disk as for one that is read-only.
 */
export function requireWritable(fs: FileSystem, path: string): void {
  const probe = `${path}-probe`;
  fs.removeFile(probe);
  const handle = fs.createFile(probe);
  try {
    handle.write(new Uint8Array(PROBE_BYTES));
  } finally {
    handle.close();
    fs.removeFile(probe);
  }
}
