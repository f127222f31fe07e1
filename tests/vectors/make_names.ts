/** Vectors of FORMAT.md sections 2, 3, 4 and of generations (section 7). */
import { toHex, utf8 } from "../../src/base/bytes.ts";
import { EMPTY_SHA256_HEX } from "../../src/crypto/hash.ts";
import { machineIdentityFromSeed } from "../../src/crypto/machine_identity.ts";
import { Secret } from "../../src/base/secret.ts";
import { generationName } from "../../src/vault/generation.ts";
import { rawKeys, rawSha256 } from "../crypto/raw_envelope.ts";
import { base64 } from "./make_envelope.ts";

/** keys.json */
export async function keyVectors() {
  const roots = [Uint8Array.from({ length: 32 }, (_, i) => i), new Uint8Array(32).fill(0xff)];
  const seeds = [new Uint8Array(32).fill(1), Uint8Array.from({ length: 32 }, (_, i) => 255 - i)];
  return {
    section: "4",
    epochs: roots.map(epochVector),
    machines: await Promise.all(seeds.map(machineVector)),
    texts: textVectors(roots[1]!),
  };
}

function epochVector(root: Uint8Array) {
  const keys = rawKeys({ root, type: "pack", vaultId: new Uint8Array(16), name: "x" });
  return {
    root: toHex(root),
    kid: toHex(keys.kid),
    epochData: toHex(keys.dataKey),
    keychain: toHex(keys.keychainKey),
    object: toHex(keys.objectKey),
  };
}

async function machineVector(seed: Uint8Array<ArrayBuffer>) {
  const identity = await machineIdentityFromSeed(new Secret(seed));
  const message = utf8("signed");
  return {
    seed: toHex(seed),
    signPublic: toHex(identity.signPublic),
    kemPublic: toHex(identity.kemPublic),
    machineId: identity.id,
    message: "signed",
    signature: toHex(await identity.sign(message)),
  };
}

function textVectors(root: Uint8Array) {
  const standard = base64(root);
  const text = (value: string, key: string | null, reason: string) => ({
    text: value,
    key,
    reason,
  });
  const key = toHex(root);
  return [
    text(standard, key, "base64"),
    text(`${standard}\r\n`, key, "with a line end"),
    text(standard.replace("=", ""), key, "without padding"),
    text(standard.replaceAll("/", "_"), key, "URL alphabet"),
    text(` ${standard.slice(0, 20)}\n${standard.slice(20)}`, key, "wrapped"),
    text(key, key, "hex"),
    text(key.toUpperCase(), key, "hex in capitals"),
    text("", null, "nothing"),
    text(standard.slice(1), null, "a character short"),
    text(`A${standard}`, null, "a character more"),
    text(standard.replace("8=", "9="), null, "unused bits set"),
    text(key.slice(2), null, "31 bytes of hex"),
    text(`${standard}=`, null, "too much padding"),
    text(`${standard.slice(0, 42)}!=`, null, "no base64"),
  ];
}

/** header.json */
export function headerVectors() {
  const [vaultId, kid] = ["aa".repeat(16), "8290a9cd32cae76f6fc1e50848333909"];
  const good = `{"format":1,"vaultId":"${vaultId}","kid":"${kid}"}\n`;
  const padded = (length: number) => good.slice(0, -2) + `,"x":"${"y".repeat(length)}"}\n`;
  const bad = (text: string, expect: string, reason: string) => ({ text, expect, reason });
  return {
    section: "3",
    valid: [
      { text: good, vaultId, kid, reason: "as written" },
      { text: good.replace("{", '{ "more": [1], '), vaultId, kid, reason: "unknown member" },
      { text: padded(4096 - padded(0).length), vaultId, kid, reason: "4,096 bytes" },
    ],
    invalid: [
      bad('{"format":2}\n', "newer-format", "newer"),
      bad(good.replace(":1,", ":2,"), "newer-format", "newer, otherwise the same"),
      bad(good.replace(":1,", ":0,"), "malformed-file", "format 0"),
      bad(good.replace(":1,", ':"1",'), "malformed-file", "format as text"),
      bad(good.replace("aa", "AA"), "malformed-file", "capitals"),
      bad(good.replace("aa", ""), "malformed-file", "vaultId too short"),
      bad(good.replace("kid", "kidd"), "malformed-file", "no kid"),
      bad(padded(4097 - padded(0).length), "malformed-file", "4,097 bytes"),
      bad(good.replace("{", '{"__proto__":{},'), "malformed-file", "prototype member"),
      bad(`\ufeff${good}`, "malformed-file", "byte order mark"),
      bad("[]\n", "malformed-file", "no object"),
      bad("", "malformed-file", "empty"),
    ],
  };
}

/** names.json */
export function nameVectors() {
  const tag = "0123456789abcdef";
  return {
    section: "2",
    log: [
      { name: `log/${tag}/000000000001.0011aabb`, tag, seq: 1, hash8: "0011aabb" },
      { name: `log/${tag}/999999999999.ffffffff`, tag, seq: 999999999999, hash8: "ffffffff" },
    ],
    pack: ["packs/ab/cdefghjkmnpqrstvwxyz0123456789"],
    stranger: [
      `log/${tag}/000000000000.0011aabb`,
      `log/${tag}/1.0011aabb`,
      `log/${tag}/000000000001.0011aab`,
      `log/${tag}/000000000001.0011AABB`,
      `log/${tag}/000000000001.0011aabb (conflicted copy)`,
      `log/${tag}/000000000001.0011aabb\n`,
      "log/0123456789abcdei/000000000001.0011aabb",
      "log/0123456789abcde/000000000001.0011aabb",
      "packs/ab/cdefghjkmnpqrstvwxyz012345678",
      "packs/ab/cdefghjkmnpqrstvwxyz01234567890",
      "packs/ab/udefghjkmnpqrstvwxyz0123456789",
      "packs/abc/defghjkmnpqrstvwxyz0123456789",
      ".DS_Store",
    ],
  };
}

/** generation.json */
export function generationVectors() {
  const first = { gen: "", hash: rawSha256(utf8("the first text\n")) };
  const second = { gen: generationName(first), hash: rawSha256(utf8("another text\n")) };
  const emptied = { gen: "", hash: EMPTY_SHA256_HEX };
  return {
    section: "7",
    valid: [first, second, emptied].map((from) => ({ from, gen: generationName(from) })),
  };
}
