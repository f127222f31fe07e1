/** Vectors of FORMAT.md sections 6 and 7. */
import { type Bytes, concat, fromUtf8, toHex, u32be, utf8 } from "../../src/base/bytes.ts";
import { sha256Hex } from "../../src/crypto/hash.ts";
import { label, lengthPrefixed } from "../../src/crypto/label.ts";
import type { MachineIdentity } from "../../src/crypto/machine_identity.ts";
import { machineIdentityFromSeed } from "../../src/crypto/machine_identity.ts";
import { Secret } from "../../src/base/secret.ts";
import type { EntryBody } from "../../src/vault/entry_body.ts";
import { encodeGroup } from "../../src/vault/group.ts";
import { zstdCompress } from "../../src/vault/zstd_frame.ts";
import { fixedRandom } from "../crypto/fixed_random.ts";
import { rawSha256 } from "../crypto/raw_envelope.ts";
import { SAMPLE_HASHES, SAMPLE_PARTS, SAMPLE_TAG, sampleAdd } from "../vault/sample_entry.ts";
import { sampleBody, sampleEnrolment, sampleGroup } from "../vault/sample_entry.ts";
import { sampleRewrite } from "../vault/sample_entry.ts";
import { base64 } from "./make_envelope.ts";

const vaultId = new Uint8Array(16).fill(0xaa);
const kid = "8290a9cd32cae76f6fc1e50848333909";

/** group.json */
export function groupVectors() {
  const text = utf8('{"type":"user","message":"hello"}\n'.repeat(20));
  const noise = fixedRandom("group").bytes(100);
  const frame = zstdCompress(text);
  const bomb = zstdCompress(new Uint8Array(4 * 2 ** 20 + 1));
  const good = (name: string, stored: Bytes, comp: string, bytes: Bytes) => ({
    name,
    comp,
    raw: bytes.length,
    stored: base64(stored),
    bytes: base64(bytes),
  });
  const bad = (reason: string, stored: Uint8Array, comp: string, raw: number) => ({
    name: reason,
    comp,
    raw,
    stored: base64(stored),
    expect: "damaged",
  });
  const skippable = concat(Uint8Array.of(0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 0));
  return {
    section: "6",
    valid: [
      good("text", frame, "zstd", text),
      good("text stored as it is", text, "none", text),
      good("noise", noise, "none", noise),
      good("nothing", new Uint8Array(0), "none", new Uint8Array(0)),
      good("nothing in a frame", zstdCompress(new Uint8Array(0)), "zstd", new Uint8Array(0)),
    ],
    invalid: [
      bad("frame cut short", frame.subarray(0, frame.length - 1), "zstd", text.length),
      bad("frame cut to its head", frame.subarray(0, 8), "zstd", 0),
      bad("two frames", concat(frame, frame), "zstd", 2 * text.length),
      bad("two frames, length of one", concat(frame, frame), "zstd", text.length),
      bad("a byte behind the frame", concat(frame, Uint8Array.of(0)), "zstd", text.length),
      bad("skippable frame behind", concat(frame, skippable), "zstd", text.length),
      bad("skippable frame before", concat(skippable, frame), "zstd", text.length),
      bad("raw too small", frame, "zstd", text.length - 1),
      bad("raw too large", frame, "zstd", text.length + 1),
      bad("more than 4 MiB", bomb, "zstd", 4 * 2 ** 20 + 1),
      bad("more than raw says", bomb, "zstd", 100),
      bad("no frame", noise, "zstd", 100),
      bad("nothing where there should be a frame", new Uint8Array(0), "zstd", 0),
      bad("stored as it is with another length", text, "none", text.length - 1),
    ],
  };
}

interface Signed {
  readonly payload: Bytes;
  readonly body: Bytes;
  readonly signature: Bytes;
  readonly hash: string;
}

/** The record with another signature, and a hash that agrees with it. */
function rejoined(record: Signed, signature: Bytes, inline: Bytes): Partial<Signed> {
  const upTo = record.payload.length - inline.length - signature.length;
  return {
    signature,
    payload: concat(record.payload.subarray(0, upTo), signature, inline),
    hash: entryHash(record.body, signature),
  };
}

function entryHash(body: Bytes, signature: Bytes): string {
  return rawSha256(concat(label("log-hash"), lengthPrefixed(body), signature));
}

/** Signs whatever it is given, so that wrong bodies can carry right signatures. */
export async function signRecord(
  body: Bytes,
  identity: MachineIdentity,
  vault: Bytes,
  inline: Bytes,
): Promise<Signed> {
  const signature = await identity.sign(concat(label("log-entry"), lengthPrefixed(vault), body));
  const stored = zstdCompress(body);
  const head = concat(u32be(stored.length), u32be(body.length));
  return {
    payload: concat(head, stored, signature, inline),
    body,
    signature,
    hash: entryHash(body, signature),
  };
}

/** record.json */
export async function recordVectors() {
  const seed = new Uint8Array(32).fill(1);
  const identity = await machineIdentityFromSeed(new Secret(seed));
  const group = encodeGroup(SAMPLE_PARTS);
  const inline = group.stored;
  const first = sampleBody(identity, kid, inline, [
    sampleAdd([sampleGroup(group, { in: -1, at: 0 })]),
  ]);
  const one = await signRecord(json(first), identity, vaultId, inline);
  const second = secondBody(first, one.hash);
  const two = await signRecord(json(second), identity, vaultId, new Uint8Array(0));
  const other = await machineIdentityFromSeed(new Secret(new Uint8Array(32).fill(2)));
  const third = thirdBody(first, second, [one.hash, two.hash], other);
  const nothing = new Uint8Array(0);
  const three = await signRecord(json(third), identity, vaultId, nothing);
  const four = await signRecord(json(fourthBody(third, three.hash)), identity, vaultId, nothing);
  const valid = [
    described("entry 1", one, 1, null),
    described("entry 2 with a pack", two, 2, toHex(identity.signPublic)),
    described("entry 3, a checkpoint that brings its key", three, 3, null),
    described("entry 4 with a title", four, 4, toHex(identity.signPublic)),
  ].map((vector, i) => ({ ...vector, inline: i === 0 ? base64(inline) : "" }));
  return {
    section: "7",
    seed: toHex(seed),
    vaultId: toHex(vaultId),
    valid,
    invalid: [
      ...await wrongBodies(first, identity, inline),
      ...await wrongRecords(first, one, identity, inline),
      ...await wrongCheckpoints(third, identity),
      ...await wrongTitles(first, identity, inline),
    ],
  };
}

/** Says entries 1 and 2 again, and has every op there is. */
function thirdBody(
  first: EntryBody,
  second: EntryBody,
  [one, two]: readonly [string, string],
  other: MachineIdentity,
): EntryBody {
  const forgotten = "0f".repeat(16);
  const leaf = { file: "transcript", gen: "", hash: SAMPLE_HASHES[0], len: SAMPLE_PARTS[0].length };
  const adds = second.ops.map((op) => ({ ...op, by: other.id, time: 1763000000000 }));
  const { v, machine, tag, kid, time, inline, packs } = second;
  return {
    ...{ v, machine, tag, seq: 3, prev: two, kid, time, base: 3, heads: {}, inline, packs },
    ops: [
      ...first.ops.slice(0, 1),
      ...adds,
      {
        ...sampleEnrolment(other),
        op: "retire",
        machine: other.id,
        tag: "fedcba9876543210",
        seq: 2,
        hash: "cd".repeat(32),
        covered: ["01234567", "89abcdef" + "cd".repeat(4)],
      },
      {
        op: "forget",
        id: forgotten,
        session: "6f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f0",
        leaves: [leaf],
      },
      { op: "recall", ids: [forgotten] },
      { op: "checkpoint", from: 3, covered: [one.slice(0, 8), two.slice(0, 8)] },
    ],
  };
}

const TITLE = {
  text: 'Grüße an 👩‍💻: fix the "flaky" test',
  time: 1764000000001,
  gen: "",
  hash: SAMPLE_HASHES[1],
};

/** Says what the session is called, and nothing else. */
function fourthBody(third: EntryBody, prev: string): EntryBody {
  return {
    ...third,
    seq: 4,
    prev,
    packs: [],
    ops: [{ ...sampleAdd([]), project: null, title: TITLE }],
  };
}

async function wrongTitles(first: EntryBody, identity: MachineIdentity, inline: Bytes) {
  const wrong: [string, unknown][] = [
    ["a title without a character", { ...TITLE, text: "" }],
    ["a title of 201 characters", { ...TITLE, text: "💻".repeat(201) }],
    ["a title of no state", { ...TITLE, hash: undefined }],
    ["a title without a time", { ...TITLE, time: undefined }],
    ["a title that is text", TITLE.text],
  ];
  return await Promise.all(wrong.map(async ([name, title]) => {
    const ops = first.ops.map((op) => op.op === "add" ? { ...op, title } : op);
    const record = await signRecord(json({ ...first, ops }), identity, vaultId, inline);
    return { ...described(name, record, 1, null), expect: "damaged" };
  }));
}

async function wrongCheckpoints(third: EntryBody, identity: MachineIdentity) {
  const text = JSON.stringify(third);
  const covers = text.slice(text.lastIndexOf('"covered":'));
  const wrong: [string, string, string][] = [
    ["a base that is to come", '"base":3', '"base":4'],
    ["a checkpoint of another base", '"base":3', '"base":2'],
    ["no base at a checkpoint", '"base":3,', ""],
    ["a checkpoint that covers too little", covers, '"covered":["01234567"]}]}'],
    [
      "a checkpoint that is not the last op",
      '"ops":[',
      '"ops":[{"op":"checkpoint","from":3,' +
      `${covers.slice(0, -3)}},`,
    ],
    ["said again by itself", '"by":"', `"by":"${identity.id}","x":"`],
    ["a retirement that ends elsewhere", "89abcdef" + "cd".repeat(4), "89abcdef"],
    ["nothing forgotten", /"leaves":\[[^\]]*\]/.exec(text)![0], '"leaves":[]'],
    ["nothing recalled", /"ids":\[[^\]]*\]/.exec(text)![0], '"ids":[]'],
  ];
  return await Promise.all(wrong.map(async ([name, from, to]) => {
    const body = utf8(text.replace(from, to));
    const record = await signRecord(body, identity, vaultId, new Uint8Array(0));
    return { ...described(name, record, 3, null), expect: "damaged" };
  }));
}

function secondBody(first: EntryBody, prev: string): EntryBody {
  const packed = { in: 0, at: 1000 };
  const group = sampleGroup(encodeGroup(SAMPLE_PARTS), packed);
  const rewrite = sampleRewrite(SAMPLE_HASHES[1]);
  const name = "packs/ab/cdefghjkmnpqrstvwxyz0123456789";
  const again = group.segments.map((segment) => ({ ...segment, gen: rewrite.gen }));
  return {
    ...first,
    seq: 2,
    prev,
    heads: { ["ab".repeat(16)]: { seq: 12, hash: "cd".repeat(32) } },
    inline: { size: 0, sha256: sha256Hex(new Uint8Array(0)) },
    packs: [{ name, size: 4096, sha256: "ef".repeat(32) }],
    ops: [{ ...sampleAdd([{ ...group, segments: again }]), gens: [rewrite] }],
  };
}

function described(name: string, record: Signed, seq: number, signPublic: string | null) {
  return {
    name,
    expected: { tag: SAMPLE_TAG, seq, hash8: record.hash.slice(0, 8), signPublic },
    body: fromUtf8(record.body),
    signature: toHex(record.signature),
    entryHash: record.hash,
    payload: base64(record.payload),
  };
}

function json(value: unknown): Bytes {
  return utf8(JSON.stringify(value));
}

/** Bodies that are wrong in one thing, signed rightly by their machine. */
async function wrongBodies(first: EntryBody, identity: MachineIdentity, inline: Bytes) {
  const text = JSON.stringify(first);
  const wrong: [string, string, string, string][] = [
    ["another version", '"v":1', '"v":2', "newer-format"],
    ["unknown op", '"op":"add"', '"op":"surprise"', "newer-format"],
    ["another tag", SAMPLE_TAG, "z".repeat(16), "damaged"],
    ["another number", '"seq":1,', '"seq":2,', "damaged"],
    ["previous entry of entry 1", "0".repeat(64), "1".repeat(64), "damaged"],
    ["machine is not its keys'", identity.id, "ab".repeat(16), "damaged"],
    [
      "capitals in hex",
      toHex(identity.kemPublic),
      toHex(identity.kemPublic).toUpperCase(),
      "damaged",
    ],
    ["prototype member", '"v":1', '"__proto__":{},"v":1', "damaged"],
    ["fraction", '"off":0', '"off":0.5', "damaged"],
    ["negative", '"off":0', '"off":-1', "damaged"],
    ["segments do not add up", `"len":${SAMPLE_PARTS[0].length}`, '"len":1', "damaged"],
    ["group of a pack that is not named", '"in":-1', '"in":0', "damaged"],
    ["group outside the inline part", '"at":0', '"at":1', "damaged"],
    ["unknown compression", '"comp":"zstd"', '"comp":"gzip"', "damaged"],
    ["generation's name is not its origin's", '"gens":[]', wrongGeneration(), "damaged"],
    ["session is no id", "6f1e2d3c-4b5a", "../../../4b5a", "damaged"],
    ["claim about itself", '"heads":{}', ownHead(identity.id), "damaged"],
    ["no JSON", '"ops":[', '"ops":', "damaged"],
  ];
  const vectors = wrong.map(async ([name, from, to, expect]) => {
    const record = await signRecord(utf8(text.replace(from, to)), identity, vaultId, inline);
    return { ...described(name, record, 1, null), expect };
  });
  return await Promise.all(vectors);
}

function wrongGeneration(): string {
  const from = { gen: "", hash: SAMPLE_HASHES[1] };
  return `"gens":${JSON.stringify([{ file: "transcript", gen: "ab".repeat(16), from }])}`;
}

function ownHead(machine: string): string {
  return `"heads":${JSON.stringify({ [machine]: { seq: 1, hash: "ab".repeat(32) } })}`;
}

/** Right bodies in records that are wrong in one thing. */
async function wrongRecords(
  first: EntryBody,
  one: Signed,
  identity: MachineIdentity,
  inline: Bytes,
) {
  const stranger = await machineIdentityFromSeed(new Secret(new Uint8Array(32).fill(2)));
  const otherVault = new Uint8Array(16).fill(0xbb);
  const signature = one.signature.map((byte, i) => i === 9 ? byte ^ 1 : byte);
  const unsigned = { ...one, ...rejoined(one, signature, inline) };
  const bad = (name: string, record: Signed, signPublic: string | null = null) => ({
    ...described(name, record, 1, signPublic),
    expect: "damaged",
  });
  const head = one.payload.subarray(0, 4);
  const rest = one.payload.subarray(8);
  const raw = json(first).length;
  return [
    bad("signed by another machine", await signRecord(json(first), stranger, vaultId, inline)),
    bad("signed for another vault", await signRecord(json(first), identity, otherVault, inline)),
    bad("signature changed", unsigned),
    bad("log of another machine", one, toHex(stranger.signPublic)),
    { ...bad("hash8 of another entry", one), expected: expectedWithHash("00000000") },
    bad("inline part changed", { ...one, payload: one.payload.with(one.payload.length - 1, 0x55) }),
    bad("inline part cut", { ...one, payload: one.payload.slice(0, -1) }),
    bad("inline part longer", { ...one, payload: concat(one.payload, Uint8Array.of(0)) }),
    bad("raw length too small", { ...one, payload: concat(head, u32be(raw - 1), rest) }),
    bad("raw length too large", { ...one, payload: concat(head, u32be(raw + 1), rest) }),
    bad("stored length past the end", {
      ...one,
      payload: concat(u32be(2 ** 32 - 1), u32be(raw), rest),
    }),
    bad("nothing", { ...one, payload: new Uint8Array(0) }),
  ];
}

function expectedWithHash(hash8: string) {
  return { tag: SAMPLE_TAG, seq: 1, hash8, signPublic: null };
}
