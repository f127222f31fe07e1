/** What the ends of transcripts on disk tell: transcripts may be larger than memory. */
import type { FileSystem, ReadHandle } from "../platform/types.ts";
import { transcriptHead, transcriptTail } from "./transcript_facts.ts";
import type { TranscriptHead, TranscriptTail } from "./transcript_facts.ts";

const HEAD_BYTES = [64 * 1024, 1024 * 1024, 16 * 1024 * 1024];
const TAIL_BYTES = [64 * 1024, 1024 * 1024, 16 * 1024 * 1024];

/** The first working folder, looked for in the first 16 MiB. Null when the file is absent. */
export function readTranscriptHead(fs: FileSystem, path: string): TranscriptHead | null {
  return withFile(fs, path, (handle) => {
    let head: TranscriptHead = { firstCwd: null };
    const { sizeBytes } = handle.stat();
    for (const size of HEAD_BYTES) {
      const bytes = readPiece(handle, 0, Math.min(size, sizeBytes));
      head = transcriptHead(bytes);
      if (head.firstCwd !== null || bytes.length < size) break;
    }
    return head;
  });
}

/** What the last records tell, looked for in the last 16 MiB. Null when the file is absent. */
export function readTranscriptTail(fs: FileSystem, path: string): TranscriptTail | null {
  return withFile(fs, path, (handle) => {
    const { sizeBytes } = handle.stat();
    let tail = transcriptTail(new Uint8Array(0));
    for (const size of TAIL_BYTES) {
      tail = transcriptTail(
        readPiece(handle, Math.max(0, sizeBytes - size), Math.min(size, sizeBytes)),
      );
      const isFull = tail.lastActivityMs !== null && tail.lastVersion !== null;
      if (isFull || size >= sizeBytes) break;
    }
    return tail;
  });
}

function readPiece(handle: ReadHandle, offset: number, size: number): Uint8Array {
  const piece = new Uint8Array(size);
  return piece.subarray(0, handle.readAt(piece, offset));
}

function withFile<T>(fs: FileSystem, path: string, read: (handle: ReadHandle) => T): T | null {
  const handle = fs.openRead(path);
  if (handle === null) return null;
  try {
    return read(handle);
  } finally {
    handle.close();
  }
}
