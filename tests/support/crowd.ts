/** Many machines that push and pull through one place at once. */
import assert from "node:assert/strict";
import { appendFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import type { StorePlace } from "./store_place.ts";
import { said, SyncMachine } from "./sync_machine.ts";

/** What a crowd did. */
export interface CrowdReport {
  readonly pushes: number;
  readonly failures: readonly string[];
  /** Milliseconds of the pushes, in their order in time. */
  readonly pushMs: readonly number[];
}

const SHARED = "99999999-9999-4999-8999-999999999999";

function ownId(index: number): string {
  return `${index + 1}1111111-1111-4111-8111-111111111111`;
}

/**
 * Lets `count` machines extend a session of their own each and one that all share, pushing after
 * each turn and pulling after some, until `isOver`; then syncs until all are quiet. Fails unless
 * all of them have every turn, the same files, and a vault without a problem.
 */
export async function crowd(
  dir: string,
  place: StorePlace,
  count: number,
  isOver: (rounds: number) => boolean,
): Promise<CrowdReport> {
  const machines: SyncMachine[] = [];
  for (let index = 0; index < count; index++) {
    const name = `machine-${index}`;
    const machine = new SyncMachine({ name, dir, ...await place.access(join(dir, name)) });
    const [first] = machines;
    if (first === undefined) await machine.init();
    else await machine.join(first);
    machines.push(machine);
  }
  const failures: string[] = [];
  const pushes: { atMs: number; ms: number }[] = [];
  const turns: string[] = [];
  await Promise.all(machines.map(async (machine, index) => {
    for (let round = 0; !isOver(round); round++) {
      const text = `turn ${round} of machine ${index}`;
      turns.push(text);
      speak(machine, ownId(index), text);
      const startMs = performance.now();
      try {
        const { failed } = await machine.push();
        pushes.push({ atMs: startMs, ms: performance.now() - startMs });
        if (failed > 0) failures.push(`${failed} sessions of machine ${index}`);
        if (round % 3 === 2) await machine.pull({ all: true });
      } catch (error) {
        failures.push(String(error));
      }
    }
  }));
  for (const [index, machine] of machines.entries()) speak(machine, SHARED, `all, ${index}`);
  await Promise.all(machines.map((machine) => machine.push()));
  // Once around, a machine has seen what all others had pushed when their turn ended.
  for (const machine of [...machines, ...machines]) {
    await machine.pull({ all: true });
    await machine.push();
  }
  await assertConverged(machines, turns);
  pushes.sort((a, b) => a.atMs - b.atMs);
  return { pushes: pushes.length, failures, pushMs: pushes.map(({ ms }) => ms) };
}

async function assertConverged(
  machines: readonly SyncMachine[],
  turns: readonly string[],
): Promise<void> {
  const [first, ...others] = machines as [SyncMachine, ...SyncMachine[]];
  const all = Object.values(first.files()).sort();
  for (const other of others) assert.deepEqual(Object.values(other.files()).sort(), all);
  const text = all.join("");
  for (const turn of turns) assert.ok(text.includes(`"${turn}"`), `${turn} is there`);
  for (let index = 0; index < machines.length; index++) {
    assert.ok(text.includes(`"all, ${index}"`), `what machine ${index} said to all is there`);
  }
  assert.deepEqual((await first.verify()).problems, []);
}

function speak(machine: SyncMachine, session: string, text: string): void {
  const facts = { session, cwd: machine.project, atMs: Date.now() };
  const lines = said("user", text, facts) + said("assistant", `echo ${text}`, facts);
  const path = machine.transcriptPath(session);
  if (existsSync(path)) appendFileSync(path, lines);
  else machine.writeTranscript(session, lines);
}
