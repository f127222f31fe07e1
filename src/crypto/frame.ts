/**
 * The plaintext inside an envelope (FORMAT.md section 5): commitment, magic, lengths, payload,
 * zeros. Pure layout; `envelope.ts` encrypts it.
 */
import { type Bytes, concat, equalBytes, u64be, utf8 } from "../base/bytes.ts";

/** Largest sealed object: 64 MiB, because WebCrypto takes whole messages only. */
export const SEALED_BYTES_MAX = 64 * 1024 * 1024;

/** Smallest sealed object: 4 KiB, so that small entries all look alike. */
export const SEALED_BYTES_MIN = 4096;

/** Random IV in front of every object. */
export const IV_BYTES = 12;

/** GCM tag after the IV. */
export const TAG_BYTES = 16;

/** Key commitment at the start of the frame. */
const COMMIT_BYTES = 32;

/** What an object adds to its payload before padding. */
export const ENVELOPE_OVERHEAD_BYTES = 84;

const FRAME_HEAD_BYTES = ENVELOPE_OVERHEAD_BYTES - IV_BYTES - TAG_BYTES;

/** Magic `CSO1`, version 1, compression 0 (none), two zeros. */
function frameMark(): Bytes {
  return concat(utf8("CSO1"), Uint8Array.of(1, 0, 0, 0));
}

/** Rounds a length >= 2 up so that it tells little about what is inside: at most 12 % more. */
export function padme(lengthBytes: number): number {
  const exponent = Math.floor(Math.log2(lengthBytes));
  const mantissaBits = Math.floor(Math.log2(exponent)) + 1;
  const step = 2 ** Math.max(0, exponent - mantissaBits);
  return Math.ceil(lengthBytes / step) * step;
}

/** Length of the object that holds a payload of this length. May exceed `SEALED_BYTES_MAX`. */
export function sealedSizeBytes(payloadLengthBytes: number): number {
  return Math.max(SEALED_BYTES_MIN, padme(ENVELOPE_OVERHEAD_BYTES + payloadLengthBytes));
}

/** The padded frame for `payload`, ready to encrypt. */
export function encodeFrame(commit: Bytes, payload: Uint8Array): Bytes {
  const frame = new Uint8Array(sealedSizeBytes(payload.length) - IV_BYTES - TAG_BYTES);
  const length = u64be(payload.length);
  const head = concat(commit, frameMark(), length, length);
  frame.set(head);
  frame.set(payload, head.length);
  return frame;
}

/**
 * Gives the payload (a view of `frame`), or null unless every check of FORMAT.md section 5 holds.
 */
export function decodeFrame(commit: Bytes, frame: Bytes): Bytes | null {
  if (frame.length < FRAME_HEAD_BYTES) return null;
  if (!equalBytes(frame.subarray(0, COMMIT_BYTES), commit)) return null;
  const mark = frameMark();
  const lengthsAt = COMMIT_BYTES + mark.length;
  if (!equalBytes(frame.subarray(COMMIT_BYTES, lengthsAt), mark)) return null;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const stored = view.getBigUint64(lengthsAt);
  if (stored !== view.getBigUint64(lengthsAt + 8)) return null;
  if (stored > BigInt(frame.length - FRAME_HEAD_BYTES)) return null;
  const end = FRAME_HEAD_BYTES + Number(stored);
  if (frame.length + IV_BYTES + TAG_BYTES !== sealedSizeBytes(Number(stored))) return null;
  for (let at = end; at < frame.length; at++) if (frame[at] !== 0) return null;
  return frame.subarray(FRAME_HEAD_BYTES, end);
}
