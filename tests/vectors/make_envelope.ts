/** Vectors of FORMAT.md section 5. Made with `raw_envelope.ts`, not with the program. */
import { concat, toHex, utf8 } from "../../src/base/bytes.ts";
import { padme, sealedSizeBytes } from "../../src/crypto/frame.ts";
import { fixedRandom } from "../crypto/fixed_random.ts";
import type { RawContext, RawFrame } from "../crypto/raw_envelope.ts";
import { rawKeys, rawObject, rawSha256 } from "../crypto/raw_envelope.ts";

const random = fixedRandom("envelope");
const root = Uint8Array.from({ length: 32 }, (_, i) => i);
const vaultId = new Uint8Array(16).fill(0xaa);
const payload = utf8('{"type":"user","message":"hello"}\n');
const iv = new Uint8Array(12).fill(7);
const packs = "packs/ab/cdefghjkmnpqrstvwxyz0123456789";
const known: RawContext = { root, vaultId, type: "pack", name: "o/ab/abcdefghij" };

/** `Uint8Array.toBase64` is not everywhere yet. */
export function base64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

function described(name: string, c: RawContext, object: Uint8Array) {
  return {
    name,
    root: toHex(c.root),
    type: c.type,
    vaultId: toHex(c.vaultId),
    objectName: c.name,
    object: base64(object),
  };
}

function valid(name: string, c: RawContext, body: Uint8Array, nonce: Uint8Array) {
  const object = rawObject(c, nonce, { payload: body, objectLength: sealedSizeBytes(body.length) });
  const keys = rawKeys(c);
  return {
    ...described(name, c, object),
    kid: toHex(keys.kid),
    context: toHex(keys.context),
    key: toHex(keys.cipherKey),
    commit: toHex(keys.commit),
    iv: toHex(nonce),
    payload: base64(body),
    sha256: rawSha256(object),
  };
}

function invalid(reason: string, c: RawContext, object: Uint8Array) {
  return { ...described(reason, c, object), expect: "damaged" };
}

function flipped(object: Uint8Array, at: number): Uint8Array {
  const copy = object.slice();
  copy[at]! ^= 1;
  return copy;
}

/** envelope.json */
export function envelopeVectors() {
  const log = { ...known, type: "log", name: "log/0123456789abcdef/000000000001.0011aabb" };
  const keychain = { ...known, type: "keychain", name: `keys/${toHex(rawKeys(known).kid)}` };
  const sized = (length: number) => random.bytes(length);
  return {
    section: "5",
    valid: [
      valid("the known answer", known, payload, iv),
      valid("empty payload", known, new Uint8Array(0), sized(12)),
      valid("fills 4096 bytes to the last", { ...known, name: packs }, sized(4012), sized(12)),
      valid("one byte more than 4096", { ...known, name: packs }, sized(4013), sized(12)),
      valid("payload ends in zeros", known, concat(sized(5000), new Uint8Array(9)), sized(12)),
      valid("log entry", log, payload, sized(12)),
      valid("keychain", keychain, payload, sized(12)),
    ],
    invalid: [...changedObjects(), ...otherContexts(), ...wrongFrames()],
  };
}

function changedObjects() {
  const object = rawObject(known, iv, { payload, objectLength: 4096 });
  return [
    invalid("IV changed", known, flipped(object, 0)),
    invalid("tag changed", known, flipped(object, 12)),
    invalid("ciphertext changed", known, flipped(object, 28)),
    invalid("last byte changed", known, flipped(object, 4095)),
    invalid("one byte short", known, object.subarray(0, 4095)),
    invalid("one zero byte more", known, concat(object, new Uint8Array(1))),
    invalid("nothing", known, new Uint8Array(0)),
    invalid("IV and tag only", known, object.subarray(0, 28)),
  ];
}

function otherContexts() {
  const object = rawObject(known, iv, { payload, objectLength: 4096 });
  const other: Record<string, RawContext> = {
    "under another name": { ...known, name: "o/ab/abcdefghik" },
    "as another type": { ...known, type: "log" },
    "in another vault": { ...known, vaultId: new Uint8Array(16).fill(0xab) },
    "with another root key": { ...known, root: new Uint8Array(32).fill(1) },
  };
  return Object.entries(other).map(([reason, c]) => invalid(reason, c, object));
}

function wrongFrames() {
  const otherCommit = rawKeys({ ...known, root: new Uint8Array(32).fill(1) }).commit;
  const frames: Record<string, Partial<RawFrame>> = {
    "commitment of another key": { commit: otherCommit },
    "no commitment": { commit: new Uint8Array(32) },
    "wrong magic": { magic: "CSO2" },
    "version 2": { version: 2 },
    "compressed frame": { compression: 2 },
    "reserved bytes used": { reserved: 1 },
    "raw length differs from stored length": { rawLength: payload.length + 1 },
    "payload longer than the frame": { storedLength: 4013 },
    "payload of 2^53 bytes": { storedLength: 2 ** 53 - 1 },
    "padding not zero": { lastByte: 1 },
    "padded to more than the canonical length": { objectLength: 8192 },
    "padded to less than the smallest length": { objectLength: 4095 },
    "not a padded length": { payload: new Uint8Array(5000), objectLength: 5084 },
  };
  return Object.entries(frames).map(([reason, frame]) => {
    const object = rawObject(known, iv, { payload, objectLength: 4096, ...frame });
    return invalid(reason, known, object);
  });
}

/** padme.json */
export function padmeVectors() {
  const powers = Array.from({ length: 14 }, (_, i) => 2 ** (i + 12));
  const lengths = new Set([2, 3, 7, 8, 9, 84, 100, 1000, 1025, 4095, 5000, 70000, 1000003]);
  for (const power of powers) for (const d of [-1, 0, 1]) lengths.add(power + d);
  const sorted = [...lengths].sort((a, b) => a - b);
  const payloads = [0, 1, 4011, 4012, 4013, 5000, 8 * 2 ** 20 - 84, 8 * 2 ** 20 - 83];
  return {
    section: "5",
    padme: sorted.map((length) => ({ length, padded: padme(length) })),
    sealed: payloads.map((length) => ({ payload: length, object: sealedSizeBytes(length) })),
  };
}
