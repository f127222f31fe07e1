import assert from "node:assert/strict";
import { ClaudeSyncError } from "../../src/errors.ts";
import { nodePlatform } from "../../src/platform/node.ts";
import { MemoryStore } from "../../src/storage/memory/store.ts";
import { objectName } from "../../src/storage/object_name.ts";
import type { ObjectStore } from "../../src/storage/object_store.ts";
import { measureLatency, PROBE_LISTS_MAX, probeStore } from "../../src/storage/probe.ts";
import { objectKindOf } from "../../src/vault/names.ts";
import { listNames } from "../conformance/objects.ts";
import { TestClock } from "../support/sync_machine.ts";

const { clock, random } = nodePlatform();

/** A store in memory in which some operations are others. */
function changed(changes: Partial<ObjectStore>): ObjectStore {
  const memory = new MemoryStore();
  return {
    label: memory.label,
    concurrency: 1,
    isBatching: false,
    get: (name) => memory.get(name),
    put: (name, body) => memory.put(name, body),
    putAll: (items) => memory.putAll(items),
    list: (prefix, options) => memory.list(prefix, options),
    delete: (name) => memory.delete(name),
    ...changes,
  };
}

const refused = () => Promise.reject(new ClaudeSyncError("store-refused", "No", { hint: "Do" }));

async function outcomes(store: ObjectStore): Promise<Record<string, string>> {
  const results = await probeStore(store, { clock: new TestClock(0), random });
  return Object.fromEntries(results.map(({ operation, outcome }) => [operation, outcome]));
}

const ALL_OK = {
  "list": "ok",
  "put": "ok",
  "get": "ok",
  "list again": "ok",
  "put again": "ok",
  "delete": "ok",
};

Deno.test("probeStore finds a good store good, and leaves nothing there", async () => {
  const store = new MemoryStore();
  assert.deepEqual(await outcomes(store), ALL_OK);
  assert.deepEqual(await listNames(store), []);
});

Deno.test("probeStore tries each operation although others fail", async () => {
  assert.deepEqual(await outcomes(changed({ delete: refused })), { ...ALL_OK, delete: "failed" });
  assert.deepEqual(await outcomes(changed({ get: refused })), { ...ALL_OK, get: "failed" });
  const skipped = { "get": "skipped", "list again": "skipped", "put again": "skipped" };
  assert.deepEqual(await outcomes(changed({ put: refused })), {
    ...skipped,
    list: "ok",
    put: "failed",
    delete: "skipped",
  });
});

Deno.test("probeStore says why an operation failed and what to do", async () => {
  const results = await probeStore(changed({ put: refused }), { clock, random });
  const put = results.find(({ operation }) => operation === "put");
  assert.equal(put?.error?.hint, "Do");
});

Deno.test("probeStore notices a store that changes, hides or keeps objects", async () => {
  const other = changed({ get: () => Promise.resolve(new Uint8Array(4096)) });
  assert.deepEqual(await outcomes(other), { ...ALL_OK, get: "failed", delete: "failed" });
  const hiding = changed({ list: async function* () {} });
  assert.deepEqual(await outcomes(hiding), { ...ALL_OK, "list again": "failed" });
  const keeping = changed({ delete: () => Promise.resolve() });
  assert.deepEqual(await outcomes(keeping), { ...ALL_OK, delete: "failed" });
});

Deno.test("probeStore passes on what is no failure of the store", async () => {
  const reason = new RangeError("enough");
  const probing = probeStore(changed({ put: () => Promise.reject(reason) }), { clock, random });
  await assert.rejects(probing, (error) => error === reason);
});

Deno.test("measureLatency asks once", async () => {
  let lists = 0;
  const store = changed({
    list: async function* () {
      lists++;
      yield* [];
    },
  });
  assert.ok(await measureLatency(store, { clock }) >= 0);
  assert.equal(lists, 1);
});

Deno.test("probeStore works beside a vault, under a name that no reader takes", async () => {
  const names = new Set<string>();
  const memory = new MemoryStore();
  const others = ["claude-sync.json", "log/a", "a", "zz"];
  for (const other of others) await memory.put(objectName(other), new Uint8Array(1));
  const store = changed({
    get: (name) => memory.get(name),
    put: (name, body) => {
      names.add(name);
      return memory.put(name, body);
    },
    list: (prefix, options) => memory.list(prefix, options),
    delete: (name) => memory.delete(name),
  });
  assert.deepEqual(await outcomes(store), ALL_OK);
  assert.deepEqual(await outcomes(store), ALL_OK);
  assert.deepEqual(await listNames(memory), [...others].sort());
  assert.equal(names.size, 2);
  for (const name of names) assert.equal(objectKindOf(name), null, name);
});

Deno.test("probeStore waits for a list that comes late, but not for ever", async () => {
  const memory = new MemoryStore();
  for (const [lists, outcome] of [[PROBE_LISTS_MAX, "ok"], [PROBE_LISTS_MAX + 1, "failed"]]) {
    let asked = -1;
    const late = changed({
      get: (name) => memory.get(name),
      put: (name, body) => memory.put(name, body),
      list: async function* (...call) {
        if (++asked >= Number(lists)) yield* memory.list(...call);
      },
      delete: (name) => memory.delete(name),
    });
    assert.equal((await outcomes(late))["list again"], outcome);
  }
  assert.deepEqual(await listNames(memory), []);
});

Deno.test("probeStore takes its object away when it is interrupted", async () => {
  const memory = new MemoryStore();
  const stop = new AbortController();
  const store = changed({
    put: (name, body) => memory.put(name, body),
    get: (name) => {
      stop.abort(new ClaudeSyncError("interrupted", "Interrupted"));
      return memory.get(name);
    },
    delete: (name) => memory.delete(name),
  });
  await assert.rejects(probeStore(store, { clock, random, signal: stop.signal }), /Interrupted/);
  assert.deepEqual(await listNames(memory), []);
});
