import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { inTempDir, said, SyncMachine } from "../support/sync_machine.ts";

const ID = "11111111-1111-4111-8111-111111111111";
const T0 = Date.now() - 86_400_000;

async function pair(dir: string): Promise<[SyncMachine, SyncMachine]> {
  const a = new SyncMachine({ name: "anna", dir });
  const b = new SyncMachine({ name: "bert", dir });
  await a.init();
  await b.join(a);
  return [a, b];
}

function turn(machine: SyncMachine, text: string, atMs: number, session = ID): string {
  const facts = { session, cwd: machine.project, atMs };
  return said("user", text, facts) +
    said("assistant", `echo ${text}`, { ...facts, atMs: atMs + 1 });
}

Deno.test("a file that lost its middle to zeros replaces no good copy, and a pull repairs it", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    const turns = [1, 2, 3].map((i) => turn(a, `SAY${i}`, T0 + i * 1000));
    a.writeTranscript(ID, turns.join(""));
    await a.push();
    await b.pull();
    const good = b.readTranscript(ID);
    const bytes = readFileSync(a.transcriptPath(ID));
    bytes.fill(0, turns[0]!.length, turns[0]!.length + turns[1]!.length);
    a.writeTranscript(ID, bytes, T0 + 60_000);
    await a.push();
    await b.pull();
    assert.equal(b.readTranscript(ID), good);
    await a.pull();
    assert.equal(a.readTranscript(ID), good);
    assert.equal(Object.keys(b.files()).length, 1, "the damage is no second session");
    assert.deepEqual((await b.verify()).problems, []);
  }));
