import assert from "node:assert/strict";
import { utf8 } from "../../../src/base/bytes.ts";
import {
  isRaced,
  parseLocalTips,
  parseOid,
  parseRemoteRefs,
} from "../../../src/storage/git/git_answers.ts";

const OID = "0123456789abcdef0123456789abcdef01234567";
const OID_256 = "ab".repeat(32);
const BRANCH = "0123456789abcdef";
const PREFIX = "refs/remotes/vault/";

Deno.test("parseRemoteRefs takes the vault's branches and passes strangers over", () => {
  const lines = [
    `${OID}\tHEAD`,
    `${OID}\trefs/heads/main`,
    `${OID}\trefs/heads/claude-sync/${BRANCH}`,
    `${OID}\trefs/heads/claude-sync/shared`,
    `${OID}\trefs/heads/claude-sync/../../${BRANCH}`,
    `${OID}\trefs/heads/claude-sync/${BRANCH} `,
    `${OID.toUpperCase()}\trefs/heads/claude-sync/fedcba9876543210`,
    "garbage",
  ];
  const refs = parseRemoteRefs(`${lines.join("\n")}\n`);
  assert.deepEqual([...refs.tips], [[BRANCH, OID], ["shared", OID]]);
  assert.deepEqual([refs.format, refs.isEmpty], ["sha1", false]);
  assert.equal(parseRemoteRefs(`${OID_256}\tHEAD\n`).format, "sha256");
  assert.deepEqual(parseRemoteRefs(""), { tips: new Map(), format: null, isEmpty: true });
});

Deno.test("parseLocalTips takes no name that is not ours, whatever bytes it has", () => {
  const text = `${OID} ${PREFIX}${BRANCH}\n${OID} refs/heads/shared\nx ${PREFIX}shared\n`;
  const output = new Uint8Array([...utf8(text), 0xff, 0x20, 0xfe, 0x0a]);
  assert.deepEqual([...parseLocalTips(output, PREFIX)], [[BRANCH, OID]]);
});

Deno.test("parseOid takes one id and nothing else", () => {
  assert.equal(parseOid(utf8(`${OID}\n`)), OID);
  assert.equal(parseOid(utf8(OID_256)), OID_256);
  for (const text of ["", "\n", `${OID}\n${OID}\n`, `--force`, `${OID}0`, `:1`, OID.slice(1)]) {
    assert.equal(parseOid(utf8(text)), null, text);
  }
  assert.equal(parseOid(new Uint8Array([0xff, 0xfe])), null);
});

Deno.test("isRaced reads a reason without end in no time", () => {
  const line = (reason: string) => `To x\n!\ta:b\t[remote rejected] (${reason})\nDone\n`;
  assert.equal(isRaced(line("fetch first")), true);
  assert.equal(isRaced(line("cannot lock ref 'x': is at a but expected b")), true);
  assert.equal(isRaced(line("hook declined")), false);
  const startMs = performance.now();
  isRaced(line("(cannot lock ".repeat(2 ** 18)));
  isRaced(line("(cannot lock)  ".repeat(2 ** 18) + "x"));
  assert(performance.now() - startMs < 2_000, "it takes too long");
});
