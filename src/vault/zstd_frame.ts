/**
 * zstd with the checks that `node:zlib` leaves out. On both runtimes it takes truncated frames
 * without an error; one decodes a second frame behind the first and the other ignores it. So the
 * frame's own structure (RFC 8878) is walked first: it must end exactly where the bytes end.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { assert } from "../base/assert.ts";
import { type Bytes, equalBytes } from "../base/bytes.ts";
import { ZSTD_LEVEL } from "./format.ts";

const MAGIC = 0xfd2fb528;
const RESERVED_BLOCK = 3;
const RLE_BLOCK = 1;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4] as const;
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const;

/**
 * One zstd frame of `raw`. Both runtimes append a second, empty frame when the first happens to end
 * where their output buffer does; it is cut off, and what is left is checked to hold everything.
 */
export function zstdCompress(raw: Uint8Array): Bytes {
  const params = { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL };
  const compressed = new Uint8Array(zstdCompressSync(raw, { params }));
  const length = zstdFrameLength(compressed);
  assert(length !== null, "zstd makes whole frames");
  if (length === compressed.length) return compressed;
  const frame = compressed.slice(0, length);
  const decompressed = zstdDecompress(frame, raw.length);
  assert(
    decompressed !== null && equalBytes(decompressed, raw),
    "the first frame holds everything",
  );
  return frame;
}

/**
 * Decompresses exactly one frame to exactly `rawLength` bytes and never makes more. Null when the
 * bytes are not one whole frame, are corrupt, or hold more or less than that.
 */
export function zstdDecompress(stored: Uint8Array, rawLength: number): Bytes | null {
  if (zstdFrameLength(stored) !== stored.length) return null;
  let raw: Bytes;
  try {
    raw = new Uint8Array(zstdDecompressSync(stored, { maxOutputLength: Math.max(1, rawLength) }));
  } catch {
    // The runtimes share no error code for corrupt frames, and nothing else can fail here.
    return null;
  }
  return raw.length === rawLength ? raw : null;
}

/**
 * Length of the frame at the start of `bytes`; null when there is none or it does not end within
 * them.
 */
export function zstdFrameLength(bytes: Uint8Array): number | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 6 || view.getUint32(0, true) !== MAGIC) return null;
  const descriptor = bytes[4]!;
  if ((descriptor & 0x08) !== 0) return null;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeCode = descriptor >>> 6;
  let at = 5 + (isSingleSegment ? 0 : 1) + DICTIONARY_ID_BYTES[descriptor & 3]!;
  at += sizeCode === 0 && isSingleSegment ? 1 : CONTENT_SIZE_BYTES[sizeCode]!;
  for (let isLast = false; !isLast;) {
    if (at + 3 > bytes.length) return null;
    const head = view.getUint16(at, true) | (bytes[at + 2]! << 16);
    const type = (head >>> 1) & 3;
    if (type === RESERVED_BLOCK) return null;
    at += 3 + (type === RLE_BLOCK ? 1 : head >>> 3);
    isLast = (head & 1) === 1;
  }
  if ((descriptor & 0x04) !== 0) at += 4;
  return at <= bytes.length ? at : null;
}
