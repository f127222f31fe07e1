import assert from "node:assert/strict";
import { utf8 } from "../../src/base/bytes.ts";
import { EMPTY_SHA256_HEX, Sha256, sha256Hex } from "../../src/crypto/hash.ts";

Deno.test("sha256Hex gives the standard's answers", () => {
  assert.equal(sha256Hex(utf8("")), EMPTY_SHA256_HEX);
  assert.equal(
    sha256Hex(utf8("abc")),
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
});

Deno.test("Sha256 gives the hash at every offset on its way", () => {
  const bytes = utf8("one line\nand another\n");
  const hash = new Sha256();
  for (let at = 0; at < bytes.length; at++) {
    assert.equal(hash.lengthBytes, at);
    assert.equal(hash.digestHex(), sha256Hex(bytes.subarray(0, at)));
    hash.update(bytes.subarray(at, at + 1));
  }
  assert.equal(hash.digestHex(), sha256Hex(bytes));
});

Deno.test("Sha256 copies go on independently", () => {
  const prefix = new Sha256().update(utf8("same "));
  const copy = prefix.copy();
  prefix.update(utf8("one"));
  copy.update(utf8("other"));
  assert.equal(prefix.digestHex(), sha256Hex(utf8("same one")));
  assert.equal(copy.digestHex(), sha256Hex(utf8("same other")));
  assert.equal(copy.lengthBytes, 10);
});
