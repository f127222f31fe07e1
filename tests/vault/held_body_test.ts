import assert from "node:assert/strict";
import type { AddOp, EntryBody } from "../../src/vault/entry_body.ts";
import { HeldBodies } from "../../src/vault/held_body.ts";

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
  Deno.test(`HeldBodies says what a body of ${ops} ops says`, () => {
    const [body, other] = [bodyOf(ops, 1), bodyOf(ops, 2)];
    const bodies = new HeldBodies();
    const [held, heldOther] = [bodies.hold(body), bodies.hold(other)];
    // In turn, so that neither is answered with the other's.
    for (let round = 0; round < 2; round++) {
      assert.deepEqual({ ...held, ops: held.ops }, body);
      assert.deepEqual({ ...heldOther, ops: heldOther.ops }, other);
    }
  });
}

Deno.test("HeldBodies tells of what it makes anew, once for each time", () => {
  let told = 0;
  const memory = { passed: (bytes: number) => void (told += bytes) };
  const held = new HeldBodies(memory).hold(bodyOf(64));
  assert.equal(told, 0);
  assert.equal(held.ops.length, 64);
  const once = told;
  assert.ok(once > 0);
  assert.equal(held.ops[0]?.op, "add");
  assert.equal(told, once);
});

Deno.test("HeldBodies of two vaults keep nothing for each other", () => {
  let told = 0;
  const memory = { passed: () => void told++ };
  const held = [new HeldBodies(memory), new HeldBodies(memory)]
    .map((bodies, at) => bodies.hold(bodyOf(64, at + 1)));
  for (let round = 0; round < 3; round++) {
    for (const body of held) assert.equal(body.ops.length, 64);
  }
  assert.equal(told, 2, "each has made its own once, and still has it");
});
