/** A branch whose title the client has taken out is still the branch that it was. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { inTempDir, said, type SyncMachine } from "../support/sync_machine.ts";
import { newWorld } from "../support/sync_world.ts";

const SESSION = "11111111-1111-4111-8111-111111111111";

/** Path of the only session beside the one that both machines went on with. */
function branchOn(machine: SyncMachine): string {
  const dir = dirname(machine.transcriptPath(SESSION));
  const [name, ...more] = readdirSync(dir).filter((each) => !each.startsWith(SESSION));
  assert.equal(more.length, 0);
  return join(dir, name!);
}

for (const isSpokenInBoth of [false, true]) {
  const where = isSpokenInBoth ? "in both copies" : "elsewhere";
  // The simulation, seed 192: two families decided the session, and the last one to speak won.
  Deno.test(`what is said ${where} after a branch has lost its title stays visible (sim 192)`, () =>
    inTempDir(async (dir) => {
      const { machines, clock } = await newWorld(dir);
      const [anna, bert] = machines as [SyncMachine, SyncMachine];
      const turn = (machine: SyncMachine, session: string, text: string) => {
        clock.advance(60_000);
        const facts = { session, cwd: machine.project, atMs: clock.nowMs() };
        return said("user", text, facts) + said("assistant", `${text}!`, facts);
      };
      const start = turn(anna, SESSION, "start");
      anna.writeTranscript(SESSION, start);
      await anna.push();
      await bert.pull();
      anna.writeTranscript(SESSION, start + turn(anna, SESSION, "of anna"));
      bert.writeTranscript(SESSION, start + turn(bert, SESSION, "of bert"));
      for (const machine of [anna, bert, anna]) await machine.sync();
      const [ofAnna, ofBert] = [branchOn(anna), branchOn(bert)];
      const id = /[^/]+(?=\.jsonl$)/.exec(ofAnna)![0];
      const lines = readFileSync(ofBert, "utf8").split(/(?<=\n)/);
      const untitled = lines.filter((line) => !line.includes('"custom-title"')).join("");
      assert.notEqual(untitled, lines.join(""));
      writeFileSync(ofBert, untitled + (isSpokenInBoth ? turn(bert, id, "last of bert") : ""));
      writeFileSync(ofAnna, readFileSync(ofAnna, "utf8") + turn(anna, id, "last of anna"));
      clock.advance(3_600_000);
      for (const machine of [bert, anna, bert, anna, bert]) await machine.sync();
      const [onAnna, onBert] = machines.map((machine) => Object.values(machine.files()).join(""));
      const wanted = ["last of anna!", ...(isSpokenInBoth ? ["last of bert!"] : [])];
      for (const text of wanted) {
        assert.ok(onAnna!.includes(text), `${text} on anna`);
        assert.ok(onBert!.includes(text), `${text} on bert`);
      }
      assert.equal((await anna.sync()).push.pushed, 0);
    }));
}
