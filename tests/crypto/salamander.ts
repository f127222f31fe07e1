/**
 * One object that AES-GCM accepts under two keys. Its tag is a polynomial over the ciphertext's
 * blocks, so whoever knows both keys can solve for one block that gives the same tag under both.
 */
import { Buffer } from "node:buffer";
import { createCipheriv } from "node:crypto";
import type { Bytes } from "../../src/base/bytes.ts";
import type { RawKeys } from "./raw_envelope.ts";

const BLOCK = 16;
const FRAME_BYTES = 4096 - 28;
const FRAME_HEAD_BYTES = 56;
/** First whole block of the payload. */
const FREE_AT = 64;
const POLYNOMIAL = 0xe1n << 120n;

/** What `salamander` makes. */
export interface Salamander {
  readonly object: Bytes;
  /** 24 bytes that it opens to under the first key: 8 zeros and the block that was solved for. */
  readonly payload: Bytes;
}

/**
 * An object that is right in every respect under `first`, and whose tag holds under `second` too.
 */
export function salamander(first: RawKeys, second: RawKeys, iv: Uint8Array): Salamander {
  const frame = Buffer.alloc(FRAME_BYTES);
  first.commit.copy(frame);
  frame.write("CSO1\x01", 32, "latin1");
  frame[47] = frame[55] = FREE_AT + BLOCK - FRAME_HEAD_BYTES;
  const cipher = createCipheriv("aes-256-gcm", first.cipherKey, iv);
  const encrypted = cipher.update(frame);
  cipher.final();
  const keyStream = Buffer.from(encrypted.subarray(FREE_AT, FREE_AT + BLOCK));
  encrypted.fill(0, FREE_AT, FREE_AT + BLOCK);

  const blocksToEnd = Math.ceil((FRAME_BYTES - FREE_AT) / BLOCK) + 1;
  const difference = tagOf(first, iv, encrypted) ^ tagOf(second, iv, encrypted);
  const weight = power(hashKey(first), BigInt(blocksToEnd)) ^
    power(hashKey(second), BigInt(blocksToEnd));
  const solved = multiply(difference, power(weight, (1n << 128n) - 2n));
  toBlock(solved).copy(encrypted, FREE_AT);

  const tag = toBlock(tagOf(first, iv, encrypted));
  const payload = new Uint8Array(FREE_AT + BLOCK - FRAME_HEAD_BYTES);
  payload.set(toBlock(solved ^ fromBlock(keyStream)), FREE_AT - FRAME_HEAD_BYTES);
  return { object: new Uint8Array(Buffer.concat([iv, tag, encrypted])), payload };
}

function tagOf(keys: RawKeys, iv: Uint8Array, encrypted: Uint8Array): bigint {
  const key = hashKey(keys);
  const lengths = (BigInt(keys.context.length * 8) << 64n) | BigInt(encrypted.length * 8);
  let hash = 0n;
  for (const block of [...blocks(keys.context), ...blocks(encrypted), lengths]) {
    hash = multiply(hash ^ block, key);
  }
  return hash ^ encryptBlock(keys, Buffer.concat([iv, Uint8Array.of(0, 0, 0, 1)]));
}

function hashKey(keys: RawKeys): bigint {
  return encryptBlock(keys, Buffer.alloc(BLOCK));
}

function encryptBlock(keys: RawKeys, block: Uint8Array): bigint {
  const cipher = createCipheriv("aes-256-ecb", keys.cipherKey, null).setAutoPadding(false);
  return fromBlock(Buffer.concat([cipher.update(block), cipher.final()]));
}

function blocks(bytes: Uint8Array): bigint[] {
  const padded = Buffer.alloc(Math.ceil(bytes.length / BLOCK) * BLOCK);
  padded.set(bytes);
  return Array.from(
    { length: padded.length / BLOCK },
    (_, i) => fromBlock(padded.subarray(i * BLOCK, (i + 1) * BLOCK)),
  );
}

function fromBlock(block: Buffer): bigint {
  return BigInt(`0x${block.toString("hex")}`);
}

function toBlock(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(2 * BLOCK, "0"), "hex");
}

/** In GF(2^128) as GCM writes it: the first bit of a block is the coefficient of 1. */
function multiply(a: bigint, b: bigint): bigint {
  let product = 0n;
  let shifted = b;
  for (let bit = 127n; bit >= 0n; bit--) {
    if (((a >> bit) & 1n) === 1n) product ^= shifted;
    shifted = (shifted & 1n) === 1n ? (shifted >> 1n) ^ POLYNOMIAL : shifted >> 1n;
  }
  return product;
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n << 127n;
  for (let factor = base, left = exponent; left > 0n; left >>= 1n) {
    if ((left & 1n) === 1n) result = multiply(result, factor);
    factor = multiply(factor, factor);
  }
  return result;
}
