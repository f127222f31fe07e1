/** Batches of which a session fails on the way, after much of it was stored. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { discoverSessions } from "../../src/sessions/discover.ts";
import type { FileSystem } from "../../src/platform/types.ts";
import { withFreshVault } from "../../src/sync/fresh_vault.ts";
import { ProjectFinder } from "../../src/sync/projects.ts";
import { pushSessions } from "../../src/sync/push.ts";
import { gc, IDS, liveOn } from "../support/gc_world.ts";
import { inTempDir, said, type SyncMachine } from "../support/sync_machine.ts";
import { newWorld, type SyncWorld } from "../support/sync_world.ts";

const [BAD, GOOD] = IDS as [string, string];

/** Bytes after which the bad session's file ends once it is read to be sent. */
const SHORTENED_BYTES = 20 * 1024 * 1024;

/** A world whose first machine finds the bad session's file shorter than it was a moment ago. */
async function shrinkingWorld(dir: string): Promise<SyncWorld> {
  let isSending = () => false;
  const fsOf = (name: string, fs: FileSystem): FileSystem =>
    name !== "anna" ? fs : Object.assign(Object.create(fs) as FileSystem, {
      openRead: (path: string) => {
        const handle = fs.openRead(path);
        if (handle === null || !path.includes(BAD)) return handle;
        return {
          stat: () => handle.stat(),
          readAt: (into: Uint8Array, offset: number) =>
            isSending() && offset + into.length > SHORTENED_BYTES ? 0 : handle.readAt(into, offset),
          close: () => handle.close(),
        };
      },
    });
  const world = await newWorld(dir, { fsOf });
  const [anna] = world.machines;
  isSending = () => anna!.events.some((event) => "phase" in event && event.phase === "sending");
  return world;
}

/** More than a pack takes, in lines that do not get smaller. */
function writeLarge(machine: SyncMachine, session: string): void {
  const facts = { session, cwd: machine.project, atMs: machine.platform.clock.nowMs() };
  const lines = Array.from(
    { length: 24 },
    () => said("user", randomBytes(750_000).toString("base64"), facts),
  );
  machine.writeTranscript(session, lines.join(""), facts.atMs - 3_600_000);
}

Deno.test("what a session that failed has left in a pack stays as long as an entry names it", () =>
  inTempDir(async (dir) => {
    const world = await shrinkingWorld(dir);
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    writeLarge(anna, BAD);
    const facts = { session: GOOD, cwd: anna.project, atMs: world.clock.nowMs() };
    anna.writeTranscript(GOOD, said("user", "hello", facts), facts.atMs - 7_200_000);
    const pushed = await anna.push();
    assert.deepEqual([pushed.pushed, pushed.failures.map(({ code }) => code)], [1, ["local-io"]]);
    assert.deepEqual((await bert.verify()).problems, []);
    await gc(bert);
    await liveOn(bert, world.clock, 8);
    assert.deepEqual((await gc(bert)).deleted, { objects: 0, bytes: 0 });
    assert.deepEqual((await bert.verify()).problems, []);
    assert.deepEqual((await gc(bert)).leftovers, null);
  }));

Deno.test("a batch after one of which nothing was sent has packs of its own", () =>
  inTempDir(async (dir) => {
    const world = await shrinkingWorld(dir);
    const [anna, bert] = world.machines as [SyncMachine, SyncMachine];
    writeLarge(anna, BAD);
    writeLarge(anna, GOOD);
    await withFreshVault(anna.context(), "required", async ({ vault, sender }) => {
      const { sessions } = discoverSessions(anna.platform.fs, vault.root);
      const projects = new ProjectFinder(anna.platform, vault.index);
      const scope = { shelves: [], all: true, dryRun: false, tearNow: true };
      for (const id of [BAD, GOOD]) {
        const own = sessions.filter((session) => session.id === id);
        const totals = await pushSessions(vault, sender, projects, { ...scope, sessions: own });
        assert.deepEqual(totals.pushedSessions, id === BAD ? [] : [GOOD]);
      }
    });
    await bert.pull();
    assert.equal(bert.readTranscript(GOOD), anna.readTranscript(GOOD));
  }));
