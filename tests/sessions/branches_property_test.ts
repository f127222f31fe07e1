import assert from "node:assert/strict";
import * as fc from "fast-check";
import type { Leaf } from "../../src/sessions/branch_copy.ts";
import { branchCopy, rootForm } from "../../src/sessions/branch_copy.ts";
import { branchId } from "../../src/sessions/branch_id.ts";
import type { SessionId } from "../../src/sessions/session_id.ts";
import { spokenRecords } from "../../src/sessions/spoken_records.ts";
import {
  contentsOf,
  filesIn,
  filesOf,
  play,
  resolve,
  ROOT,
  shown,
  startsWith,
  steps,
  type Stored,
} from "./branch_histories.ts";

const RUNS = 150;

/** Runs `property` on the leaves of histories, with a source of choices about them. */
function check(property: (stored: Stored[], pick: (below: number) => number) => void): void {
  const runs = fc.property(steps, fc.array(fc.nat(1000)), (history, seed) => {
    let at = 0;
    property(play(history), (below) => ((seed[at++ % (seed.length || 1)] ?? 0) + at) % below);
  });
  fc.assert(runs, { numRuns: RUNS });
}

function shuffled<T>(items: readonly T[], pick: (below: number) => number): T[] {
  const left = [...items];
  const order: T[] = [];
  while (left.length > 0) order.push(...left.splice(pick(left.length), 1));
  return order;
}

function asStored(files: ReadonlyMap<SessionId, Leaf>): Stored[] {
  return [...files].map(([id, leaf]) => ({ id, leaf }));
}

/** The first leaf is the session's beginning, which everybody has. */
function split(stored: readonly Stored[], pick: (below: number) => number): Stored[][] {
  const groups: Stored[][] = [[stored[0]!], [stored[0]!], [stored[0]!]];
  for (const one of stored.slice(1)) groups[pick(3)]!.push(one);
  return groups;
}

Deno.test("resolveBranches gives the same files in every order and with leaves given twice", () => {
  check((stored, pick) => {
    const again = [...stored, ...stored.filter(() => pick(2) === 0)];
    assert.deepEqual(shown(filesOf(shuffled(again, pick))), shown(filesOf(stored)));
  });
});

Deno.test("resolveBranches lists branches, and those that are stored, by id", () => {
  let most = 0;
  check((stored, pick) => {
    const all = [...stored, ...asStored(filesOf(stored))];
    for (const leaves of [stored, shuffled(all, pick)]) {
      const { branches, storedBranchIds } = resolve(leaves);
      const ids = branches.map(({ id }) => id);
      assert.deepEqual(ids, ids.toSorted());
      assert.deepEqual(storedBranchIds, storedBranchIds.toSorted());
      most = Math.max(most, storedBranchIds.length);
    }
  });
  assert.ok(most > 2, "there are some to be sorted");
});

Deno.test("resolveBranches changes nothing when its files are stored as well", () => {
  check((stored) => {
    const files = filesOf(stored);
    assert.deepEqual(shown(filesOf([...stored, ...asStored(files)])), shown(files));
    assert.deepEqual(shown(filesOf(asStored(files))), shown(files));
  });
});

Deno.test("resolveBranches gives the same files when those of parts are stored in between", () => {
  check((stored, pick) => {
    const [a, b] = split(stored, pick);
    const early = [...asStored(filesOf(a!)), ...asStored(filesOf([...a!, ...b!]))];
    assert.deepEqual(shown(filesOf([...stored, ...early])), shown(filesOf(stored)));
  });
});

// Compared in the root form: what was said in a branch and came under another id for a while is a
// copy from then on (`forkedFrom`, title), when the branch's own leaf is not there any more.
Deno.test("resolveBranches gives the same from parts alone, grouped in any way", () => {
  check((stored, pick) => {
    const [a, b, c] = split(stored, pick);
    const whole = shown(contentsOf(stored));
    const leftFirst = [...asStored(filesOf([...a!, ...b!])), ...c!];
    const rightFirst = [...a!, ...asStored(filesOf([...b!, ...c!]))];
    for (const parts of [leftFirst, rightFirst]) assert.deepEqual(shown(contentsOf(parts)), whole);
  });
});

Deno.test("resolveBranches keeps every spoken record of every leaf in a file", () => {
  check((stored) => {
    const kept = new Set<string>();
    const files = filesOf(stored);
    for (const { bytes } of files.values()) {
      for (const { hash } of spokenRecords(bytes)) kept.add(hash);
    }
    const { storedBranchIds } = resolve(stored);
    for (const { id, leaf } of stored) {
      assert.ok(id === ROOT || storedBranchIds.includes(id), "every stored branch is found");
      for (const { hash } of spokenRecords(leaf.bytes)) assert.ok(kept.has(hash));
    }
  });
});

Deno.test("resolveBranches keeps the ids of branches when more leaves arrive", () => {
  check((stored, pick) => {
    const some = stored.filter((_, i) => i === 0 || pick(2) === 0);
    const more = new Set(filesOf(stored).keys());
    for (const id of filesOf(some).keys()) assert.ok(more.has(id));
  });
});

Deno.test("branchCopy of a grown leaf extends the copy, and rootForm gives the leaf back", () => {
  check((stored, pick) => {
    for (const { leaf } of stored.filter(({ id }) => id === ROOT)) {
      const spoken = spokenRecords(leaf.bytes);
      const record = spoken[pick(spoken.length)]!;
      const id = branchId(ROOT, record.hash);
      const point = { rootId: ROOT, id, start: record.start, machine: "bob" };
      const copy = branchCopy(leaf, point);
      assert.deepEqual(rootForm(copy, id, ROOT), leaf);
      const later = leaf.bytes.indexOf(0x0a, record.start) + 1;
      for (let end = later; end > 0; end = leaf.bytes.indexOf(0x0a, end) + 1) {
        const part = { ...leaf, bytes: leaf.bytes.subarray(0, end) };
        assert.ok(startsWith(copy.bytes, branchCopy(part, point).bytes));
      }
    }
  });
});

Deno.test("resolveBranches makes files that each name only their own session", () => {
  check((stored) => {
    for (const [id, { bytes }] of filesIn(resolve(stored))) {
      for (const { start } of spokenRecords(bytes)) {
        const end = bytes.indexOf(0x0a, start);
        const text = new TextDecoder().decode(bytes.subarray(start, end < 0 ? undefined : end));
        assert.equal(JSON.parse(text).sessionId, id);
      }
    }
  });
});
