import assert from "node:assert/strict";
import { ClaudeSyncError, type ErrorCode } from "../../src/errors.ts";
import { nodePlatform } from "../../src/platform/node.ts";
import { MemoryStore } from "../../src/storage/memory/store.ts";
import { objectName } from "../../src/storage/object_name.ts";
import type { ObjectStore } from "../../src/storage/object_store.ts";
import { PROBE_ACTIONS, PROBE_LISTS_MAX, probeStore } from "../../src/storage/probe.ts";
import { objectKindOf } from "../../src/vault/names.ts";
import { changedStore } from "../support/changed_store.ts";
import { TestClock } from "../support/sync_machine.ts";

const { random } = nodePlatform();

async function namesIn(store: ObjectStore): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of store.list("")) names.push(name);
  return names;
}

async function failures(store: ObjectStore): Promise<Record<string, ErrorCode | null>> {
  const steps = await probeStore(store, { clock: new TestClock(0), random });
  return Object.fromEntries(steps.map(({ action, error }) => [action, error?.code ?? null]));
}

function refusing() {
  return Promise.reject(new ClaudeSyncError("store-refused", "Not allowed"));
}

Deno.test("probeStore finds that all works, among other objects, and leaves nothing", async () => {
  const store = new MemoryStore();
  for (const other of ["claude-sync.json", "log/a", "a", "zz"]) {
    await store.put(objectName(other), new Uint8Array(1));
  }
  const before = await namesIn(store);
  const steps = await probeStore(store, { clock: new TestClock(0), random });
  assert.deepEqual(steps.map(({ action, error }) => [action, error]), [
    ...PROBE_ACTIONS.map((action) => [action, null]),
  ]);
  assert.deepEqual(await namesIn(store), before);
});

Deno.test("the probe's object has a name that no reader of a vault takes for its own", async () => {
  const names: string[] = [];
  const memory = new MemoryStore();
  const store = changedStore(memory, {
    put: (name, ...rest) => {
      names.push(name);
      return memory.put(name, ...rest);
    },
  });
  await probeStore(store, { clock: new TestClock(0), random });
  await probeStore(store, { clock: new TestClock(0), random });
  assert.equal(new Set(names).size, 2);
  for (const name of names) assert.equal(objectKindOf(name), null, name);
});

Deno.test("probeStore says of each action whether it is allowed", async () => {
  for (const action of PROBE_ACTIONS) {
    const store = changedStore(new MemoryStore(), {
      // deno-lint-ignore require-yield
      [action]: action === "list"
        ? async function* () {
          await refusing();
        }
        : refusing,
    });
    const found = await failures(store);
    for (const other of PROBE_ACTIONS) {
      assert.equal(found[other], other === action ? "store-refused" : null, `${action} ${other}`);
    }
  }
});

Deno.test("probeStore notices a store that loses, changes or hides what it took", async () => {
  const memory = new MemoryStore();
  const lost = changedStore(memory, { get: () => Promise.resolve(null) });
  assert.equal((await failures(lost)).get, "store-invalid");
  const changed = changedStore(memory, { get: () => Promise.resolve(new Uint8Array(4096)) });
  assert.equal((await failures(changed)).get, "store-invalid");
  const taken = changedStore(memory, { put: () => Promise.resolve("differs" as const) });
  assert.equal((await failures(taken)).put, "store-invalid");
  let lists = 0;
  const hiding = changedStore(memory, {
    list: async function* () {
      lists++;
    },
  });
  assert.equal((await failures(hiding)).list, "store-invalid");
  assert.equal(lists, PROBE_LISTS_MAX);
  lists = 0;
  const late = changedStore(memory, {
    list: async function* (...call) {
      if (++lists === PROBE_LISTS_MAX) yield* memory.list(...call);
    },
  });
  assert.equal((await failures(late)).list, null);
  assert.deepEqual(await namesIn(memory), []);
});

Deno.test("probeStore gives up where nothing answers, and cleans up when it is aborted", async () => {
  const gone = () => Promise.reject(new ClaudeSyncError("store-unreachable", "Gone"));
  const away = changedStore(new MemoryStore(), { put: gone, get: gone, delete: gone });
  assert.deepEqual(await failures(away), { put: "store-unreachable" });
  const memory = new MemoryStore();
  const stop = new AbortController();
  const aborting = changedStore(memory, {
    get: (...call) => {
      stop.abort(new ClaudeSyncError("interrupted", "Interrupted"));
      return memory.get(...call);
    },
  });
  const options = { clock: new TestClock(0), random, signal: stop.signal };
  await assert.rejects(probeStore(aborting, options), /Interrupted/);
  assert.deepEqual(await namesIn(memory), []);
});
