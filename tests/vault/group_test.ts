import assert from "node:assert/strict";
import fc from "fast-check";
import { concat, utf8 } from "../../src/base/bytes.ts";
import { ClaudeSyncError, isClaudeSyncError } from "../../src/errors.ts";
import { GROUP_RAW_BYTES_MAX } from "../../src/vault/format.ts";
import { type Compression, decodeGroup, encodeGroup } from "../../src/vault/group.ts";
import { zstdCompress, zstdDecompress, zstdFrameLength } from "../../src/vault/zstd_frame.ts";
import { fixedRandom } from "../crypto/fixed_random.ts";
import { loadVectors, unbase64 } from "../vectors/load.ts";

interface Vector {
  name: string;
  comp: Compression;
  raw: number;
  stored: string;
}

const vectors = loadVectors<{ valid: (Vector & { bytes: string })[]; invalid: Vector[] }>("group");
const text = utf8('{"type":"user","message":"hello"}\n'.repeat(50));
const pack = "packs/ab/cdefghjkmnpqrstvwxyz0123456789";

function isDamagedPack(error: unknown): boolean {
  return isClaudeSyncError(error, "damaged") && error.objectName === pack;
}

Deno.test("decodeGroup reads the known groups", () => {
  for (const { name, comp, raw, stored, bytes } of vectors.valid) {
    assert.deepEqual(decodeGroup(unbase64(stored), raw, comp, pack), unbase64(bytes), name);
  }
});

Deno.test("decodeGroup refuses every invalid vector", () => {
  for (const { name, comp, raw, stored } of vectors.invalid) {
    assert.throws(() => decodeGroup(unbase64(stored), raw, comp, pack), isDamagedPack, name);
  }
});

Deno.test("decodeGroup refuses a frame cut anywhere, whatever length is claimed", () => {
  const { stored, raw } = encodeGroup([text]);
  for (let length = 0; length < stored.length; length++) {
    for (const claimed of [raw, 0, 34]) {
      const cut = stored.slice(0, length);
      assert.throws(() => decodeGroup(cut, claimed, "zstd", pack), isDamagedPack, `${length}`);
    }
  }
});

Deno.test("decodeGroup stops a bomb at the length that is claimed", () => {
  const bomb = zstdCompress(new Uint8Array(256 * 1024 * 1024));
  assert(bomb.length < 32 * 1024, "256 MiB of zeros compress to nothing");
  const before = performance.now();
  assert.throws(() => decodeGroup(bomb, GROUP_RAW_BYTES_MAX, "zstd", pack), isDamagedPack);
  assert(performance.now() - before < 1000, "it did not decompress all of it");
});

Deno.test("decodeGroup takes a raw length at the limit and not past it", () => {
  const most = encodeGroup([new Uint8Array(GROUP_RAW_BYTES_MAX)]);
  assert.equal(decodeGroup(most.stored, most.raw, most.comp, pack).length, GROUP_RAW_BYTES_MAX);
  const more = new Uint8Array(GROUP_RAW_BYTES_MAX + 1);
  assert.throws(() => decodeGroup(zstdCompress(more), more.length, "zstd", pack), isDamagedPack);
  assert.throws(() => decodeGroup(more, more.length, "none", pack), isDamagedPack);
  assert.throws(() => encodeGroup([more]), (error) => isClaudeSyncError(error, "bug"));
});

Deno.test("encodeGroup compresses where that is smaller and only there", () => {
  const noise = fixedRandom("noise").bytes(5000);
  assert.equal(encodeGroup([noise]).comp, "none");
  assert.deepEqual(encodeGroup([noise]).stored, noise);
  assert.equal(encodeGroup([text]).comp, "zstd");
  assert.deepEqual(encodeGroup([]), { stored: new Uint8Array(0), raw: 0, comp: "none" });
});

Deno.test("decodeGroup inverts encodeGroup", () => {
  const parts = fc.array(fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc.string({ maxLength: 9 }).map((part) => utf8(part.repeat(90))),
  ));
  fc.assert(fc.property(parts, (bytes) => {
    const { stored, raw, comp } = encodeGroup(bytes);
    assert.deepEqual(decodeGroup(stored, raw, comp, pack), concat(...bytes));
  }));
});

Deno.test("decodeGroup throws nothing but damaged on changed frames", () => {
  const { stored, raw } = encodeGroup([text, fixedRandom("mixed").bytes(300)]);
  const change = fc.tuple(fc.nat(stored.length - 1), fc.integer({ min: 1, max: 255 }));
  fc.assert(fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat(5000), (to, n) => {
    const changed = stored.slice();
    for (const [at, by] of to) changed[at]! ^= by;
    for (const claimed of [raw, n]) {
      try {
        assert.equal(decodeGroup(changed, claimed, "zstd", pack).length, claimed);
      } catch (error) {
        assert(error instanceof ClaudeSyncError && error.code === "damaged", `${error}`);
      }
    }
  }));
});

Deno.test("zstdFrameLength finds the frame's end at every size of header", () => {
  for (const length of [0, 1, 255, 256, 257, 65791, 65792, 200_000, 1_000_000]) {
    for (const raw of [new Uint8Array(length), fixedRandom("size").bytes(length)]) {
      const frame = zstdCompress(raw);
      assert.equal(zstdFrameLength(frame), frame.length);
      assert.equal(zstdFrameLength(concat(frame, text)), frame.length);
      assert.deepEqual(zstdDecompress(frame, length), raw);
    }
  }
});

Deno.test("zstdCompress makes one frame also where the runtime makes two", () => {
  const noise = fixedRandom("boundary").bytes(16_400);
  for (let length = 16_360; length <= 16_400; length++) {
    const raw = noise.slice(0, length);
    assert.deepEqual(zstdDecompress(zstdCompress(raw), length), raw, `${length} bytes`);
  }
});

Deno.test("zstdFrameLength never points past the bytes it was given", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
    const length = zstdFrameLength(concat(Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd), bytes));
    assert(length === null || length <= bytes.length + 4);
  }));
});
