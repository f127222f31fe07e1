/** What a vault costs a new machine after many pushes, beside a fresh vault of the same content. */
import { appendFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import type { ObjectName } from "../../src/storage/object_name.ts";
import { MemoryStore } from "../../src/storage/memory/store.ts";
import type { ObjectStore } from "../../src/storage/object_store.ts";
import type { MeteredStore } from "../../src/storage/with_meter.ts";
import { SessionCorpus } from "./session_corpus.ts";
import { SyncMachine } from "./sync_machine.ts";
import { newWorld, type SyncWorld } from "./sync_world.ts";

/** Names on one page of a bucket's list. */
const PAGE_NAMES = 1_000;

/** What is pushed, a little at a time and in turn. */
export interface ManyPushes {
  readonly pushes: number;
  readonly sessions: number;
  readonly pushBytes: number;
}

/** What a first pull takes. */
export interface PullCost {
  readonly requests: number;
  readonly bytes: number;
  readonly ms: number;
}

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

/** A machine "anna" with a vault in a bucket that counts. */
export function countedWorld(dir: string, startMs?: number): Promise<SyncWorld> {
  const storeOf = (_: string, store: ObjectStore) => bucket(store as MemoryStore);
  return newWorld(dir, { names: ["anna"], storeOf, ...(startMs === undefined ? {} : { startMs }) });
}

/** Grows the sessions by so many pushes. */
export async function pushMany(
  machine: SyncMachine,
  { clock }: SyncWorld,
  { pushes, sessions: count, pushBytes }: ManyPushes,
): Promise<void> {
  const startMs = clock.nowMs() - 3_600_000;
  const sessions = Array.from({ length: count }, (_, seed) => {
    const session = `aaaaaaaa-0000-4000-8000-${String(seed).padStart(12, "0")}`;
    return { session, corpus: new SessionCorpus({ session, cwd: machine.project, seed, startMs }) };
  });
  for (const { session } of sessions) machine.writeTranscript(session, "");
  for (let push = 0; push < pushes; push++) {
    const { session, corpus } = sessions[push % count]!;
    const path = machine.transcriptPath(session);
    appendFileSync(path, corpus.next(pushBytes));
    const at = (clock.nowMs() - 3_600_000 + push) / 1000;
    utimesSync(path, at, at);
    await machine.push();
    clock.advance(1_000);
  }
}

/** What a new machine called `name` takes to have everything. */
export async function firstPull(world: SyncWorld, name: string): Promise<PullCost> {
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

/** A vault into which somebody with the same files has pushed them at once. */
export async function freshWorld(
  dir: string,
  like: SyncMachine,
  old: SyncWorld,
): Promise<SyncWorld> {
  const world = await countedWorld(join(dir, "fresh"), old.clock.nowMs());
  const [anna] = world.machines as [SyncMachine];
  for (const [path, content] of Object.entries(like.files())) {
    if (path.endsWith(".jsonl")) anna.writeTranscript(path.slice(-42, -6), content);
  }
  await anna.push();
  return world;
}
