import assert from "node:assert/strict";
import fc from "fast-check";
import { utf8 } from "../../src/base/bytes.ts";
import { decodeFrame, encodeFrame, padme, sealedSizeBytes } from "../../src/crypto/frame.ts";
import { loadVectors } from "../vectors/load.ts";

const vectors = loadVectors<{
  padme: { length: number; padded: number }[];
  sealed: { payload: number; object: number }[];
}>("padme");

/** The rule again, in whole numbers and bits only. */
function padmeInBits(length: number): number {
  const exponent = length.toString(2).length - 1;
  const mantissa = exponent.toString(2).length;
  const step = 1n << BigInt(Math.max(0, exponent - mantissa));
  return Number((BigInt(length) + step - 1n) / step * step);
}

Deno.test("padme rounds as the vectors say", () => {
  for (const { length, padded } of vectors.padme) {
    assert.equal(padme(length), padded, `padme(${length})`);
    assert.equal(padmeInBits(length), padded, `padmeInBits(${length})`);
  }
});

Deno.test("padme adds at most 12 % and is stable", () => {
  fc.assert(fc.property(fc.integer({ min: 2, max: 2 ** 31 }), (length) => {
    const padded = padme(length);
    assert.equal(padded, padmeInBits(length));
    assert(padded >= length && padded <= length * 1.12);
    assert.equal(padme(padded), padded);
  }));
});

Deno.test("sealedSizeBytes is 4 KiB at least and padded above", () => {
  for (const { payload, object } of vectors.sealed) assert.equal(sealedSizeBytes(payload), object);
  assert.equal(sealedSizeBytes(4012), 4096);
  assert.equal(sealedSizeBytes(4013), 4352);
});

Deno.test("decodeFrame inverts encodeFrame and needs the right commitment", () => {
  const commit = new Uint8Array(32).fill(5);
  const frame = encodeFrame(commit, utf8("payload"));
  assert.deepEqual(decodeFrame(commit, frame), utf8("payload"));
  assert.equal(decodeFrame(new Uint8Array(32).fill(6), frame), null);
});

Deno.test("decodeFrame gives null for frames too short to have a head", () => {
  const commit = new Uint8Array(32);
  for (let length = 0; length <= 56; length++) {
    assert.equal(decodeFrame(commit, new Uint8Array(length)), null);
  }
});
