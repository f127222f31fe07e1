/** What comes out of a store, and the key file: everything that opens, or claims to be, a vault. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { concat, equalBytes, toHex, u32be, u64be, utf8 } from "../../src/base/bytes.ts";
import { Secret } from "../../src/base/secret.ts";
import { encryptObject, open } from "../../src/crypto/envelope.ts";
import { decodeFrame, encodeFrame } from "../../src/crypto/frame.ts";
import { machineIdentityFromSeed } from "../../src/crypto/machine_identity.ts";
import {
  decodeKeyFile,
  deriveEpoch,
  formatKeyText,
  parseKeyText,
  ROOT_KEY_BYTES,
  rootKeyFromBytes,
} from "../../src/crypto/root_key.ts";
import { decodeEntryBody, encodeEntryBody } from "../../src/vault/entry_body.ts";
import { decodeGroup, encodeGroup } from "../../src/vault/group.ts";
import { decodeHeader, encodeHeader } from "../../src/vault/header.ts";
import { parseJsonStrict } from "../../src/vault/json.ts";
import { decodeRecord, encodeRecord } from "../../src/vault/record.ts";
import { zstdCompress, zstdDecompress, zstdFrameLength } from "../../src/vault/zstd_frame.ts";
import {
  SAMPLE_HASHES,
  SAMPLE_PARTS,
  SAMPLE_TAG,
  sampleAdd,
  sampleBody,
  sampleGroup,
  sampleRewrite,
} from "../vault/sample_entry.ts";
import { signRecord } from "../vectors/make_record.ts";
import { CASES, fuzz, fuzzAsync } from "./fuzzing.ts";
import { type Json, mutatedJson } from "./json_mutations.ts";
import { mutatedBytes } from "./mutations.ts";

const VAULT_ID = new Uint8Array(16).fill(7);
const KID = "ab".repeat(16);
const OBJECT = "log/0123456789abcdef/000000000001.01234567";
const commit = new Uint8Array(32).fill(9);
const identity = await machineIdentityFromSeed(new Secret(new Uint8Array(32).fill(1)));
const epoch = await deriveEpoch(rootKeyFromBytes(new Uint8Array(32).fill(2)));
const group = encodeGroup(SAMPLE_PARTS);
const body = sampleBody(identity, KID, group.stored, [
  {
    ...sampleAdd([sampleGroup(group, { in: -1, at: 0 })]),
    gens: [sampleRewrite(SAMPLE_HASHES[0])],
  },
]);
const secondBody = {
  ...body,
  seq: 2,
  prev: "1".repeat(64),
  heads: { ["0".repeat(32)]: { seq: 4, hash: "2".repeat(64) } },
  packs: [{ name: `packs/ab/${"0".repeat(30)}`, size: 8192, sha256: "3".repeat(64) }],
  ops: body.ops.slice(1),
};

/** What JSON can say of a value: no -0, no undefined. */
function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

Deno.test("fuzz: frames give their payload or nothing, and have one form", () => {
  const samples = [new Uint8Array(0), utf8("hello"), new Uint8Array(5000).fill(3)]
    .map((payload) => encodeFrame(commit, payload));
  // Lengths that would be somewhere else in memory, with all else in order.
  const lied = [0, 1, 3928, 3929, 2 ** 32, 2 ** 53 - 1].map((length) => {
    const frame = samples[0]!.slice();
    frame.set(concat(u64be(length), u64be(length)), 40);
    return frame;
  });
  fuzz(mutatedBytes([...samples, ...lied]), (frame) => decodeFrame(commit, frame), {
    check(payload, frame) {
      if (payload !== null) assert(equalBytes(encodeFrame(commit, payload), frame));
    },
  });
});

Deno.test("fuzz: frames hold any payload", () => {
  fuzz(fc.uint8Array({ maxLength: 9000 }), (payload) => {
    return decodeFrame(commit, encodeFrame(commit, payload));
  }, { check: (payload, input) => assert(equalBytes(payload!, input)) });
});

Deno.test("fuzz: envelopes open unchanged or not at all", async () => {
  const context = { type: "log", vaultId: VAULT_ID, name: OBJECT } as const;
  const object = await encryptObject(epoch, context, utf8("secret"), new Uint8Array(12));
  await fuzzAsync(mutatedBytes([object]), (bytes) => open(epoch, context, bytes), {
    codes: ["damaged"],
    check: (_payload, bytes) => assert(equalBytes(bytes, object)),
  });
});

Deno.test("fuzz: records are the signed one or damaged", async () => {
  const { payload, entryHash } = await encodeRecord(body, identity, VAULT_ID, group.stored);
  const expected = { tag: SAMPLE_TAG, seq: 1, hash8: entryHash.slice(0, 8), signPublic: null };
  await fuzzAsync(mutatedBytes([payload]), (bytes) => decodeRecord(bytes, VAULT_ID, expected), {
    codes: ["damaged"],
    check: (record) => {
      // The compressed form may differ in a bit that means nothing; what was signed may not.
      assert.deepEqual(record.body, body);
      assert.equal(record.entryHash, entryHash);
    },
  });
});

Deno.test("fuzz: what a member signs is a whole entry or refused", async () => {
  const texts = mutatedJson([body, secondBody] as unknown as Json[]);
  const signed = fc.tuple(texts, mutatedBytes([group.stored]));
  await fuzzAsync(signed, async ([text, inline]) => {
    const { payload, hash } = await signRecord(utf8(text), identity, VAULT_ID, inline);
    const hash8 = hash.slice(0, 8);
    return await decodeRecord(payload, VAULT_ID, {
      ...{ tag: SAMPLE_TAG, seq: 1, hash8, signPublic: identity.signPublic },
    });
  }, {
    // The record and the body have had their cases by themselves.
    runs: CASES / 10,
    codes: ["damaged", "newer-format"],
    check: ({ body, inline }) => assert.equal(body.inline.size, inline.length),
  });
});

Deno.test("fuzz: entry bodies keep the format's rules and mean the same again", () => {
  const samples = [body, secondBody] as unknown as Json[];
  fuzz(mutatedJson(samples), (text) => decodeEntryBody(utf8(text), OBJECT), {
    codes: ["damaged", "newer-format"],
    check(decoded) {
      // Encoding asserts every rule of the format.
      const again = decodeEntryBody(encodeEntryBody(decoded), OBJECT);
      assert.deepEqual(again, asJson(decoded));
      assert.equal(Object.getPrototypeOf(decoded.heads), Object.prototype);
    },
  });
});

Deno.test("fuzz: the header is a header or refused, never nothing", () => {
  const header = { vaultId: VAULT_ID, kid: new Uint8Array(16).fill(8) };
  const valid = encodeHeader(header);
  const text = { format: 1, vaultId: toHex(VAULT_ID), kid: KID };
  const inputs = fc.oneof(
    mutatedBytes([valid]),
    mutatedJson([text, { ...text, format: 2 }]).map(utf8),
  );
  fuzz(inputs, decodeHeader, {
    codes: ["malformed-file", "newer-format"],
    check(decoded) {
      assert.equal(decoded.vaultId.length + decoded.kid.length, 32);
      assert.deepEqual(decodeHeader(encodeHeader(decoded)), decoded);
    },
  });
});

Deno.test("fuzz: strict JSON holds no prototypes and no more levels than it may", () => {
  const sample = { a: [1, { b: "c" }], d: { e: null } };
  const inputs = fc.oneof(mutatedJson([sample]).map(utf8), mutatedBytes([utf8('{"a":[1,"\\""]}')]));
  fuzz(inputs, (bytes) => parseJsonStrict(bytes, { bytesMax: 16_384, depthMax: 8 }), {
    check: (value) => {
      const names = ["__proto__", "constructor", "prototype"];
      const walk = (part: unknown, depth: number): void => {
        if (typeof part !== "object" || part === null) return;
        assert(depth < 8, "a level too many");
        for (const [name, member] of Object.entries(part)) {
          assert(!names.includes(name));
          walk(member, depth + 1);
        }
      };
      walk(value, 0);
    },
  });
});

Deno.test("fuzz: groups are what was compressed, of the length that is said", () => {
  const raws = [utf8("a"), utf8("abc".repeat(100)), new Uint8Array(3000), SAMPLE_PARTS[1]];
  const frames = raws.map((raw) => zstdCompress(raw));
  const lengths = fc.constantFrom(0, 1, 300, 3000, 4 * 1024 * 1024, 4 * 1024 * 1024 + 1, 2 ** 40);
  fuzz(fc.tuple(mutatedBytes(frames), lengths), ([stored, raw]) => {
    return decodeGroup(stored, raw, "zstd", OBJECT);
  }, {
    codes: ["damaged"],
    check: (bytes, [, raw]) => assert.equal(bytes.length, raw),
  });
  fuzz(mutatedBytes(frames), zstdFrameLength, {
    check: (length, bytes) => assert(length === null || (length > 0 && length <= bytes.length)),
  });
  fuzz(fc.uint8Array({ maxLength: 2000 }), (raw) => zstdDecompress(zstdCompress(raw), raw.length), {
    check: (back, raw) => assert(equalBytes(back!, raw)),
  });
});

Deno.test("fuzz: keys are typed with care or not taken", () => {
  const key = Uint8Array.from({ length: ROOT_KEY_BYTES }, (_, at) => (at * 37) & 255);
  const text = formatKeyText(rootKeyFromBytes(key));
  const texts = [text, text.slice(0, 43), toHex(key), toHex(key).toUpperCase(), ` ${text}\r\n`];
  const inputs = mutatedBytes([key, ...texts.map(utf8)]);
  fuzz(inputs, (bytes) => [decodeKeyFile(bytes), parseKeyText(new TextDecoder().decode(bytes))], {
    check(found) {
      for (const bytes of found) {
        if (bytes === null) continue;
        assert.equal(bytes.length, ROOT_KEY_BYTES);
        assert(equalBytes(parseKeyText(formatKeyText(rootKeyFromBytes(bytes)))!, bytes));
      }
    },
  });
});

Deno.test("fuzz: lengths in front of a record are not believed", async () => {
  const { payload } = await encodeRecord(body, identity, VAULT_ID, group.stored);
  const length = fc.constantFrom(0, 1, 63, 64, 1000, 2 ** 24, 2 ** 24 + 1, 2 ** 31, 2 ** 32 - 1);
  const expected = { tag: SAMPLE_TAG, seq: 1, hash8: "00000000", signPublic: null };
  await fuzzAsync(fc.tuple(length, length, fc.nat(payload.length)), ([stored, raw, end]) => {
    const lying = concat(u32be(stored), u32be(raw), payload.subarray(8, Math.max(8, end)));
    return decodeRecord(lying, VAULT_ID, expected);
  }, { codes: ["damaged"], check: () => assert.fail("no such record was written") });
});
