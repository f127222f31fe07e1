/** Lies in a session's prompt history, told by a member with the right key. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { sha256Hex } from "../../src/crypto/hash.ts";
import { utf8 } from "../../src/base/bytes.ts";
import { generationName } from "../../src/vault/generation.ts";
import { addOf, type Loose, segmentOf } from "./hostile_member.ts";
import { GOOD, HASH_A, HONEST, HOSTILE, turns, withVictims } from "./hostile_world.ts";

function line(session: string, display: unknown, timestamp: unknown = 5): string {
  return JSON.stringify({ display, pastedContents: {}, timestamp, sessionId: session }) + "\n";
}

Deno.test("pull takes no line that the format does not know from a history", () =>
  withVictims(async ({ bert, mallory }) => {
    const own = line(HONEST, "bert's own");
    writeFileSync(join(bert.configDir, "history.jsonl"), own);
    const good = line(HOSTILE, "\u001b[2J is only text in JSON");
    const bad = [
      line(HONEST, "another session's"),
      line(HOSTILE, { toString: 1 }),
      line(HOSTILE, "no time", "now"),
      "garbage\n",
      `{"display":"x","timestamp":5,"sessionId":"${HOSTILE}"\n`,
      "\0\u001b]0;owned\u0007\n",
      line(HOSTILE, "torn").trimEnd(),
    ];
    const transcript = turns(HOSTILE, bert.project, ["x"]);
    await mallory.add(addOf(HOSTILE, { transcript, history: good + bad.join("") }));
    assert.deepEqual((await bert.pull()).failures, []);
    assert.equal(bert.files()["history.jsonl"], own + good);
    await bert.pull({ all: true });
    assert.equal(bert.files()["history.jsonl"], own + good);
    assert.deepEqual((await bert.push()).failures, []);
  }));

Deno.test("a history that cannot be read costs its own lines and nothing else", () =>
  withVictims(async ({ bert, mallory }) => {
    const bytes = utf8(line(HOSTILE, "x"));
    const lies: Loose[] = [
      { hash: HASH_A, parent: "b".repeat(64), off: 9 },
      { len: bytes.length, off: 2 ** 40, parent: "b".repeat(64), hash: HASH_A },
    ];
    for (const lie of lies) {
      const add = addOf(HOSTILE, { history: line(HOSTILE, "x") }, {}, {
        segments: [segmentOf("history", bytes, lie)],
      });
      await mallory.add(add);
    }
    await mallory.add(addOf(HOSTILE, { transcript: turns(HOSTILE, bert.project, ["x"]) }));
    const transcript = turns(GOOD, bert.project, ["good"]);
    await mallory.add(addOf(GOOD, { transcript, history: line(GOOD, "good") }));
    const { failures } = await bert.pull();
    assert.deepEqual([...new Set(failures.map(({ sessionId }) => sessionId))], [HOSTILE]);
    assert.equal(bert.files()["history.jsonl"], line(GOOD, "good"));
    assert.match(bert.readTranscript(HOSTILE), /x/);
    writeFileSync(join(bert.configDir, "history.jsonl"), line(HOSTILE, "bert's"));
    assert.deepEqual((await bert.push()).failures, [], "nothing keeps a line from the vault");
  }));

Deno.test("a history that is declared replaced takes no line away", () =>
  withVictims(async ({ anna, bert, mallory }) => {
    const text = line(HONEST, "anna's");
    writeFileSync(join(anna.configDir, "history.jsonl"), text);
    await anna.push();
    await bert.pull();
    const from = { gen: "", hash: sha256Hex(utf8(text)) };
    const gen = generationName(from);
    const other = line(HONEST, "mallory's");
    const add = addOf(HONEST, { history: other }, { gens: [{ file: "history", gen, from }] }, {
      segments: [segmentOf("history", utf8(other), { gen })],
    });
    await mallory.add(add);
    for (let round = 0; round < 2; round++) {
      for (const machine of [bert, anna]) {
        assert.deepEqual((await machine.sync()).pull.failures, []);
      }
    }
    for (const machine of [anna, bert]) {
      assert.equal(machine.files()["history.jsonl"], text + other, machine.name);
    }
  }));

Deno.test("a version that ends in the middle of a line costs no other version a line", () =>
  withVictims(async ({ bert, mallory }) => {
    const transcript = turns(HOSTILE, bert.project, ["x"]);
    const lines = [line(HOSTILE, "one"), line(HOSTILE, "two"), line(HOSTILE, "three")];
    await mallory.add(addOf(HOSTILE, { transcript }));
    for (const honest of lines) await mallory.add(addOf(HOSTILE, { history: honest }));
    for (let torn = 1; torn <= 4; torn++) {
      await mallory.add(addOf(HOSTILE, { history: line(HOSTILE, `torn ${torn}`).slice(0, -9) }));
    }
    assert.deepEqual((await bert.pull()).failures, []);
    const arrived = (bert.files()["history.jsonl"] ?? "").split("\n").filter((each) => each !== "");
    assert.deepEqual(arrived.sort(), lines.map((each) => each.trimEnd()).sort());
  }));
