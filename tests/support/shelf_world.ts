/** Machines that share a session, and what belongs to none: memories, plans, prompts. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { slugOf } from "../../src/sessions/slug.ts";
import { filesBelow, inTempDir, said, type SyncMachine } from "./sync_machine.ts";
import { newWorld, type SyncWorld, type WorldOptions } from "./sync_world.ts";

/** An hour, in ms. */
export const HOUR_MS = 3_600_000;

/** The session that is shared. */
export const ONE = "11111111-1111-4111-8111-111111111111";

/** The file of a memory that the client reads first. */
export const INDEX = "MEMORY.md";

/** Folder of a project's memory, below the Claude Code folder. */
export function memoryDir(machine: SyncMachine, project = machine.project): string {
  return `projects/${slugOf(project)}/memory`;
}

/** Writes a file of the memory of the machine's project. */
export function remember(machine: SyncMachine, name: string, text: string, mtimeMs?: number): void {
  machine.write(`${memoryDir(machine)}/${name}`, text, mtimeMs);
}

/** Every memory file of the project, by its path inside the memory. */
export function memoryOf(
  machine: SyncMachine,
  project = machine.project,
): Record<string, string> {
  const dir = join(machine.configDir, memoryDir(machine, project));
  return existsSync(dir) ? filesBelow(dir) : {};
}

/** A transcript of an hour ago. */
export function talk(machine: SyncMachine, session = ONE, cwd = machine.project): string {
  const facts = { session, cwd, atMs: machine.platform.clock.nowMs() - HOUR_MS };
  return said("user", "hello", facts) + said("assistant", "hi", facts);
}

/** Machines that have one session, which the first one has pushed. */
export async function withShared(
  work: (world: SyncWorld, anna: SyncMachine, bert: SyncMachine) => Promise<void>,
  options: WorldOptions = {},
): Promise<void> {
  await inTempDir(async (dir) => {
    const world = await newWorld(dir, options);
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    anna.writeTranscript(ONE, talk(anna));
    await anna.push();
    for (const other of world.machines.slice(1)) await other.pull();
    await work(world, anna, bert);
  });
}

/** Syncs all machines until each has what all others had. */
export async function syncAll(machines: readonly SyncMachine[]): Promise<void> {
  for (let round = 0; round <= machines.length; round++) {
    for (const machine of machines) {
      const { pull, push } = await machine.sync();
      assert.deepEqual([...pull.failures, ...push.failures], []);
    }
  }
}
