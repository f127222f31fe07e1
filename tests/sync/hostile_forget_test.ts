/**
 * A member who forgets what is not there, in absurd words and amounts. He may forget whatever he
 * likes, as every member may; what he must not do is break, slow down or mislead others.
 */
import assert from "node:assert/strict";
import { sha256Hex } from "../../src/crypto/hash.ts";
import { utf8 } from "../../src/base/bytes.ts";
import { listForgotten } from "../../src/sync/recall.ts";
import { forget, listed, recall, speak } from "../support/forget_world.ts";
import { addOf, type HostileMember, type Loose } from "./hostile_member.ts";
import { assertAllRefused, changes, everything, GOOD, HASH_A, HONEST } from "./hostile_world.ts";
import { HOSTILE, NEWS, turns, type Victims, withVictims } from "./hostile_world.ts";

const ID = "0123456789abcdef0123456789abcdef";

function leaf(over: Loose = {}): Loose {
  return { file: "transcript", gen: "", hash: HASH_A, len: 7, ...over };
}

function forgetOp(over: Loose = {}): Loose {
  return { op: "forget", id: ID, session: HOSTILE, leaves: [leaf()], ...over };
}

function say(mallory: HostileMember, ops: readonly Loose[]): Promise<string> {
  return mallory.put(mallory.body(ops, new Uint8Array(0)));
}

/** Lets bert read the ops; everything else that he has and gets is as it was. */
async function readBeside({ dir, bert, mallory }: Victims, ...ops: readonly Loose[]) {
  await say(mallory, ops);
  const before = everything(dir);
  const pull = await bert.pull();
  assert.deepEqual([pull.pulled, pull.failures], [1, []]);
  assert.deepEqual(changes(before, everything(dir)).filter((path) => !path.includes(NEWS)), []);
  assert.equal((await listed(bert))[HONEST], "both");
  assert.deepEqual((await bert.verify()).problems, []);
  assert.deepEqual(await listForgotten(bert.context()), []);
}

Deno.test("forgets of what does not exist, in absurd words, change nothing", () =>
  withVictims((victims) =>
    readBeside(
      victims,
      forgetOp(),
      forgetOp({
        leaves: ["../../evil", "\u001b[2J", "con", "a/../b", "transcript/x", "plans/x.md"]
          .map((file) => leaf({ file })),
      }),
      forgetOp({ session: HONEST, leaves: [leaf(), leaf({ gen: ID }), leaf({ len: 0 })] }),
      forgetOp({ session: HONEST, leaves: [leaf({ len: Number.MAX_SAFE_INTEGER })] }),
      { op: "recall", ids: [HASH_A.slice(0, 32), ID] },
      { op: "recall", ids: ["f".repeat(32)] },
    )
  ));

Deno.test("a forget of 100,000 states is read, and of one more is refused", () =>
  withVictims(async (victims) => {
    const many = (count: number) =>
      Array.from({ length: count }, (_, at) => leaf({ hash: sha256Hex(utf8(`${at}`)) }));
    await readBeside(victims, forgetOp({ session: HONEST, leaves: many(100_000) }));
    const { bert } = victims;
    speak(bert, HONEST, "goes on");
    assert.equal((await bert.push()).pushed, 1);
    assert.deepEqual((await forget(bert, [HONEST])).sessions.map(({ id }) => id), [HONEST]);
    assert.equal((await bert.push()).pushed, 0);
  }));

Deno.test("malformed forgets and recalls are refused with their whole entry", () =>
  assertAllRefused({
    "no leaves": ({ mallory }) => say(mallory, [forgetOp({ leaves: [] })]),
    "too many leaves": ({ mallory }) =>
      say(mallory, [forgetOp({ leaves: Array(100_001).fill(leaf()) })]),
    "a short id": ({ mallory }) => say(mallory, [forgetOp({ id: "00" })]),
    "no session": ({ mallory }) => say(mallory, [forgetOp({ session: "x" })]),
    "an empty name": ({ mallory }) => say(mallory, [forgetOp({ leaves: [leaf({ file: "" })] })]),
    "a negative length": ({ mallory }) => say(mallory, [forgetOp({ leaves: [leaf({ len: -1 })] })]),
    "a recall of nothing": ({ mallory }) => say(mallory, [{ op: "recall", ids: [] }]),
  }));

Deno.test("one id for many sessions is recalled at once, and the others stay as they are", () =>
  withVictims(async ({ anna, bert, mallory }) => {
    const text = turns(GOOD, bert.project, ["good"]);
    await mallory.add(addOf(GOOD, { transcript: text }));
    const hash = sha256Hex(utf8(text));
    await say(mallory, [
      forgetOp({ session: GOOD, leaves: [leaf({ hash, len: 1 })] }),
      forgetOp({ session: HOSTILE }),
    ]);
    await bert.pull();
    assert.equal((await listed(bert))[GOOD], undefined);
    assert.deepEqual((await listForgotten(bert.context())).map(({ id }) => id), [GOOD]);
    assert.deepEqual(await recall(anna, [GOOD]), [HOSTILE, GOOD].sort());
    await bert.pull();
    assert.equal(bert.readTranscript(GOOD), text);
  }));

Deno.test("what a member forgets of others comes back with a recall or with their next turn", () =>
  withVictims(async ({ anna, bert, mallory }) => {
    const hash = sha256Hex(utf8(bert.readTranscript(HONEST)));
    await say(mallory, [forgetOp({ session: HONEST, leaves: [leaf({ hash })] })]);
    await bert.pull();
    assert.equal((await listed(bert))[HONEST], "here, forgotten");
    speak(anna, HONEST, "more");
    await anna.push();
    await bert.pull();
    assert.equal((await listed(bert))[HONEST], "both");
    assert.equal(bert.readTranscript(HONEST), anna.readTranscript(HONEST));
  }));
