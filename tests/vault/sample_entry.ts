/** Entries that keep every rule, for tests and vectors to start from. */
import { utf8 } from "../../src/base/bytes.ts";
import { toHex } from "../../src/base/bytes.ts";
import { EMPTY_SHA256_HEX, sha256Hex } from "../../src/crypto/hash.ts";
import type { MachineIdentity } from "../../src/crypto/machine_identity.ts";
import type { AddOp, EnrolOp, EntryBody, Group } from "../../src/vault/entry_body.ts";
import { generationName } from "../../src/vault/generation.ts";
import type { EncodedGroup } from "../../src/vault/group.ts";

/** Tag of the sample machine. */
export const SAMPLE_TAG = "0123456789abcdef";

/** First and second half of the sample transcript. */
export const SAMPLE_PARTS = [
  utf8('{"type":"user","message":"hello"}\n'),
  utf8('{"type":"assistant","message":"hello, and again hello, hello, hello, hello"}\n'),
] as const;

/** The sample transcript's SHA-256 after each part. */
export const SAMPLE_HASHES = [
  sha256Hex(SAMPLE_PARTS[0]),
  sha256Hex(new Uint8Array([...SAMPLE_PARTS[0], ...SAMPLE_PARTS[1]])),
] as const;

const SAMPLE_SESSION = "6f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f0";

/** `enrol` of `identity`. */
export function sampleEnrolment(identity: MachineIdentity): EnrolOp {
  return {
    op: "enrol",
    sign: toHex(identity.signPublic),
    kem: toHex(identity.kemPublic),
    name: "Grüne Kiste",
    os: "linux",
  };
}

/** A group of one transcript's two parts, stored as `encoded` says. */
export function sampleGroup(encoded: EncodedGroup, place: { in: number; at: number }): Group {
  const [first, second] = SAMPLE_PARTS;
  const common = { file: "transcript", gen: "", mtime: 1764000000000 };
  return {
    ...place,
    stored: encoded.stored.length,
    raw: encoded.raw,
    comp: encoded.comp,
    segments: [
      { ...common, off: 0, len: first.length, parent: EMPTY_SHA256_HEX, hash: SAMPLE_HASHES[0] },
      {
        ...common,
        off: first.length,
        len: second.length,
        parent: SAMPLE_HASHES[0],
        hash: SAMPLE_HASHES[1],
      },
    ],
  };
}

/** An `add` of `groups`. */
export function sampleAdd(groups: readonly Group[]): AddOp {
  const project = { kind: "git", remote: "github.com/acme/app", sub: "" } as const;
  return { op: "add", session: SAMPLE_SESSION, project, gens: [], groups };
}

/** Declares that the transcript was rewritten after `hash`. */
export function sampleRewrite(hash: string): AddOp["gens"][number] {
  const from = { gen: "", hash };
  return { file: "transcript", gen: generationName(from), from };
}

/** Entry 1 with `ops` after the enrolment, and `inline` bytes. */
export function sampleBody(
  identity: MachineIdentity,
  kid: string,
  inline: Uint8Array,
  ops: readonly AddOp[],
): EntryBody {
  return {
    v: 1,
    machine: identity.id,
    tag: SAMPLE_TAG,
    seq: 1,
    prev: "0".repeat(64),
    kid,
    time: 1764000000000,
    heads: {},
    inline: { size: inline.length, sha256: sha256Hex(inline) },
    packs: [],
    ops: [sampleEnrolment(identity), ...ops],
  };
}
