/** A branch that the vault has files of, and no transcript. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { inTempDir, said, type SyncMachine } from "../support/sync_machine.ts";
import { newWorld } from "../support/sync_world.ts";

// It sorts before the branch, so that this is decided after it.
const SESSION = "11111111-1111-4111-8111-111111111111";

function sessionsOn(machine: SyncMachine): string[] {
  const dir = dirname(machine.transcriptPath(SESSION));
  return readdirSync(dir).filter((name) => name.endsWith(".jsonl")).sort();
}

// The simulation, seed 201104: such a branch was decided once more, as a session without a
// transcript, and came to no machine that did not have it.
Deno.test("a branch with a tool's output comes to every machine (sim 201104)", () =>
  inTempDir(async (dir) => {
    const { machines, clock } = await newWorld(dir);
    const [anna, bert] = machines as [SyncMachine, SyncMachine];
    const turn = (machine: SyncMachine, text: string) => {
      clock.advance(60_000);
      const facts = { session: SESSION, cwd: machine.project, atMs: clock.nowMs() };
      return said("user", text, facts) + said("assistant", `${text}!`, facts);
    };
    const start = turn(anna, "start");
    anna.writeTranscript(SESSION, start);
    await anna.push();
    await bert.pull();
    anna.writeTranscript(SESSION, start + turn(anna, "of anna"));
    bert.writeTranscript(SESSION, start + turn(bert, "of bert"));
    clock.advance(3_600_000);
    await anna.push();
    await bert.sync();
    const [, branch] = sessionsOn(bert);
    assert.ok(branch !== undefined && branch > SESSION, "bert has the branch");
    const side = branch.replace(".jsonl", "");
    const path = join(dirname(bert.transcriptPath(SESSION)), side, "tool-results", "1.txt");
    bert.write(path.slice(bert.configDir.length + 1), "output");
    clock.advance(3_600_000);
    await bert.push();
    await anna.sync();
    assert.deepEqual(sessionsOn(anna), sessionsOn(bert));
    const onAnna = Object.values(anna.files()).join("");
    for (const text of ["of anna!", "of bert!", "output"]) assert.ok(onAnna.includes(text), text);
    assert.equal((await bert.sync()).push.pushed, 0);
  }));
