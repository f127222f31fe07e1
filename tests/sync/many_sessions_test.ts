/** What must not grow with the number of sessions. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import type { FileSystem } from "../../src/platform/types.ts";
import { MemoryStore } from "../../src/storage/memory/store.ts";
import type { SyncContext } from "../../src/sync/api.ts";
import { LOOK_BYTES } from "../../src/sync/look_bytes.ts";
import { BATCH_FILES_MAX } from "../../src/sync/pull_write.ts";
import { syncService } from "../../src/sync/service.ts";
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

const ALL = { sessions: [], all: true, dryRun: false };
const FEW = 60;

/** What the machines asked of their disks, by the names of files and folders. */
interface Watched {
  readonly read: string[];
  readonly named: string[];
  readonly listed: string[];
}

/** Two machines, the first of which has `FEW` sessions, each newer than the one before. */
async function withFew(
  work: (anna: SyncMachine, bert: SyncMachine, watched: Watched) => Promise<void>,
): Promise<void> {
  const watched: Watched = { read: [], named: [], listed: [] };
  const watch = (disk: FileSystem) =>
    Object.assign(Object.create(disk) as FileSystem, {
      openRead: (path: string) => (watched.read.push(basename(path)), disk.openRead(path)),
      link: (from: string, to: string) => (watched.named.push(basename(to)), disk.link(from, to)),
      readDir: (path: string) => (watched.listed.push(basename(path)), disk.readDir(path)),
    });
  await inMemoryDir(async (dir) => {
    const store = new MemoryStore();
    const options = { dir, store: () => Promise.resolve(store), fs: watch };
    const anna = new SyncMachine({ name: "anna", ...options });
    const bert = new SyncMachine({ name: "bert", ...options });
    for (let index = 0; index < FEW; index++) {
      const atMs = Date.now() - 3_600_000 + index * 1_000;
      const facts = { session: idOf(index), cwd: anna.project, atMs };
      anna.writeTranscript(idOf(index), said("user", "a", facts), atMs);
    }
    await anna.init();
    await bert.join(anna);
    await work(anna, bert, watched);
  });
}

/** Bytes that `run` had said to be free when it began to move what it had planned. */
async function freeWhenPlanned(
  machine: SyncMachine,
  phase: "sending" | "receiving",
  run: (context: SyncContext) => Promise<unknown>,
): Promise<number> {
  let [passedBytes, atPhase] = [0, -1];
  const memory = { passed: (sizeBytes: number) => void (passedBytes += sizeBytes) };
  await run({
    ...machine.context(),
    platform: { ...machine.platform, memory },
    onProgress: (event) => {
      if (event.kind === "phase" && event.phase === phase) atPhase = passedBytes;
    },
  });
  return atPhase;
}

Deno.test("planning a first push or pull lets the runtime collect, session by session", () =>
  withFew(async (anna, bert) => {
    const pushed = await freeWhenPlanned(anna, "sending", (context) => {
      return syncService.push(context, ALL);
    });
    assert.ok(pushed >= FEW * 16 * LOOK_BYTES, `${pushed} bytes`);
    const pulled = await freeWhenPlanned(bert, "receiving", (context) => {
      return syncService.pull(context, ALL);
    });
    assert.ok(pulled >= FEW * 6 * LOOK_BYTES, `${pulled} bytes`);
  }));

Deno.test("the newest of many sessions go and come first", () =>
  withFew(async (anna, bert, watched) => {
    const newestFirst = Array.from({ length: FEW }, (_, index) => `${idOf(index)}.jsonl`).reverse();
    const isTranscript = (name: string) => newestFirst.includes(name);
    assert.equal((await anna.push()).pushed, FEW);
    assert.deepEqual(watched.read.filter(isTranscript).slice(-FEW), newestFirst);
    assert.equal((await bert.pull({ all: true })).pulled, FEW);
    assert.deepEqual(watched.named.filter(isTranscript), newestFirst);
    for (let index = 0; index < FEW; index++) {
      assert.equal(bert.readTranscript(idOf(index)), anna.readTranscript(idOf(index)));
    }
  }));

Deno.test("a first pull looks for sessions once when no plan or prompt comes along", () =>
  withFew(async (anna, bert, watched) => {
    await anna.push();
    bert.writeTranscript(
      idOf(FEW),
      said("user", "own", {
        session: idOf(FEW),
        cwd: bert.project,
        atMs: Date.now() - 3_600_000,
      }),
    );
    watched.listed.length = 0;
    assert.equal((await bert.pull({ all: true })).pulled, FEW);
    assert.equal(watched.listed.filter((name) => name === "projects").length, 1);
  }));
