/** Reads a local file once and tells how much of it the vault has. */
import type { Bytes } from "../base/bytes.ts";
import { Sha256 } from "../crypto/hash.ts";
import type { FileStat, FileSystem, ReadHandle } from "../platform/types.ts";
import { EMPTY_HASH, type FileState } from "./segment_index.ts";

/** Bytes read at a time. */
const WINDOW_BYTES = 4 * 1024 * 1024;
const NEWLINE = 10;

/** What one pass over a file found. */
export interface FileScan {
  readonly stat: FileStat;
  /** Bytes that were read; the file may have grown since. */
  readonly sizeBytes: number;
  readonly hash: string;
  /**
   * All given states that the file begins with, shortest first. An empty file matches only states
   * of an empty file.
   */
  readonly matches: readonly FileState[];
  /** Offset after the last line feed; 0 when there is none. */
  readonly lineEnd: number;
  /** Hash in progress at the longest match, to go on from; null without one. */
  readonly hasher: Sha256 | null;
}

/** Sees all bytes that are read, so that nobody need read them again. */
export interface ScanFollower {
  begin(handle: ReadHandle): void;
  /** The bytes are gone after the call. */
  take(bytes: Uint8Array, offset: number): void;
  /** `stat`: of the file as it was when the scan began. */
  end(handle: ReadHandle, stat: FileStat): void;
}

/** Scans the file at `path`, or gives null when it is gone. Errors: `local-io`. */
export function scanFile(
  fs: FileSystem,
  path: string,
  states: readonly FileState[],
  follower: ScanFollower | null = null,
): FileScan | null {
  const handle = fs.openRead(path);
  if (handle === null) return null;
  try {
    return scanHandle(handle, states, follower);
  } finally {
    handle.close();
  }
}

/** Scans an open file. Errors: `local-io`. */
export function scanHandle(
  handle: ReadHandle,
  states: readonly FileState[],
  follower: ScanFollower | null = null,
): FileScan {
  const stat = handle.stat();
  const sizeBytes = stat.sizeBytes;
  const offsets = [...new Set(states.map((state) => state.len))]
    .filter((len) => len > 0 && len <= sizeBytes).sort((a, b) => a - b);
  const hash = new Sha256();
  const matches: FileState[] = [];
  let hasher: Sha256 | null = null;
  let lineEnd = 0;
  let nextOffset = 0;
  const settle = (at: number) => {
    const digest = hash.copy().digestHex();
    const found = states.filter((state) => state.len === at && state.hash === digest);
    if (found.length === 0) return;
    matches.push(...found);
    hasher = hash.copy();
  };
  follower?.begin(handle);
  for (const { bytes, offset } of windows(handle, 0, sizeBytes)) {
    follower?.take(bytes, offset);
    let done = 0;
    while (nextOffset < offsets.length && offsets[nextOffset]! <= offset + bytes.length) {
      const cut = offsets[nextOffset++]! - offset;
      hash.update(bytes.subarray(done, cut));
      done = cut;
      settle(offset + cut);
    }
    hash.update(bytes.subarray(done));
    const newline = bytes.lastIndexOf(NEWLINE);
    if (newline >= 0) lineEnd = offset + newline + 1;
  }
  follower?.end(handle, stat);
  const read = hash.lengthBytes;
  if (read === 0) matches.push(...states.filter((state) => state.len === 0));
  const digest = read === 0 ? EMPTY_HASH : hash.digestHex();
  return { stat, sizeBytes: read, hash: digest, matches, lineEnd, hasher };
}

/**
 * The bytes `[from, to)` of an open file in windows of at most 4 MiB; ends early where the file
 * does. All stand in one buffer: each is gone with the next.
 */
export function* windows(
  handle: ReadHandle,
  from: number,
  to: number,
): Iterable<{ bytes: Bytes; offset: number }> {
  const window = new Uint8Array(Math.max(0, Math.min(WINDOW_BYTES, to - from)));
  let offset = from;
  while (offset < to) {
    const wanted = window.subarray(0, Math.min(window.length, to - offset));
    const count = handle.readAt(wanted, offset);
    if (count === 0) return;
    yield { bytes: wanted.subarray(0, count), offset };
    offset += count;
  }
}
