import assert from "node:assert/strict";
import fc from "fast-check";
import { utf8 } from "../../src/base/bytes.ts";
import { EMPTY_SHA256_HEX, sha256Hex } from "../../src/crypto/hash.ts";
import { machineIdentityFromSeed } from "../../src/crypto/machine_identity.ts";
import { Secret } from "../../src/base/secret.ts";
import { isClaudeSyncError } from "../../src/errors.ts";
import type { AddOp, EntryBody, Group, Segment } from "../../src/vault/entry_body.ts";
import { decodeEntryBody, encodeEntryBody } from "../../src/vault/entry_body.ts";
import {
  ENTRY_BODY_BYTES_MAX,
  ENTRY_PACKS_MAX,
  ENTRY_SEGMENTS_MAX,
  FILE_NAME_BYTES_MAX,
  FILE_NAME_LEVELS_MAX,
  GROUP_RAW_BYTES_MAX,
  INLINE_BYTES_MAX,
  MACHINE_NAME_CHARACTERS_MAX,
  MACHINES_MAX,
  PACK_PAYLOAD_BYTES_MAX,
  PACK_SEALED_BYTES_MAX,
  PROJECT_TEXT_BYTES_MAX,
  TITLE_CHARACTERS_MAX,
} from "../../src/vault/format.ts";
import { generationName } from "../../src/vault/generation.ts";
import { packName } from "../../src/vault/names.ts";
import { fixedRandom } from "../crypto/fixed_random.ts";
import { sampleAdd, sampleBody, sampleEnrolment, sampleRewrite } from "./sample_entry.ts";

const random = fixedRandom("entry body");
const identity = await machineIdentityFromSeed(new Secret(random.bytes(32)));
const inline = new Uint8Array(1000);
const hashOf = (n: number) => sha256Hex(utf8(`state ${n}`));

const segment: Segment = {
  file: "transcript",
  gen: "",
  off: 10,
  len: 5,
  parent: hashOf(1),
  hash: hashOf(2),
  mtime: 1,
};
const group: Group = { in: -1, at: 0, stored: 5, raw: 5, comp: "none", segments: [segment] };

/** A later entry with one group, in which a test changes one thing. */
function bodyWith(change: Partial<EntryBody> = {}): EntryBody {
  const first = sampleBody(identity, "ab".repeat(16), inline, []);
  return { ...first, seq: 2, prev: hashOf(0), ops: [sampleAdd([group])], ...change };
}

function withAdd(change: Partial<AddOp>): EntryBody {
  return bodyWith({ ops: [{ ...sampleAdd([group]), ...change }] });
}

function withGroup(change: Partial<Group>): EntryBody {
  return withAdd({ groups: [{ ...group, ...change }] });
}

function withSegment(change: Partial<Segment>): EntryBody {
  const changed = { ...segment, ...change };
  return withGroup({ segments: [changed], raw: changed.len, stored: changed.len });
}

function accepted(body: EntryBody, why = ""): void {
  const text = utf8(JSON.stringify(body));
  assert.deepEqual(decodeEntryBody(text, "log/x"), body, why);
  assert.deepEqual(encodeEntryBody(body), text, why);
}

function refused(body: unknown, why: string): void {
  const text = utf8(JSON.stringify(body));
  const isDamaged = (error: unknown) =>
    isClaudeSyncError(error, "damaged") && error.objectName === "log/x";
  assert.throws(() => decodeEntryBody(text, "log/x"), isDamaged, why);
  assert.throws(
    () => encodeEntryBody(body as EntryBody),
    (error) => isClaudeSyncError(error, "bug"),
    why,
  );
}

Deno.test("entry bodies come back as they were written", () => {
  accepted(bodyWith());
  accepted(sampleBody(identity, "ab".repeat(16), inline, [sampleAdd([group])]));
  accepted(withAdd({ project: null, groups: [], gens: [sampleRewrite(hashOf(3))] }));
  accepted(withAdd({ project: { kind: "home", path: "code/app" } }));
  accepted(withAdd({ project: { kind: "path", path: "/srv/app" } }));
  accepted(bodyWith({ heads: { ["0".repeat(32)]: { seq: 999_999_999_999, hash: hashOf(9) } } }));
  accepted(bodyWith({ ops: [] }));
});

Deno.test("entry bodies drop members they do not know, and keep reading", () => {
  const body = bodyWith();
  const later = { ...body, more: 1.5, ops: [{ ...body.ops[0], more: { deep: [null] } }] };
  assert.deepEqual(decodeEntryBody(utf8(JSON.stringify(later)), "log/x"), body);
});

Deno.test("a newer version or op is told apart from damage", () => {
  const newer: unknown[] = [
    { ...bodyWith(), v: 2 },
    { v: 2 },
    { v: 3, ops: "nothing we know" },
    { ...bodyWith(), ops: [{ op: "surprise", session: 7 }] },
    { ...bodyWith(), ops: [...bodyWith().ops, { op: "Add" }] },
  ];
  for (const body of newer) {
    assert.throws(
      () => decodeEntryBody(utf8(JSON.stringify(body)), "log/x"),
      (error) => isClaudeSyncError(error, "newer-format") && error.objectName === "log/x",
    );
  }
  for (const v of ["2", 1.5, null, true]) refused({ ...bodyWith(), v }, `v ${v}`);
  refused({ ...bodyWith(), ops: [{}] }, "op without a kind");
  refused({ ...bodyWith(), ops: [null] }, "op that is no object");
});

Deno.test("every member of an entry is needed and of its form", () => {
  const body = bodyWith() as unknown as Record<string, unknown>;
  for (const name of Object.keys(body)) {
    const { [name]: _, ...rest } = body;
    refused(rest, `without ${name}`);
    for (const value of [null, -1, 0.5, "x", [0], { x: 0 }]) {
      if (name === "v" && value === -1) continue; // another version, so newer
      refused({ ...body, [name]: value }, `${name} = ${JSON.stringify(value)}`);
    }
  }
  refused(bodyWith({ tag: "0123456789abcdei" }), "tag outside the alphabet");
  refused(bodyWith({ machine: identity.id.toUpperCase() }), "capitals");
  refused(bodyWith({ time: 2 ** 53 }), "time past the safe integers");
  refused(bodyWith({ seq: 1e12 }), "number of 13 digits");
});

Deno.test("the chain's ends are where they must be", () => {
  const first = sampleBody(identity, "ab".repeat(16), inline, []);
  accepted(first);
  refused({ ...first, prev: hashOf(0) }, "entry 1 with a previous one");
  refused(bodyWith({ prev: "0".repeat(64) }), "entry 2 without one");
  refused(bodyWith({ seq: 0 }), "entry 0");
  refused(
    bodyWith({ heads: { [identity.id]: { seq: 1, hash: hashOf(0) } } }),
    "claim about itself",
  );
});

Deno.test("enrolment stands first or nowhere, and always in entry 1", () => {
  const enrol = sampleEnrolment(identity);
  const first = sampleBody(identity, "ab".repeat(16), inline, []);
  refused({ ...first, ops: [] }, "entry 1 without enrolment");
  refused({ ...first, ops: [sampleAdd([group])] }, "entry 1 that only adds");
  refused({ ...first, ops: [sampleAdd([group]), enrol] }, "enrolment second");
  refused({ ...first, ops: [enrol, enrol] }, "two enrolments");
  accepted(bodyWith({ ops: [enrol] }), "a checkpoint that begins");
  refused(bodyWith({ ops: [sampleAdd([group]), enrol] }), "enrolment second in entry 2");
  refused({ ...first, machine: "ab".repeat(16) }, "machine is not its keys'");
  refused({ ...first, ops: [{ ...enrol, kem: "cd".repeat(32) }] }, "keys are not the machine's");
});

Deno.test("machine names hold 64 characters and not one more", () => {
  const named = (name: string) => {
    const first = sampleBody(identity, "ab".repeat(16), inline, []);
    return { ...first, ops: [{ ...sampleEnrolment(identity), name }] };
  };
  accepted(named("💻".repeat(MACHINE_NAME_CHARACTERS_MAX)));
  accepted(named(""));
  refused(named("💻".repeat(MACHINE_NAME_CHARACTERS_MAX + 1)), "65 characters");
  refused(named("x".repeat(MACHINE_NAME_CHARACTERS_MAX + 1)), "65 letters");
});

Deno.test("groups lie inside their pack or the inline part", () => {
  const packs = [{ name: packName(random), size: 4096, sha256: hashOf(5) }];
  const packed = (change: Partial<Group>) => ({ ...withGroup({ in: 0, ...change }), packs });
  accepted(withGroup({ at: 995 }));
  refused(withGroup({ at: 996 }), "past the inline part");
  accepted(packed({ at: 4096 - 84 - 5 }));
  refused(packed({ at: 4096 - 84 - 4 }), "past the pack's payload");
  refused(packed({ in: 1 }), "pack that is not named");
  refused(withGroup({ in: -2 }), "index -2");
  refused(withGroup({ in: 0 }), "no packs at all");
  refused(withGroup({ at: -1 }), "before the beginning");
});

Deno.test("groups are the sum of their segments and at most 4 MiB", () => {
  const big = { ...segment, len: GROUP_RAW_BYTES_MAX };
  accepted(withGroup({ comp: "zstd", raw: GROUP_RAW_BYTES_MAX, segments: [big] }));
  const bigger = { ...segment, len: GROUP_RAW_BYTES_MAX + 1 };
  refused(withGroup({ comp: "zstd", raw: bigger.len, segments: [bigger] }), "past 4 MiB");
  refused(withGroup({ comp: "zstd", raw: 6 }), "raw is not the sum");
  refused(withGroup({ comp: "none", stored: 4 }), "stored as it is, but shorter");
  refused(withGroup({ comp: "gzip" as "zstd" }), "unknown compression");
  refused(withGroup({ raw: 0, stored: 0, segments: [] }), "no segment");
  const half = { ...big, len: GROUP_RAW_BYTES_MAX / 2 + 1 };
  const raw = 2 * half.len;
  refused(withGroup({ comp: "zstd", raw, segments: [half, half] }), "two that are too much");
});

Deno.test("segments lead from one state of a file to another", () => {
  const empty = { off: 0, len: 0, parent: EMPTY_SHA256_HEX, hash: EMPTY_SHA256_HEX };
  accepted(withSegment(empty));
  accepted(withSegment({ off: 0, parent: EMPTY_SHA256_HEX }));
  accepted(withSegment({ gen: "ab".repeat(16) }));
  accepted(withSegment({ off: Number.MAX_SAFE_INTEGER - 5 }));
  refused(withSegment({ ...empty, off: 1 }), "empty, but not at the start");
  refused(withSegment({ ...empty, hash: hashOf(1) }), "empty with a hash of something");
  refused(withSegment({ len: 0 }), "nothing added");
  refused(withSegment({ off: 0 }), "start with a parent of something");
  refused(withSegment({ parent: EMPTY_SHA256_HEX }), "middle with a parent of nothing");
  refused(withSegment({ hash: segment.parent }), "state leads to itself");
  refused(withSegment({ hash: EMPTY_SHA256_HEX }), "bytes that make nothing");
  refused(withSegment({ off: Number.MAX_SAFE_INTEGER - 4 }), "end past the safe integers");
  refused(withSegment({ gen: "ab" }), "generation of another form");
  refused(withSegment({ hash: segment.hash.toUpperCase() }), "hash in capitals");
});

Deno.test("file names hold 1,024 bytes and 12 levels and not one more", () => {
  accepted(withSegment({ file: "é".repeat(FILE_NAME_BYTES_MAX / 2) }));
  refused(withSegment({ file: "é".repeat(FILE_NAME_BYTES_MAX / 2) + "e" }), "1,025 bytes");
  refused(withSegment({ file: "e".repeat(FILE_NAME_BYTES_MAX + 1) }), "1,025 letters");
  refused(withSegment({ file: "" }), "no name");
  const deep = (levels: number) => Array.from({ length: levels }, () => "d").join("/");
  accepted(withSegment({ file: deep(FILE_NAME_LEVELS_MAX) }));
  refused(withSegment({ file: deep(FILE_NAME_LEVELS_MAX + 1) }), "13 levels");
});

Deno.test("generations have the name that their origin gives them", () => {
  const gen = sampleRewrite(hashOf(3));
  accepted(withAdd({ gens: [gen] }));
  const second = { gen: gen.gen, hash: hashOf(4) };
  accepted(withAdd({ gens: [{ file: "side/a", gen: generationName(second), from: second }] }));
  refused(withAdd({ gens: [{ ...gen, gen: "ab".repeat(16) }] }), "another name");
  refused(withAdd({ gens: [{ ...gen, gen: "" }] }), "the first generation declared");
  refused(withAdd({ gens: [{ ...gen, from: { gen: "", hash: hashOf(4) } }] }), "another origin");
});

Deno.test("sessions and projects are of their forms", () => {
  const id = sampleAdd([]).session;
  for (const session of ["", id.toUpperCase(), `${id}x`, `../${id.slice(3)}`, `${id}\n`]) {
    refused(withAdd({ session }), `session ${session}`);
  }
  const path = "é".repeat(PROJECT_TEXT_BYTES_MAX / 2);
  accepted(withAdd({ project: { kind: "path", path } }));
  refused(withAdd({ project: { kind: "path", path: `${path}e` } }), "path past its limit");
  refused(withAdd({ project: { kind: "svn", path } as never }), "unknown kind");
  refused(withAdd({ project: undefined as never }), "no project member");
});

Deno.test("titles hold 200 characters and not one more, of a state and a time", () => {
  const title = { text: "Fix it", time: 1, gen: "", hash: hashOf(2) };
  const titled = (change: object) => withAdd({ title: { ...title, ...change } });
  accepted(titled({}));
  accepted(titled({ gen: "ab".repeat(16), time: Number.MAX_SAFE_INTEGER }));
  accepted(titled({ text: "💻".repeat(TITLE_CHARACTERS_MAX) }));
  accepted(titled({ text: "\u0000\u001b[2J\n" }), "hostile, as a machine's name may be");
  refused(titled({ text: "💻".repeat(TITLE_CHARACTERS_MAX + 1) }), "201 characters");
  refused(titled({ text: "x".repeat(TITLE_CHARACTERS_MAX + 1) }), "201 letters");
  refused(titled({ text: "" }), "no text");
  for (const name of Object.keys(title)) {
    for (const value of [undefined, null, -1, 0.5, [0], { x: 0 }]) {
      refused(titled({ [name]: value }), `${name} = ${JSON.stringify(value)}`);
    }
  }
  refused(titled({ time: 2 ** 53 }), "time past the safe integers");
  refused(titled({ hash: hashOf(2).toUpperCase() }), "hash in capitals");
  refused(titled({ gen: "ab" }), "generation of another form");
  for (const value of [null, "Fix it", 1, []]) {
    refused(withAdd({ title: value as never }), JSON.stringify(value));
  }
});

Deno.test("packs are named once, in their sizes, and at most 4,096 of them", () => {
  const pack = () => ({ name: packName(random), size: PACK_SEALED_BYTES_MAX, sha256: hashOf(1) });
  const packs = Array.from({ length: ENTRY_PACKS_MAX }, pack);
  accepted(bodyWith({ packs }));
  refused(bodyWith({ packs: [...packs, pack()] }), "4,097 packs");
  refused(bodyWith({ packs: [packs[0]!, packs[0]!] }), "one pack twice");
  refused(bodyWith({ packs: [{ ...pack(), size: PACK_SEALED_BYTES_MAX + 1 }] }), "past 8 MiB");
  refused(bodyWith({ packs: [{ ...pack(), size: 4095 }] }), "smaller than any object");
  refused(bodyWith({ packs: [{ ...pack(), name: "packs/../log" }] }), "no pack's name");
  const last = { in: ENTRY_PACKS_MAX - 1, at: PACK_PAYLOAD_BYTES_MAX - 5 };
  accepted({ ...withGroup(last), packs });
});

Deno.test("entries hold 100,000 segments and not one more", () => {
  const groupsOf = (count: number) => {
    const segments = Array.from({ length: count }, () => ({ ...segment, len: 1 }));
    return [{ ...group, comp: "zstd" as const, raw: count, segments }];
  };
  const bare = { ...bodyWith(), ops: [] as AddOp[] };
  const half = sampleAdd(groupsOf(ENTRY_SEGMENTS_MAX / 2));
  // So many segments exceed a body's bytes when written out, so only the rule itself is asked.
  const exceeds = { ...bare, ops: [half, half, sampleAdd(groupsOf(1))] };
  assert.throws(() => encodeEntryBody(exceeds), (error) => isClaudeSyncError(error, "bug"));
  const most = { ...bare, ops: [half, half] };
  assert.throws(() => encodeEntryBody(most), (error) => isClaudeSyncError(error, "too-large"));
});

Deno.test("entries claim one machine less than a vault holds and not one more", () => {
  const heads = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => {
      return [i.toString(16).padStart(32, "0"), { seq: 1, hash: hashOf(1) }];
    }));
  accepted(bodyWith({ heads: heads(MACHINES_MAX - 1) }));
  refused(bodyWith({ heads: heads(MACHINES_MAX) }), "4,096 others");
});

Deno.test("the inline part holds 256 KiB and not one more", () => {
  const sized = (size: number) => bodyWith({ inline: { size, sha256: hashOf(1) } });
  accepted(sized(INLINE_BYTES_MAX));
  refused(sized(INLINE_BYTES_MAX + 1), "past 256 KiB");
});

Deno.test("decodeEntryBody reads 16 MiB and not one byte more", () => {
  const text = JSON.stringify(bodyWith());
  const filled = (length: number) => utf8(text.padEnd(length, " "));
  assert.deepEqual(decodeEntryBody(filled(ENTRY_BODY_BYTES_MAX), "log/x"), bodyWith());
  assert.throws(
    () => decodeEntryBody(filled(ENTRY_BODY_BYTES_MAX + 1), "log/x"),
    (error) => isClaudeSyncError(error, "damaged"),
  );
});

Deno.test("decodeEntryBody throws nothing but its two errors", () => {
  const text = JSON.stringify(withAdd({ gens: [sampleRewrite(hashOf(3))] }));
  const values = fc.oneof(fc.json(), fc.constantFrom("null", "-1", "1e999", '""', "[]", "{}"));
  fc.assert(
    fc.property(fc.nat(text.length), fc.nat(40), values, (at, length, value) => {
      const changed = utf8(text.slice(0, at) + value + text.slice(at + length));
      try {
        decodeEntryBody(changed, "log/x");
      } catch (error) {
        assert(isClaudeSyncError(error, "damaged", "newer-format"), `${error}`);
      }
    }),
    { numRuns: 2000 },
  );
});
