import assert from "node:assert/strict";
import type { AddOp, EntryBody } from "../../src/vault/entry_body.ts";
import { heldBody } from "../../src/vault/held_body.ts";

function bodyOf(ops: number, seq = 1): EntryBody {
  const add = (index: number): AddOp => ({
    op: "add",
    session: `${seq}-${index}`,
    project: { name: "döner 🥙" } as never,
    gens: [],
    groups: [],
  });
  return {
    v: 1,
    machine: "m",
    tag: "t",
    seq,
    prev: "0".repeat(64),
    kid: "k",
    time: 1_700_000_000_000,
    base: 3,
    heads: { other: { seq: 2, hash: "f".repeat(64) } },
    inline: { size: 0, sha256: "" },
    packs: [],
    ops: Array.from({ length: ops }, (_, index) => add(index)),
  };
}

for (const ops of [1, 63, 64, 1_000]) {
  Deno.test(`heldBody says what a body of ${ops} ops says`, () => {
    const [body, other] = [bodyOf(ops, 1), bodyOf(ops, 2)];
    const [held, heldOther] = [heldBody(body), heldBody(other)];
    // In turn, so that neither is answered with the other's.
    for (let round = 0; round < 2; round++) {
      assert.deepEqual({ ...held, ops: held.ops }, body);
      assert.deepEqual({ ...heldOther, ops: heldOther.ops }, other);
    }
  });
}

Deno.test("heldBody tells of what it makes anew, once for each time", () => {
  let told = 0;
  const memory = { passed: (bytes: number) => void (told += bytes) };
  const held = heldBody(bodyOf(64), memory);
  assert.equal(told, 0);
  assert.equal(held.ops.length, 64);
  const once = told;
  assert.ok(once > 0);
  assert.equal(held.ops[0]?.op, "add");
  assert.equal(told, once);
});
