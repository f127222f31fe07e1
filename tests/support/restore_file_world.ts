/** Plans and memories in several versions, and what a test wants to know of them. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { utf8 } from "../../src/base/bytes.ts";
import { sha256Hex } from "../../src/crypto/hash.ts";
import { ClaudeSyncError } from "../../src/errors.ts";
import { slugOf } from "../../src/sessions/slug.ts";
import type { FileRestoreRequest, RestoredFile } from "../../src/sync/history_api.ts";
import { syncService } from "../../src/sync/service.ts";
import { changedStore } from "./changed_store.ts";
import { inTempDir, said, type SyncMachine } from "./sync_machine.ts";
import { newWorld, type SyncWorld } from "./sync_world.ts";

export const SESSION = "11111111-1111-4111-8111-111111111111";
export const OTHER = "22222222-2222-4222-8222-222222222222";
export const PLAN = "plans/linear-swinging-cat.md";
/** Of one length each, as a ticked box makes them. */
export const VERSIONS = ["- [ ] first\n", "- [x] first\n", "- [y] first\n"] as const;
export const MEMORY = "memory/MEMORY.md";
export const HOUR_MS = 3_600_000;

export function hashOf(text: string): string {
  return sha256Hex(utf8(text));
}

export function restoreFile(
  machine: SyncMachine,
  request: Partial<FileRestoreRequest>,
): Promise<RestoredFile> {
  const nothing = { project: null, atMs: null, version: null, to: null };
  const all = { file: PLAN, ...nothing, force: false, dryRun: false, ...request };
  return syncService.restoreFile(machine.context(), all);
}

export async function versionsOf(machine: SyncMachine, file = PLAN): Promise<string[][]> {
  const query = { file, project: null };
  const { versions } = await syncService.fileVersions(machine.context(), query);
  return versions.map(({ version, kind }) => [version, kind]);
}

export function textOf(machine: SyncMachine, file = PLAN): string | null {
  const path = join(machine.configDir, file);
  return existsSync(path) ? readFileSync(path, "utf8") : null;
}

export function plansOf(machine: SyncMachine): string[] {
  return Object.keys(machine.files()).filter((path) => path.startsWith("plans/"));
}

export function memoryFile(machine: SyncMachine): string {
  return `projects/${slugOf(machine.project)}/${MEMORY}`;
}

/** A transcript that names the plan. */
export function planned(machine: SyncMachine, session: string): string {
  const facts = { session, cwd: machine.project, atMs: machine.platform.clock.nowMs() };
  const record = JSON.parse(said("assistant", "a plan", facts));
  const names = JSON.stringify({ ...record, slug: "linear-swinging-cat" });
  return `${said("user", "plan it", facts)}${names}\n`;
}

/** What happens right before anna reads an object, once, and whether she can put none. */
interface Between {
  annaGets: (() => void) | null;
  isCut: boolean;
}

/** anna has pushed three versions of a plan and of a memory, an hour apart; bert has the last. */
export async function withVersions(
  work: (
    anna: SyncMachine,
    bert: SyncMachine,
    world: SyncWorld & { readonly between: Between },
  ) => Promise<void>,
): Promise<void> {
  await inTempDir(async (dir) => {
    const between: Between = { annaGets: null, isCut: false };
    const world = await newWorld(dir, {
      storeOf: (name, store) =>
        name !== "anna" ? store : changedStore(store, {
          get: (object, options) => {
            const happens = between.annaGets;
            between.annaGets = null;
            happens?.();
            return store.get(object, options);
          },
          put: (object, bytes, options) => {
            if (between.isCut) throw new ClaudeSyncError("store-unreachable", "The line is cut");
            return store.put(object, bytes, options);
          },
        }),
    });
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    anna.writeTranscript(SESSION, planned(anna, SESSION));
    for (const text of VERSIONS) {
      world.clock.advance(HOUR_MS);
      anna.write(PLAN, text, world.clock.nowMs());
      anna.write(memoryFile(anna), text, world.clock.nowMs());
      await anna.push();
    }
    world.clock.advance(HOUR_MS);
    for (let round = 0; round < 2; round++) await bert.pull({ all: true });
    assert.equal(textOf(bert), VERSIONS[2]);
    await work(anna, bert, { ...world, between });
  });
}

export async function quiet(machines: readonly SyncMachine[]): Promise<void> {
  for (const machine of machines) await machine.sync();
  for (const machine of machines) {
    const { push, pull } = await machine.sync();
    assert.deepEqual([...push.failures, ...pull.failures], []);
    assert.deepEqual([push.bytes.sent, pull.otherFiles], [0, 0]);
  }
}
