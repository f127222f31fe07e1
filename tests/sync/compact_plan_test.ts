import assert from "node:assert/strict";
import fc from "fast-check";
import {
  cutGroups,
  GROUP_SEGMENTS_MAX,
  KEPT_PACK_BYTES_MIN,
  KEPT_PACK_SHARE_MIN,
  packsToKeep,
} from "../../src/sync/compact_plan.ts";
import { GROUP_RAW_BYTES_MAX } from "../../src/vault/format.ts";

Deno.test("a pack stays when it is large and most of it is needed", () => {
  const pack = (size: number, neededBytes: number) => {
    const one = { id: 1, name: "packs/aa/a", sha256: "", size, neededBytes };
    return packsToKeep([one]).length === 1;
  };
  const enough = KEPT_PACK_BYTES_MIN * KEPT_PACK_SHARE_MIN;
  assert.equal(pack(KEPT_PACK_BYTES_MIN, enough), true);
  assert.equal(pack(KEPT_PACK_BYTES_MIN, enough - 1), false);
  assert.equal(pack(KEPT_PACK_BYTES_MIN - 1, enough), false);
  assert.equal(pack(2 * KEPT_PACK_BYTES_MIN, enough), false);
});

Deno.test("groups are cut at both limits, in order, and none is smaller than it must be", () => {
  const sizes = fc.array(fc.nat(GROUP_RAW_BYTES_MAX), { maxLength: 30 });
  fc.assert(fc.property(sizes, fc.integer({ min: 1, max: 5 }), (lengths, segmentsMax) => {
    const segments = lengths.map((len, at) => ({ len, at }));
    const groups = cutGroups(segments, GROUP_RAW_BYTES_MAX, segmentsMax);
    assert.deepEqual(groups.flat(), segments);
    const sum = (group: readonly { len: number }[]) => group.reduce((n, { len }) => n + len, 0);
    for (const [at, group] of groups.entries()) {
      assert.ok(group.length > 0 && group.length <= segmentsMax);
      assert.ok(sum(group) <= GROUP_RAW_BYTES_MAX);
      const next = groups[at + 1]?.[0];
      const isFull = group.length === segmentsMax ||
        (next !== undefined && sum(group) + next.len > GROUP_RAW_BYTES_MAX);
      assert.ok(next === undefined || isFull);
    }
  }));
  const many = Array.from({ length: GROUP_SEGMENTS_MAX + 1 }, () => ({ len: 1 }));
  assert.deepEqual(cutGroups(many).map(({ length }) => length), [GROUP_SEGMENTS_MAX, 1]);
});
