/** What a vault costs its readers after thousands of pushes, before and after `gc`. */
import { appendFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import type { ObjectName } from "../../src/storage/object_name.ts";
import { MemoryStore } from "../../src/storage/memory/store.ts";
import type { ObjectStore } from "../../src/storage/object_store.ts";
import type { MeteredStore } from "../../src/storage/with_meter.ts";
import { gc, liveOn } from "../support/gc_world.ts";
import { SessionCorpus } from "../support/session_corpus.ts";
import { SyncMachine } from "../support/sync_machine.ts";
import { newWorld, objectsOf, type SyncWorld } from "../support/sync_world.ts";
import { bytesText, tableLines, timeText } from "./table.ts";
import type { BenchWorld } from "./world.ts";

/** Issue: after so many pushes. */
const PUSHES = 5_000;
const SESSIONS = 40;
/** What a turn or two of Claude add to a transcript. */
const PUSH_BYTES = 20_000;
/** Issue: a new machine's first pull, beside that of a fresh vault. */
const BYTES_TARGET = 1.05;
const REQUESTS_TARGET = 2;
/** Names on one page of a bucket's list. */
const PAGE_NAMES = 1_000;

/** A bucket in memory: it counts its requests, a list one for every page. */
function bucket(store: MemoryStore): MeteredStore {
  const requests = { get: 0, put: 0, list: 0, delete: 0 };
  let [sentBytes, receivedBytes] = [0, 0];
  const counted: MeteredStore = {
    label: store.label,
    concurrency: 8,
    isBatching: false,
    async get(name) {
      requests.get++;
      const bytes = await store.get(name);
      receivedBytes += bytes?.length ?? 0;
      return bytes;
    },
    put(name, body) {
      requests.put++;
      sentBytes += body.length;
      return store.put(name, body);
    },
    async putAll(items) {
      let differing: ObjectName | null = null;
      for (const { name, read } of items) {
        if (await counted.put(name, await read()) === "differs") differing ??= name;
      }
      return differing;
    },
    async *list(prefix, options) {
      requests.list++;
      let names = 0;
      for await (const info of store.list(prefix, options)) {
        if (++names % (PAGE_NAMES + 1) === 0) requests.list++;
        yield info;
      }
    },
    delete(name) {
      requests.delete++;
      return store.delete(name);
    },
    traffic: () => ({ requests: { ...requests }, sentBytes, receivedBytes }),
  };
  return counted;
}

const storeOf = (_: string, store: ObjectStore) => bucket(store as MemoryStore);

interface Cost {
  readonly requests: number;
  readonly bytes: number;
  readonly ms: number;
}

/** See `main.ts`. */
export async function benchCompaction({ dir, print }: BenchWorld): Promise<void> {
  const rows: string[][] = [];
  const row = (name: string, { requests, bytes, ms }: Cost) =>
    rows.push([name, String(requests), bytesText(bytes), timeText(ms)]);
  const world = await newWorld(join(dir, "old"), { names: ["anna"], storeOf });
  const [anna] = world.machines as [SyncMachine];
  const started = performance.now();
  await pushAll(anna, world);
  const pushMs = (performance.now() - started) / PUSHES;
  row("first pull before gc", await firstPull(world, "before"));
  const stored = await storedIn(world);
  const began = performance.now();
  const done = await gc(anna);
  const written = done.compacted?.written;
  const gcMs = performance.now() - began;
  row("gc", { requests: done.requests, bytes: written?.bytes ?? 0, ms: gcMs });
  row("first pull, old entries still there", await firstPull(world, "grace"));
  await liveOn(anna, world.clock, 7);
  const deleting = performance.now();
  const { deleted, requests } = await gc(anna);
  row("gc that deletes", { requests, bytes: deleted.bytes, ms: performance.now() - deleting });
  const compacted = await firstPull(world, "after");
  row("first pull afterwards", compacted);
  const idle = await anna.pull();
  row("pull with nothing to do", { requests: idle.requests, bytes: 0, ms: idle.ms });
  const fresh = await firstPull(await freshWorld(dir, anna, world), "fresh");
  row("first pull of a fresh vault", fresh);
  print(
    `${PUSHES} pushes of ${bytesText(PUSH_BYTES)}, ${timeText(pushMs)} each: ${stored}; ` +
      `afterwards ${await storedIn(world)}.`,
  );
  for (const line of tableLines(["", "requests", "moved", "time"], rows)) print(line);
  print(
    `${(compacted.bytes / fresh.bytes).toFixed(3)}x the bytes (target ${BYTES_TARGET}x), ` +
      `${(compacted.requests / fresh.requests).toFixed(2)}x the requests ` +
      `(target ${REQUESTS_TARGET}x), ${idle.requests} for nothing to do (target 1)`,
  );
}

async function pushAll(machine: SyncMachine, { clock }: SyncWorld): Promise<void> {
  const startMs = clock.nowMs() - 3_600_000;
  const sessions = Array.from({ length: SESSIONS }, (_, seed) => {
    const session = `aaaaaaaa-0000-4000-8000-${String(seed).padStart(12, "0")}`;
    return { session, corpus: new SessionCorpus({ session, cwd: machine.project, seed, startMs }) };
  });
  for (const { session } of sessions) machine.writeTranscript(session, "");
  for (let push = 0; push < PUSHES; push++) {
    const { session, corpus } = sessions[push % SESSIONS]!;
    const path = machine.transcriptPath(session);
    appendFileSync(path, corpus.next(PUSH_BYTES));
    const at = (clock.nowMs() - 3_600_000 + push) / 1000;
    utimesSync(path, at, at);
    await machine.push();
    clock.advance(1_000);
  }
}

async function firstPull(world: SyncWorld, name: string): Promise<Cost> {
  const [anna] = world.machines as [SyncMachine];
  const machine = new SyncMachine({
    name,
    dir: join(anna.home, ".."),
    clock: world.clock,
    store: () => Promise.resolve(bucket(world.store)),
  });
  await machine.join(anna);
  const started = performance.now();
  const { requests, bytes } = await machine.pull({ all: true });
  return { requests, bytes: bytes.received, ms: performance.now() - started };
}

async function storedIn({ store }: SyncWorld): Promise<string> {
  const objects = [...(await objectsOf(store)).values()];
  const bytes = objects.reduce((sum, { length }) => sum + length, 0);
  return `${objects.length} objects, ${bytesText(bytes)}`;
}

/** A vault into which somebody with the same files has pushed them at once. */
async function freshWorld(dir: string, like: SyncMachine, old: SyncWorld): Promise<SyncWorld> {
  const options = { names: ["anna"], storeOf, startMs: old.clock.nowMs() };
  const world = await newWorld(join(dir, "fresh"), options);
  const [anna] = world.machines as [SyncMachine];
  for (const [path, content] of Object.entries(like.files())) {
    if (path.endsWith(".jsonl")) anna.writeTranscript(path.slice(-42, -6), content);
  }
  await anna.push();
  return world;
}
