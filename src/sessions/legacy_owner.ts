import type { FileSystem } from "../platform/types.ts";
import { records } from "./transcript.ts";
import { parseSessionId } from "./session_id.ts";
import type { SessionId } from "./session_id.ts";

/** How much of an agent's file is read to find its owner. */
const FIRST_READ_BYTES = 16 * 1024;
const LAST_READ_BYTES = 4 * 1024 * 1024;

/**
 * The session that an agent's transcript of client 2.0 belongs to: the `sessionId` of its first
 * record that parses. Null when there is none in the first 4 MiB.
 */
export function legacyOwner(fs: FileSystem, path: string): SessionId | null {
  const handle = fs.openRead(path);
  if (handle === null) return null;
  try {
    for (let size = FIRST_READ_BYTES; size <= LAST_READ_BYTES; size *= 16) {
      const buffer = new Uint8Array(size);
      const length = handle.readAt(buffer, 0);
      for (const record of records(buffer.subarray(0, length))) {
        if (record.parsed === null) continue;
        const id = record.parsed["sessionId"];
        return typeof id === "string" ? parseSessionId(id) : null;
      }
      if (length < size) return null;
    }
    return null;
  } finally {
    handle.close();
  }
}
