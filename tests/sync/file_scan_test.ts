import assert from "node:assert/strict";
import fc from "fast-check";
import { utf8 } from "../../src/base/bytes.ts";
import { sha256Hex } from "../../src/crypto/hash.ts";
import { scanFile } from "../../src/sync/file_scan.ts";
import { MemoryFs } from "../support/memory_fs.ts";

const TEXT = "one\ntwo\nthree\ntorn";

Deno.test("scanFile finds all states that a file begins with, given in any order", () => {
  const fs = new MemoryFs();
  const file = fs.createFile("/file");
  file.write(utf8(TEXT));
  file.close();
  const stateAt = (len: number, of = TEXT) => ({
    gen: "",
    hash: sha256Hex(utf8(of.slice(0, len))),
    len,
  });
  const good = [4, 8, 14, TEXT.length].map((len) => stateAt(len));
  const bad = [stateAt(8, "one\nTWO\n"), stateAt(30, "x".repeat(30)), stateAt(4, "ONE\n")];
  fc.assert(
    fc.property(
      fc.shuffledSubarray([...good, ...bad], { minLength: 7, maxLength: 7 }),
      (states) => {
        const { matches, hasher, lineEnd, hash } = scanFile(fs, "/file", states)!;
        assert.deepEqual(matches, good);
        assert.deepEqual([hasher?.digestHex(), lineEnd], [hash, 14]);
      },
    ),
  );
});
