import assert from "node:assert/strict";
import { type Bytes, concat, fromUtf8, toHex, utf8 } from "../../src/base/bytes.ts";
import { machineIdentityFromSeed } from "../../src/crypto/machine_identity.ts";
import { Secret } from "../../src/base/secret.ts";
import { ClaudeSyncError, isClaudeSyncError } from "../../src/errors.ts";
import type { EntryBody } from "../../src/vault/entry_body.ts";
import { ENTRY_BODY_BYTES_MAX, INLINE_BYTES_MAX } from "../../src/vault/format.ts";
import { decodeGroup, encodeGroup } from "../../src/vault/group.ts";
import { storedGroup } from "../../src/vault/pack.ts";
import { decodeRecord, encodeRecord, type ExpectedEntry } from "../../src/vault/record.ts";
import { fixedRandom } from "../crypto/fixed_random.ts";
import { loadVectors, unbase64, unhex } from "../vectors/load.ts";
import { signRecord } from "../vectors/make_record.ts";
import { SAMPLE_PARTS, SAMPLE_TAG, sampleAdd, sampleBody, sampleGroup } from "./sample_entry.ts";

interface Vector {
  name: string;
  expected: { tag: string; seq: number; hash8: string; signPublic: string | null };
  payload: string;
}

interface ValidVector extends Vector {
  body: string;
  signature: string;
  entryHash: string;
  inline: string;
}

type InvalidVector = Vector & { expect: "damaged" | "newer-format" };

const vectors = loadVectors<{
  seed: string;
  vaultId: string;
  valid: ValidVector[];
  invalid: InvalidVector[];
}>("record");

const vaultId = unhex(vectors.vaultId);
const kid = "ab".repeat(16);
const identity = await machineIdentityFromSeed(new Secret(unhex(vectors.seed)));
const group = encodeGroup(SAMPLE_PARTS);
const sample = sampleBody(identity, kid, group.stored, [
  sampleAdd([sampleGroup(group, { in: -1, at: 0 })]),
]);

function expectedOf(vector: Vector): ExpectedEntry {
  const { signPublic, ...rest } = vector.expected;
  return { ...rest, signPublic: signPublic === null ? null : unhex(signPublic) };
}

function expectedFor(entryHash: string, signPublic: Bytes | null = null): ExpectedEntry {
  return { tag: SAMPLE_TAG, seq: 1, hash8: entryHash.slice(0, 8), signPublic };
}

async function refused(payload: Bytes, vault: Bytes, expected: ExpectedEntry, why: string) {
  const failure = await decodeRecord(payload, vault, expected)
    .then(() => null, (error: unknown) => error);
  assert(isClaudeSyncError(failure, "damaged"), `${why}: ${failure}`);
  assert.equal(failure.message, "Object is damaged or was made with another key");
}

Deno.test("decodeRecord reads the known entries", async () => {
  for (const vector of vectors.valid) {
    const record = await decodeRecord(unbase64(vector.payload), vaultId, expectedOf(vector));
    assert.equal(record.entryHash, vector.entryHash, vector.name);
    assert.deepEqual(record.body, JSON.parse(vector.body));
    assert.deepEqual(record.inline.slice(), unbase64(vector.inline));
  }
});

Deno.test("encodeRecord signs what the known entries say, bit for bit", async () => {
  for (const vector of vectors.valid) {
    const body: EntryBody = JSON.parse(vector.body);
    const record = await encodeRecord(body, identity, vaultId, unbase64(vector.inline));
    assert.equal(record.entryHash, vector.entryHash);
    const end = record.payload.length - unbase64(vector.inline).length;
    assert.equal(toHex(record.payload.slice(end - 64, end)), vector.signature);
  }
});

Deno.test("decodeRecord refuses every invalid vector for its reason", async (t) => {
  for (const vector of vectors.invalid) {
    await t.step(vector.name, async () => {
      const { tag, seq, hash8 } = vector.expected;
      const name = `log/${tag}/${String(seq).padStart(12, "0")}.${hash8}`;
      await assert.rejects(
        () => decodeRecord(unbase64(vector.payload), vaultId, expectedOf(vector)),
        (error) => isClaudeSyncError(error, vector.expect) && error.objectName === name,
      );
    });
  }
});

Deno.test("decodeRecord inverts encodeRecord, and its inline part holds the group", async () => {
  const { payload, entryHash } = await encodeRecord(sample, identity, vaultId, group.stored);
  const record = await decodeRecord(payload, vaultId, expectedFor(entryHash));
  assert.deepEqual(record.body, sample);
  assert.equal(record.entryHash, entryHash);
  const op = record.body.ops[1];
  assert(op?.op === "add");
  const place = op.groups[0]!;
  const stored = storedGroup(record.inline, place, "log/x");
  const bytes = decodeGroup(stored, place.raw, place.comp, "log/x");
  assert.equal(fromUtf8(bytes), fromUtf8(concat(...SAMPLE_PARTS)));
});

Deno.test("decodeRecord refuses a record with any one byte changed", async () => {
  const { payload, entryHash } = await encodeRecord(sample, identity, vaultId, group.stored);
  for (const key of [null, identity.signPublic]) {
    for (let at = 0; at < payload.length; at++) {
      const changed = payload.slice();
      changed[at]! ^= 1 << (at % 8);
      // A byte that the compressor does not need may change: the body and its signature are the
      // same then.
      const failure = await decodeRecord(changed, vaultId, expectedFor(entryHash, key)).then(
        (record) => assert.deepEqual(record.body, sample),
        (error: unknown) => error,
      );
      assert(failure === undefined || isClaudeSyncError(failure, "damaged"), `byte ${at}`);
    }
  }
});

Deno.test("decodeRecord refuses a record cut anywhere", async () => {
  const { payload, entryHash } = await encodeRecord(sample, identity, vaultId, group.stored);
  for (let length = 0; length < payload.length; length++) {
    await refused(payload.slice(0, length), vaultId, expectedFor(entryHash), `${length} bytes`);
  }
});

Deno.test("decodeRecord refuses another machine's, vault's, log's or place's record", async () => {
  const { payload, entryHash } = await encodeRecord(sample, identity, vaultId, group.stored);
  const good = expectedFor(entryHash);
  const stranger = await machineIdentityFromSeed(new Secret(new Uint8Array(32).fill(9)));
  const prev = "0".repeat(64);
  await decodeRecord(payload, vaultId, { ...good, machine: identity.id, prev, kid });
  await refused(payload, new Uint8Array(16), good, "vault");
  await refused(payload, vaultId, { ...good, tag: "z".repeat(16) }, "tag");
  await refused(payload, vaultId, { ...good, seq: 2 }, "number");
  await refused(payload, vaultId, { ...good, seq: 2, signPublic: identity.signPublic }, "number");
  await refused(payload, vaultId, { ...good, hash8: "00000000" }, "hash");
  await refused(payload, vaultId, { ...good, signPublic: stranger.signPublic }, "key");
  await refused(payload, vaultId, { ...good, machine: stranger.id }, "machine");
  await refused(payload, vaultId, { ...good, prev: "1".repeat(64) }, "previous entry");
  await refused(payload, vaultId, { ...good, kid: "cd".repeat(16) }, "epoch");
});

Deno.test("encodeRecord refuses to sign for another machine or another inline part", async () => {
  const stranger = await machineIdentityFromSeed(new Secret(new Uint8Array(32).fill(9)));
  const isBug = (error: unknown) => isClaudeSyncError(error, "bug");
  await assert.rejects(() => encodeRecord(sample, stranger, vaultId, group.stored), isBug);
  await assert.rejects(() => encodeRecord(sample, identity, vaultId, new Uint8Array(0)), isBug);
  const other = group.stored.map((byte) => byte ^ 1);
  await assert.rejects(() => encodeRecord(sample, identity, vaultId, other), isBug);
});

Deno.test("records hold 256 KiB of inline bytes and not one more", async () => {
  const random = fixedRandom("inline");
  const most = random.bytes(INLINE_BYTES_MAX);
  const body = sampleBody(identity, kid, most, []);
  const { payload, entryHash } = await encodeRecord(body, identity, vaultId, most);
  const record = await decodeRecord(payload, vaultId, expectedFor(entryHash));
  assert.equal(record.inline.length, INLINE_BYTES_MAX);

  const more = random.bytes(INLINE_BYTES_MAX + 1);
  const tooMuch = sampleBody(identity, kid, more, []);
  await assert.rejects(
    () => encodeRecord(tooMuch, identity, vaultId, more),
    (error) => isClaudeSyncError(error, "bug"),
  );
  const forged = await signRecord(utf8(JSON.stringify(tooMuch)), identity, vaultId, more);
  await refused(forged.payload, vaultId, expectedFor(forged.hash), "inline part past its limit");
});

Deno.test("records hold a body of 16 MiB and not one byte more", async () => {
  const text = JSON.stringify(sample);
  const filled = (length: number) => utf8(text + " ".repeat(length - utf8(text).length));
  const most = await signRecord(filled(ENTRY_BODY_BYTES_MAX), identity, vaultId, group.stored);
  const record = await decodeRecord(most.payload, vaultId, expectedFor(most.hash));
  assert.deepEqual(record.body, sample);
  const more = await signRecord(filled(ENTRY_BODY_BYTES_MAX + 1), identity, vaultId, group.stored);
  await refused(more.payload, vaultId, expectedFor(more.hash), "body past its limit");
});

Deno.test("decodeRecord throws nothing but its two errors on signed noise", async () => {
  const random = fixedRandom("noise");
  const texts = [
    "{}",
    "[]",
    "null",
    '{"v":1}',
    '{"v":1,"ops":[]}',
    '{"v":1,"ops":[{"op":"x"}]}',
    "{",
  ];
  const bodies = [...texts.map(utf8), ...Array.from({ length: 50 }, (_, i) => random.bytes(i))];
  for (const body of bodies) {
    const { payload, hash } = await signRecord(body, identity, vaultId, new Uint8Array(0));
    for (const key of [null, identity.signPublic]) {
      await assert.rejects(
        () => decodeRecord(payload, vaultId, expectedFor(hash, key)),
        (error) =>
          error instanceof ClaudeSyncError &&
          (error.code === "damaged" || error.code === "newer-format"),
      );
    }
  }
});
