import assert from "node:assert/strict";
import { sealedSizeBytes } from "../../src/crypto/frame.ts";
import { isClaudeSyncError } from "../../src/errors.ts";
import { PACK_PAYLOAD_BYTES_MAX, PACK_SEALED_BYTES_MAX } from "../../src/vault/format.ts";
import { PackBuilder, storedGroup } from "../../src/vault/pack.ts";

Deno.test("PackBuilder gives each group its place and joins them", () => {
  const pack = new PackBuilder();
  assert.equal(pack.add(Uint8Array.of(1, 2, 3)), 0);
  assert.equal(pack.add(new Uint8Array(0)), 3);
  assert.equal(pack.add(Uint8Array.of(4)), 3);
  assert.equal(pack.groupCount, 3);
  assert.equal(pack.sizeBytes, 4);
  const payload = pack.payload();
  assert.deepEqual(payload, Uint8Array.of(1, 2, 3, 4));
  assert.deepEqual(storedGroup(payload, { at: 3, stored: 1 }, "x"), Uint8Array.of(4));
});

Deno.test("PackBuilder fills a pack to exactly 8 MiB sealed", () => {
  const pack = new PackBuilder();
  assert.equal(pack.add(new Uint8Array(PACK_PAYLOAD_BYTES_MAX - 1)), 0);
  assert.equal(pack.add(new Uint8Array(2)), null);
  assert.equal(pack.add(new Uint8Array(1)), PACK_PAYLOAD_BYTES_MAX - 1);
  assert.equal(pack.add(new Uint8Array(1)), null);
  assert.equal(sealedSizeBytes(pack.payload().length), PACK_SEALED_BYTES_MAX);
  assert(sealedSizeBytes(PACK_PAYLOAD_BYTES_MAX + 1) > PACK_SEALED_BYTES_MAX);
});

Deno.test("PackBuilder refuses a group that no pack could hold", () => {
  assert.throws(
    () => new PackBuilder().add(new Uint8Array(PACK_PAYLOAD_BYTES_MAX + 1)),
    (error) => isClaudeSyncError(error, "bug"),
  );
});

Deno.test("storedGroup refuses a place outside the payload", () => {
  const payload = new Uint8Array(10);
  assert.equal(storedGroup(payload, { at: 10, stored: 0 }, "x").length, 0);
  for (const place of [{ at: 10, stored: 1 }, { at: 0, stored: 11 }, { at: 11, stored: 0 }]) {
    assert.throws(
      () => storedGroup(payload, place, "packs/x"),
      (error) => isClaudeSyncError(error, "damaged") && error.objectName === "packs/x",
    );
  }
});
