/** What must not grow with the number of sessions. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { MemoryStore } from "../../src/storage/memory/store.ts";
import { BATCH_FILES_MAX } from "../../src/sync/pull_write.ts";
import { changedStore } from "../support/changed_store.ts";
import { SessionCorpus } from "../support/session_corpus.ts";
import { inMemoryDir, said, SyncMachine } from "../support/sync_machine.ts";
import { withoutFlush } from "../support/unflushed_fs.ts";

const TEMPORARY = /\.claude-sync-[0-9a-f]{16}\.tmp$/;

function idOf(index: number): string {
  return `${(0x20000000 + index).toString(16)}-0000-4000-8000-000000000020`;
}

for (const more of [0, 1]) {
  Deno.test(`a pull of ${BATCH_FILES_MAX + more} files has at most that many unpublished`, () =>
    inMemoryDir(async (dir) => {
      const store = new MemoryStore();
      const options = { dir, store: () => Promise.resolve(store) };
      const anna = new SyncMachine({ name: "anna", ...options, fs: withoutFlush });
      let projects = "";
      const seen: number[] = [];
      const bert = new SyncMachine({
        name: "bert",
        ...options,
        fs: (disk) => {
          const quick = withoutFlush(disk);
          return Object.assign(Object.create(quick), {
            // The first name is given when a batch is complete.
            link: (from: string, to: string) => {
              projects = join(to, "..");
              const names = readdirSync(projects).filter((name) => TEMPORARY.test(name));
              if (seen.length === 0 && to.endsWith(".jsonl")) seen.push(names.length);
              return quick.link(from, to);
            },
          });
        },
      });
      const count = BATCH_FILES_MAX + more;
      for (let index = 0; index < count; index++) {
        const facts = { session: idOf(index), cwd: anna.project, atMs: Date.now() - 3_600_000 };
        anna.writeTranscript(idOf(index), said("user", "a", facts));
      }
      await anna.init();
      await bert.join(anna);
      await anna.push();
      assert.equal((await bert.pull({ all: true })).pulled, count);
      assert.deepEqual(seen, [BATCH_FILES_MAX]);
    }));
}

Deno.test("verify reads each pack once, in whatever order the sessions' ids are", () =>
  inMemoryDir(async (dir) => {
    const store = new MemoryStore();
    const gets = new Map<string, number>();
    const counting = changedStore(store, {
      get: (name, options) => {
        gets.set(name, (gets.get(name) ?? 0) + 1);
        return store.get(name, options);
      },
    });
    const anna = new SyncMachine({ name: "anna", dir, store: () => Promise.resolve(counting) });
    await anna.init();
    // More packs than are kept, and sessions that alternate between them by their ids.
    for (let pack = 0; pack < 12; pack++) {
      for (let n = 0; n < 3; n++) {
        const session = idOf(pack + 100 * n);
        const facts = { session, cwd: anna.project, seed: pack * 7 + n, startMs: 1.7e12 };
        anna.writeTranscript(session, new SessionCorpus(facts).next(500_000));
      }
      await anna.push();
    }
    gets.clear();
    assert.deepEqual((await anna.verify()).problems, []);
    const packs = [...gets].filter(([name]) => name.startsWith("packs/"));
    assert.ok(packs.length >= 12, `${packs.length} packs`);
    assert.deepEqual(packs.filter(([, times]) => times > 1), []);
  }));
