import assert from "node:assert/strict";
import fc from "fast-check";
import { isClaudeSyncError } from "../../src/errors.ts";
import { parseObjectName } from "../../src/storage/object_name.ts";
import {
  isMachineTag,
  logEntryName,
  machineTag,
  packName,
  parseLogEntryName,
  parsePackName,
} from "../../src/vault/names.ts";
import { fixedRandom } from "../crypto/fixed_random.ts";
import { loadVectors } from "../vectors/load.ts";

const vectors = loadVectors<{
  log: { name: string; tag: string; seq: number; hash8: string }[];
  pack: string[];
  stranger: string[];
}>("names");
const random = fixedRandom("names");

Deno.test("parseLogEntryName and parsePackName know their own and no stranger", () => {
  for (const { name, tag, seq, hash8 } of vectors.log) {
    assert.deepEqual(parseLogEntryName(name), { tag, seq, hash8 });
    assert.equal(logEntryName(tag, seq, hash8 + "0".repeat(56)), name);
    assert.equal(parsePackName(name), null);
  }
  for (const name of vectors.pack) {
    assert.equal(parsePackName(name), name);
    assert.equal(parseLogEntryName(name), null);
  }
  for (const name of vectors.stranger) {
    assert.equal(parseLogEntryName(name), null, name);
    assert.equal(parsePackName(name), null, name);
  }
});

Deno.test("logEntryName sorts as the numbers do and refuses what is no entry", () => {
  const tag = machineTag(random);
  assert(logEntryName(tag, 9, "00000000") < logEntryName(tag, 10, "00000000"));
  assert(logEntryName(tag, 1, "00000000").startsWith(`log/${tag}/`));
  const wrong: [string, number, string][] = [
    [tag, 0, "00000000"],
    [tag, -1, "00000000"],
    [tag, 1.5, "00000000"],
    [tag, 1e12, "00000000"],
    [tag, 1, "0000000"],
    [tag, 1, "0000000G"],
    ["../../../../../..", 1, "00000000"],
  ];
  for (const [t, seq, hash] of wrong) {
    assert.throws(() => logEntryName(t, seq, hash), (error) => isClaudeSyncError(error, "bug"));
  }
});

Deno.test("packName and machineTag are random, valid and of one length", () => {
  const names = new Set(Array.from({ length: 500 }, () => packName(random)));
  assert.equal(names.size, 500);
  for (const name of names) {
    assert.equal(parsePackName(name), name);
    assert.equal(parseObjectName(name), name);
    assert.equal(name.length, "packs/".length + 33);
  }
  assert(isMachineTag(machineTag(random)));
  assert.notEqual(machineTag(random), machineTag(random));
});

Deno.test("parseLogEntryName inverts logEntryName and takes any text", () => {
  const hash = fc.stringMatching(/^[0-9a-f]{8}$/);
  fc.assert(fc.property(fc.integer({ min: 1, max: 999_999_999_999 }), hash, (seq, hash8) => {
    const tag = machineTag(random);
    assert.deepEqual(parseLogEntryName(logEntryName(tag, seq, hash8)), { tag, seq, hash8 });
  }));
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    assert.equal(parseLogEntryName(text), null);
    assert.equal(parsePackName(text), null);
  }));
});
