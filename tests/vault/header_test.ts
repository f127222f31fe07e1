import assert from "node:assert/strict";
import fc from "fast-check";
import { concat, fromUtf8, toHex, utf8 } from "../../src/base/bytes.ts";
import { isClaudeSyncError } from "../../src/errors.ts";
import { decodeHeader, encodeHeader } from "../../src/vault/header.ts";
import { loadVectors, unhex } from "../vectors/load.ts";

const vectors = loadVectors<{
  valid: { text: string; vaultId: string; kid: string; reason: string }[];
  invalid: { text: string; expect: "newer-format" | "malformed-file"; reason: string }[];
}>("header");

Deno.test("decodeHeader reads the known headers", () => {
  for (const { text, vaultId, kid, reason } of vectors.valid) {
    const header = decodeHeader(utf8(text));
    assert.equal(toHex(header.vaultId), vaultId, reason);
    assert.equal(toHex(header.kid), kid, reason);
  }
  const { text, vaultId, kid } = vectors.valid[0]!;
  assert.equal(fromUtf8(encodeHeader({ vaultId: unhex(vaultId), kid: unhex(kid) })), text);
});

Deno.test("decodeHeader refuses every invalid vector for its reason", () => {
  for (const { text, expect, reason } of vectors.invalid) {
    assert.throws(
      () => decodeHeader(utf8(text)),
      (error) => isClaudeSyncError(error, expect) && error.objectName === "claude-sync.json",
      reason,
    );
  }
});

Deno.test("decodeHeader refuses bytes that are not UTF-8", () => {
  const bytes = concat(utf8('{"format":1,"x":"'), Uint8Array.of(0xff), utf8('"}'));
  assert.throws(() => decodeHeader(bytes), (error) => isClaudeSyncError(error, "malformed-file"));
});

Deno.test("decodeHeader inverts encodeHeader", () => {
  const id = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => new Uint8Array(bytes));
  fc.assert(fc.property(id, id, (vaultId, kid) => {
    assert.deepEqual(decodeHeader(encodeHeader({ vaultId, kid })), { vaultId, kid });
  }));
});

Deno.test("decodeHeader throws nothing but its two errors", () => {
  fc.assert(fc.property(fc.oneof(fc.json().map(utf8), fc.uint8Array()), (bytes) => {
    assert.throws(
      () => decodeHeader(bytes),
      (error) => isClaudeSyncError(error, "malformed-file", "newer-format"),
    );
  }));
});
