import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { ClaudeSyncError } from "../../src/errors.ts";
import type { FileSystem } from "../../src/platform/types.ts";
import { said, SyncMachine, TestClock } from "../support/sync_machine.ts";
import { inTempDir } from "../support/sync_machine.ts";
import { TamperedStore } from "../support/tampered_store.ts";

const ID = "11111111-1111-4111-8111-111111111111";
const T0 = Date.UTC(2026, 0, 15, 12);
const INDEX_FILES = ["state.db", "state.db-wal", "state.db-shm"];

Deno.test("a mark that could not be written is written by the next look", () =>
  inTempDir(async (dir) => {
    const store = new TamperedStore();
    const clock = new TestClock(T0);
    let isFull = false;
    const fs = (real: FileSystem): FileSystem => ({
      ...real,
      rename(from, to) {
        if (isFull && to.endsWith("trust.json")) {
          throw new ClaudeSyncError("no-space", "No space left", { path: to });
        }
        real.rename(from, to);
      },
    });
    const anna = new SyncMachine({ name: "anna", dir, clock, store: () => store.open() });
    const bert = new SyncMachine({ name: "bert", dir, clock, store: () => store.open(), fs });
    await anna.init();
    await bert.join(anna);
    const empty = store.objects();
    anna.writeTranscript(ID, said("user", "one", { session: ID, cwd: anna.project, atMs: T0 }), T0);
    await anna.push();
    const whole = store.objects();
    isFull = true;
    await assert.rejects(bert.pull(), { code: "no-space" });
    isFull = false;
    await bert.pull();
    // The index can be made anew from the vault; the marks must not depend on it.
    for (const file of INDEX_FILES) rmSync(join(bert.home, ".claude-sync", file), { force: true });
    await store.show(empty);
    await assert.rejects(bert.pull(), { code: "rolled-back" });
    await store.show(whole);
    await bert.pull();
  }));
