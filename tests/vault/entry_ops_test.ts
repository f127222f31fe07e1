import assert from "node:assert/strict";
import { utf8 } from "../../src/base/bytes.ts";
import { toHex } from "../../src/base/bytes.ts";
import { Secret } from "../../src/base/secret.ts";
import { sha256Hex } from "../../src/crypto/hash.ts";
import { machineIdentityFromSeed } from "../../src/crypto/machine_identity.ts";
import { isClaudeSyncError } from "../../src/errors.ts";
import type {
  CheckpointOp,
  EntryBody,
  ForgetOp,
  Op,
  RetireOp,
} from "../../src/vault/entry_body.ts";
import { decodeEntryBody, encodeEntryBody } from "../../src/vault/entry_body.ts";
import { baseOf, isCovered } from "../../src/vault/entry_rules.ts";
import { FORGOTTEN_LEAVES_MAX, RECALLED_IDS_MAX } from "../../src/vault/format.ts";
import { fixedRandom } from "../crypto/fixed_random.ts";
import { sampleAdd, sampleBody, sampleEnrolment } from "./sample_entry.ts";

const random = fixedRandom("entry ops");
const identity = await machineIdentityFromSeed(new Secret(random.bytes(32)));
const other = await machineIdentityFromSeed(new Secret(random.bytes(32)));
const hashOf = (n: number) => sha256Hex(utf8(`entry ${n}`));
const hashes = (count: number) => Array.from({ length: count }, (_, i) => hashOf(i + 1));
const short = (count: number) => hashes(count).map((hash) => hash.slice(0, 8));

const enrol = sampleEnrolment(identity);
const checkpoint: CheckpointOp = { op: "checkpoint", from: 4, covered: short(3) };
const retire: RetireOp = {
  ...sampleEnrolment(other),
  op: "retire",
  machine: other.id,
  tag: "abcdefghjkmnpqrs",
  seq: 3,
  hash: hashOf(3),
  covered: short(3),
};
const forget: ForgetOp = {
  op: "forget",
  id: toHex(random.bytes(16)),
  session: "6f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f0",
  leaves: [{ file: "transcript", gen: "", hash: hashOf(9), len: 12 }],
};

/** Entry 4 of a log, in which a test changes one thing. */
function entry(ops: readonly Op[], change: Partial<EntryBody> = {}): EntryBody {
  const first = sampleBody(identity, "ab".repeat(16), new Uint8Array(0), []);
  return { ...first, seq: 4, prev: hashOf(3), ops, ...change };
}

function accepted(body: EntryBody): void {
  const text = utf8(JSON.stringify(body));
  assert.deepEqual(decodeEntryBody(text, "log/x"), body);
  assert.deepEqual(encodeEntryBody(body), text);
}

function refused(body: EntryBody, why: string): void {
  const text = utf8(JSON.stringify(body));
  assert.throws(
    () => decodeEntryBody(text, "log/x"),
    (error) => isClaudeSyncError(error, "damaged"),
    why,
  );
}

Deno.test("a checkpoint ends an entry whose base it sets", () => {
  const base = { base: 4 };
  accepted(entry([enrol, checkpoint], base));
  accepted(entry([{ ...checkpoint, from: 3, covered: short(2) }], { base: 3 }));
  refused(entry([checkpoint], base), "who begins here needs the key");
  refused(entry([enrol, checkpoint]), "another base than it says");
  refused(entry([enrol, checkpoint, sampleAdd([])], base), "more after it");
  refused(entry([enrol, checkpoint, checkpoint], base), "twice");
  refused(entry([enrol, { ...checkpoint, covered: short(2) }], base), "a hash too few");
  refused(entry([enrol, { ...checkpoint, covered: short(4) }], base), "a hash too many");
  const twice = [...short(2), short(2).join("")];
  refused(entry([enrol, { ...checkpoint, covered: twice }], base), "clones do not compact");
  refused(entry([enrol, { ...checkpoint, covered: ["x", "y", "z"] }], base), "no hashes");
  const first = { seq: 1, prev: "0".repeat(64), base: 1 };
  refused(entry([enrol, { ...checkpoint, from: 1, covered: [] }], first), "nothing before it");
});

Deno.test("a base is a number of the log up to this entry", () => {
  assert.equal(baseOf(entry([])), 1);
  assert.equal(baseOf(entry([], { base: 3 })), 3);
  accepted(entry([], { base: 1 }));
  accepted(entry([], { base: 3 }));
  refused(entry([], { base: 4 }), "a base without enrolment");
  refused(entry([enrol], { base: 5 }), "an entry to come");
  refused(entry([enrol], { base: 0 }), "no entry");
});

Deno.test("a retirement is of another machine, with its keys and hashes", () => {
  accepted(entry([retire]));
  accepted(entry([{ ...retire, covered: [...short(2), "0".repeat(8) + short(3)[2]] }]));
  accepted(entry([sampleAdd([]), retire, sampleAdd([])]));
  const wrong: [string, Partial<RetireOp>][] = [
    ["itself", { ...sampleEnrolment(identity), op: "retire", machine: identity.id }],
    ["its own log", { tag: entry([]).tag }],
    ["keys of somebody else", { kem: enrol.kem }],
    ["a hash too few", { covered: short(2) }],
    ["another last hash", { hash: hashOf(4) }],
    ["half a hash", { covered: [...short(2), short(3)[2] + "0000"] }],
    ["no hash", { covered: [...short(2), ""] }],
  ];
  for (const [why, change] of wrong) refused(entry([{ ...retire, ...change }]), why);
});

Deno.test("what is said again names whose it is and since when, never one's own", () => {
  accepted(entry([{ ...sampleAdd([]), by: other.id, time: 1 }]));
  refused(entry([{ ...sampleAdd([]), by: identity.id }]), "by itself");
  refused(entry([{ ...sampleAdd([]), by: "x" }]), "by nobody");
  refused(entry([{ ...sampleAdd([]), time: -1 }]), "a time before time");
});

Deno.test("a forget names at least one leaf, a recall at least one forget", () => {
  const [leaf] = forget.leaves as [ForgetOp["leaves"][number]];
  accepted(entry([forget, { op: "recall", ids: [forget.id] }]));
  accepted(entry([{ ...forget, leaves: new Array(FORGOTTEN_LEAVES_MAX).fill(leaf) }]));
  accepted(entry([{ op: "recall", ids: new Array(RECALLED_IDS_MAX).fill(forget.id) }]));
  refused(entry([{ ...forget, leaves: [] }]), "nothing forgotten");
  refused(entry([{ op: "recall", ids: [] }]), "nothing recalled");
  refused(entry([{ ...forget, id: "x" }]), "no id");
  const tooMany = new Array(FORGOTTEN_LEAVES_MAX + 1).fill(leaf);
  refused(entry([{ ...forget, leaves: tooMany }]), "100,001 leaves");
  const ids = new Array(RECALLED_IDS_MAX + 1).fill(forget.id);
  refused(entry([{ op: "recall", ids }]), "100,001 ids");
});

Deno.test("isCovered compares eight digits, of every entry with that number", () => {
  const covered = [...short(1), short(3)[1]! + short(3)[2]!];
  assert.ok(isCovered(covered, 1, hashOf(1)));
  assert.ok(isCovered(covered, 2, hashOf(2)));
  assert.ok(isCovered(covered, 2, hashOf(3)));
  assert.ok(!isCovered(covered, 1, hashOf(2)));
  assert.ok(!isCovered(covered, 3, hashOf(3)));
});
