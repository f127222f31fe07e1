/**
 * A hostile member of the vault, with the right key and a valid identity, who breaks the format:
 * refused as a whole, with an error of ours, and nothing changes.
 */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { zstdCompressSync } from "node:zlib";
import { utf8 } from "../../src/base/bytes.ts";
import { EMPTY_SHA256_HEX, sha256Hex } from "../../src/crypto/hash.ts";
import { codeOf } from "../support/outcome.ts";
import { addOf, HostileMember, type Loose, segmentOf } from "./hostile_member.ts";
import {
  assertAllRefused,
  assertRefused,
  changes,
  everything,
  GOOD,
  HASH_A,
  HOSTILE,
  ownMark,
  type Victims,
  withVictims,
} from "./hostile_world.ts";

const EMPTY = new Uint8Array(0);

function putBody(over: Loose): (victims: Victims) => Promise<unknown> {
  return ({ mallory }) => mallory.put(mallory.body([], EMPTY, over));
}

function putOp(op: Loose): (victims: Victims) => Promise<unknown> {
  return ({ mallory }) => mallory.add({ ...addOf(HOSTILE, { transcript: "{}\n" }, op) });
}

function putGroup(over: Loose): (victims: Victims) => Promise<unknown> {
  return ({ mallory }) => mallory.add(addOf(HOSTILE, { transcript: "{}\n" }, {}, over));
}

function putSegment(over: Loose): (victims: Victims) => Promise<unknown> {
  return putGroup({ segments: [segmentOf("transcript", utf8("{}\n"), over)] });
}

Deno.test("pull refuses ops that are not what the format says", () =>
  assertAllRefused({
    "session with a path": putOp({ session: "../../../etc/cron.d/x" }),
    "session of another form": putOp({ session: "not-a-uuid" }),
    "session in upper case": putOp({ session: HOSTILE.replaceAll("6", "A") }),
    "session with a line end": putOp({ session: `${HOSTILE}\n` }),
    "no session": putOp({ session: "" }),
    "session as a list": putOp({ session: [HOSTILE] }),
    "project of another kind": putOp({ project: { kind: "shell", path: "/" } }),
    "project path too long": putOp({ project: { kind: "path", path: `/${"x".repeat(4096)}` } }),
    "file too deep": putSegment({ file: "side" + "/x".repeat(12) }),
    "file too long": putSegment({ file: `side/${"x".repeat(1020)}` }),
    "no file": putSegment({ file: "" }),
    "generation of another name": putOp({
      gens: [{ file: "transcript", gen: "0".repeat(32), from: { gen: "", hash: HASH_A } }],
    }),
    "no such pack": putGroup({ in: 0 }),
    "place behind the end": putGroup({ at: 1 }),
    "place before the start": putGroup({ at: -1 }),
    "half a place": putGroup({ at: 0.5 }),
    "more bytes than there are": putGroup({ stored: 1_000_000 }),
    "more than a group may have": putGroup({ raw: 2 ** 40, comp: "zstd" }),
    "raw that is not the sum": putGroup({ raw: 2, comp: "zstd" }),
    "no compression but another length": putGroup({ stored: 2 }),
    "unknown compression": putGroup({ comp: "brotli" }),
    "no segments": putGroup({ segments: [] }),
    "segment beyond all numbers": putSegment({ off: 2 ** 53 - 1, parent: HASH_A }),
    "segment with a negative length": putSegment({ len: -3 }),
    "segment at 0 with a parent": putSegment({ parent: HASH_A }),
    "segment at 9 without a parent": putSegment({ off: 9, parent: EMPTY_SHA256_HEX }),
    "segment that leads to itself": putSegment({ off: 9, parent: HASH_A, hash: HASH_A }),
    "segment to nothing": putSegment({ hash: EMPTY_SHA256_HEX }),
    "time as text": putSegment({ mtime: "yesterday" }),
  }));

Deno.test("pull refuses bodies that are not what the format says", () =>
  assertAllRefused({
    "no enrolment": putBody({ ops: [] }),
    "an enrolment as second": ({ mallory }) => mallory.put(mallory.body([mallory.enrol()], EMPTY)),
    "an enrolment as second in entry 2": async ({ mallory }) => {
      await mallory.put(mallory.body([], EMPTY));
      await mallory.put(
        mallory.body([{ op: "recall", ids: ["ab".repeat(16)] }, mallory.enrol()], EMPTY),
      );
    },
    "a checkpoint that says less than it covers": async ({ mallory }) => {
      await mallory.put(mallory.body([], EMPTY));
      const checkpoint = { op: "checkpoint", from: 2, covered: [] };
      await mallory.put(mallory.body([mallory.enrol(), checkpoint], EMPTY, { base: 2 }));
    },
    "a base without a checkpoint": async ({ mallory }) => {
      await mallory.put(mallory.body([], EMPTY));
      await mallory.put(mallory.body([mallory.enrol()], EMPTY, { base: 2 }));
    },
    "a name that is too long": ({ mallory }) =>
      mallory.put(mallory.body([], EMPTY, { ops: [mallory.enrol("x".repeat(65))] })),
    "a number that is not its name's": ({ mallory }) =>
      mallory.put({ ...mallory.body([], EMPTY), seq: 1, prev: HASH_A }),
    "a claim about himself": ({ mallory }) =>
      mallory.put(mallory.body([], EMPTY, {
        heads: { [mallory.identity.id]: { seq: 9, hash: HASH_A } },
      })),
    "inline bytes that are not there": putBody({ inline: { size: 9, sha256: HASH_A } }),
    "inline bytes of another hash": ({ mallory }) =>
      mallory.put(mallory.body([], EMPTY, { inline: { size: 1, sha256: HASH_A } }), utf8("x")),
    "a pack with a path": putBody({ packs: [{ name: "../x", size: 4096, sha256: HASH_A }] }),
    "a pack beyond the limit": putBody({
      packs: [{ name: `packs/00/${"0".repeat(30)}`, size: 2 ** 30, sha256: HASH_A }],
    }),
    "ops that are none": putBody({ ops: [null, 1, "x"] }),
    "ops as text": putBody({ ops: "enrol" }),
    "no JSON": ({ mallory }) => mallory.put({}, EMPTY, { bodyBytes: utf8("{") }),
    "no UTF-8": ({ mallory }) =>
      mallory.put({}, EMPTY, { bodyBytes: Uint8Array.of(0x22, 0xff, 0x22) }),
    "too deep": ({ mallory }) =>
      mallory.put({}, EMPTY, { bodyBytes: utf8("[".repeat(100_000) + "]".repeat(100_000)) }),
    "a prototype": ({ mallory }) => {
      const text = JSON.stringify(mallory.body([], EMPTY));
      const bodyBytes = utf8(text.replace("{", '{"__proto__":{"polluted":1},'));
      return mallory.put({}, EMPTY, { bodyBytes });
    },
    "a body of nothing": ({ mallory }) => mallory.put({}, EMPTY, { bodyBytes: EMPTY }),
    "a body that unpacks to more than it says": ({ mallory }) =>
      mallory.put(mallory.body([], EMPTY), EMPTY, { rawLength: 10 }),
    "a body that says it unpacks to 4 GiB": ({ mallory }) =>
      mallory.put(mallory.body([], EMPTY), EMPTY, { rawLength: 0xffff_ffff }),
    "a body of 256 MiB in a few bytes": ({ mallory }) => {
      const stored = new Uint8Array(zstdCompressSync(new Uint8Array(256 * 1024 * 1024)));
      return mallory.put(mallory.body([], EMPTY), EMPTY, { stored, rawLength: 1024 });
    },
  }));

Deno.test("pull refuses long lists without noting every member", () =>
  assertAllRefused({
    "ops": ({ mallory }) => {
      const bodyBytes = utf8(`{"v":1,"ops":[${"0,".repeat(300_000)}0]}`);
      return mallory.put({}, EMPTY, { bodyBytes });
    },
    "groups": ({ mallory }) => {
      const op = { ...addOf(HOSTILE, {}).op, groups: ["here"] };
      const text = JSON.stringify(mallory.body([op], EMPTY));
      const bodyBytes = utf8(text.replace('"here"', `${"0,".repeat(300_000)}0`));
      return mallory.put({}, EMPTY, { bodyBytes });
    },
    "heads": ({ mallory }) => {
      const heads = Object.fromEntries(Array.from({ length: 300_000 }, (_, i) => [`m${i}`, 0]));
      return mallory.put(mallory.body([], EMPTY, { heads }));
    },
  }));

Deno.test("pull refuses a newer entry and says so", () =>
  assertAllRefused({
    "version 2": putBody({ v: 2 }),
    "an op of tomorrow": ({ mallory }) =>
      mallory.put(mallory.body([{ op: "surprise", session: HOSTILE }], EMPTY)),
  }, ["newer-format"]));

Deno.test("pull refuses claims about entries that are not there", () =>
  assertAllRefused({
    "of a machine that nobody knows": putBody({
      heads: { ["0".repeat(32)]: { seq: 1, hash: HASH_A } },
    }),
    "of the future": ({ mallory, anna }) => {
      const heads = { [ownMark(anna).machine]: { seq: 1000, hash: HASH_A } };
      return mallory.put(mallory.body([], EMPTY, { heads }));
    },
    "of another past": ({ mallory, anna }) => {
      const heads = { [ownMark(anna).machine]: { seq: 1, hash: HASH_A } };
      return mallory.put(mallory.body([], EMPTY, { heads }));
    },
  }, ["incomplete"]));

Deno.test("pull refuses identities and logs of others", () =>
  assertAllRefused({
    "somebody else's keys": ({ mallory, anna }) => {
      const { machine } = ownMark(anna);
      const enrol = { ...mallory.enrol(), sign: "1".repeat(64), kem: "2".repeat(64) };
      return mallory.put(mallory.body([], EMPTY, { machine, ops: [enrol] }));
    },
    "somebody else's id with own keys": ({ mallory, anna }) => {
      const { machine } = ownMark(anna);
      return mallory.put(mallory.body([], EMPTY, { machine }));
    },
    "somebody else's id from entry 2 on": async ({ mallory, anna }) => {
      const { machine } = ownMark(anna);
      await mallory.put(mallory.body([], EMPTY));
      await mallory.put(mallory.body([], EMPTY, { machine }));
    },
    "an entry that does not continue the one before": async ({ mallory }) => {
      await mallory.put(mallory.body([], EMPTY));
      await mallory.put(mallory.body([], EMPTY, { prev: HASH_A }));
    },
    "another tag inside than outside": ({ mallory, anna }) => {
      const { tag } = ownMark(anna);
      return mallory.put(mallory.body([], EMPTY, { tag }));
    },
  }));

Deno.test("pull refuses an entry that a member put into somebody else's log", () =>
  withVictims(async (victims) => {
    const { mallory, anna } = victims;
    const { tag, machine, seq, hash } = ownMark(anna);
    const body = { ...mallory.body([], EMPTY), machine, tag, seq: seq + 1, prev: hash, ops: [] };
    await mallory.put(body, EMPTY, { tag });
    await assertRefused(victims, "foreign entry");
    assert.equal(await codeOf(anna.push()), "damaged", "also its owner stops");
  }));

Deno.test("pull refuses one identity in two logs", () =>
  withVictims(async (victims) => {
    const { mallory } = victims;
    await mallory.add(addOf(HOSTILE, { transcript: "{}\n" }));
    const twin = await HostileMember.join(victims.anna);
    Object.assign(twin, { identity: mallory.identity });
    await twin.add(addOf(GOOD, { transcript: "{}\n" }));
    await assertRefused(victims, "twin", ["forked"]);
  }));

Deno.test("pull refuses a pack that is gone, or sealed anew under its name", async () => {
  const name = `packs/00/${"0".repeat(30)}`;
  const swaps: Readonly<Record<string, (victims: Victims) => Promise<unknown>>> = {
    damaged: ({ mallory }) => mallory.seal("pack", name, utf8("no\n")),
    incomplete: ({ mallory }) => Promise.resolve(rmSync(join(mallory.vaultDir, name))),
  };
  for (const [code, swap] of Object.entries(swaps)) {
    await withVictims(async (victims) => {
      const { dir, bert, mallory } = victims;
      const sealed = await mallory.seal("pack", name, utf8("{}\n"));
      const packs = [{ name, size: sealed.length, sha256: sha256Hex(sealed) }];
      const { op } = addOf(HOSTILE, { transcript: "{}\n" }, {}, { in: 0 });
      await mallory.put(mallory.body([op], EMPTY, { packs }));
      await swap(victims);
      const before = everything(dir);
      assert.equal(await codeOf(bert.pull()), code);
      assert.deepEqual(changes(before, everything(dir)), []);
      const { problems } = await bert.verify();
      assert.ok(problems.length > 0);
      for (const one of problems) assert.deepEqual([one.objectName, one.code], [name, code]);
    });
  }
});
