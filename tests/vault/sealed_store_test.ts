import assert from "node:assert/strict";
import { utf8 } from "../../src/base/bytes.ts";
import { deriveEpoch, generateRootKey } from "../../src/crypto/root_key.ts";
import { seal, type Sealed } from "../../src/crypto/sealed.ts";
import { isClaudeSyncError } from "../../src/errors.ts";
import { MemoryStore } from "../../src/storage/memory/store.ts";
import { encodeHeader } from "../../src/vault/header.ts";
import { HEADER_NAME, LOG_PREFIX, logEntryName, packName } from "../../src/vault/names.ts";
import { VaultStore } from "../../src/vault/sealed_store.ts";
import { fixedRandom } from "../crypto/fixed_random.ts";

const random = fixedRandom("sealed store");
const vaultId = random.bytes(16);
const epoch = await deriveEpoch(generateRootKey(random));
const isBug = (error: unknown) => isClaudeSyncError(error, "bug");

function sealedPack(): Promise<Sealed> {
  return seal(epoch, { type: "pack", vaultId, name: packName(random) }, utf8("groups"), random);
}

async function namesIn(store: MemoryStore): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of store.list("")) names.push(name);
  return names;
}

Deno.test("VaultStore puts sealed objects under the name they are bound to", async () => {
  const memory = new MemoryStore();
  const store = new VaultStore(memory);
  const sealed = await sealedPack();
  assert.equal(await putSealed(store, sealed), null);
  assert.equal(await putSealed(store, sealed), null);
  assert.deepEqual(await namesIn(memory), [sealed.name]);
  const name = packName(random);
  assert.equal(await store.get(name), null);
});

function putSealed(store: VaultStore, ...all: Sealed[]) {
  return store.putAllSealed(
    all.map((sealed) => ({ name: sealed.name, read: () => Promise.resolve(sealed) })),
  );
}

Deno.test("VaultStore lets nothing else out of this machine", async () => {
  const memory = new MemoryStore();
  const store = new VaultStore(memory);
  const sealed = await sealedPack();
  const forged: unknown[] = [
    { ...sealed },
    { ...sealed, bytes: utf8("plaintext") },
    { name: sealed.name, bytes: new Uint8Array(4096), sha256: sealed.sha256 },
    sealed.bytes,
  ];
  for (const value of forged) {
    const item = { name: sealed.name, read: () => Promise.resolve(value as Sealed) };
    await assert.rejects(() => store.putAllSealed([item]), isBug);
  }
  sealed.bytes.set(utf8("plaintext"), 28);
  await assert.rejects(() => putSealed(store, sealed), isBug);
  assert.deepEqual(await namesIn(memory), []);
  assert(!("put" in store) && !("delete" in store));
});

Deno.test("VaultStore refuses a sealed object whose name no store could hold", async () => {
  const memory = new MemoryStore();
  const context = { type: "pack", vaultId, name: "../outside" } as const;
  const sealed = await seal(epoch, context, utf8("groups"), random);
  await assert.rejects(() => putSealed(new VaultStore(memory), sealed), isBug);
  assert.deepEqual(await namesIn(memory), []);
});

Deno.test("VaultStore puts the header and no other plaintext", async () => {
  const memory = new MemoryStore();
  const store = new VaultStore(memory);
  const header = encodeHeader({ vaultId, kid: epoch.kid });
  await assert.rejects(
    () => store.putHeader(utf8('{"type":"user","message":"hello"}\n')),
    (error) => isClaudeSyncError(error, "malformed-file"),
  );
  assert.equal(await store.putHeader(header), "created");
  assert.deepEqual(await store.get(HEADER_NAME), header);
  const other = encodeHeader({ vaultId: random.bytes(16), kid: epoch.kid });
  assert.equal(await store.putHeader(other), "differs");
  assert.deepEqual(await namesIn(memory), [HEADER_NAME]);
});

Deno.test("VaultStore lists what is there", async () => {
  const memory = new MemoryStore("the label");
  const store = new VaultStore(memory);
  const name = logEntryName("0123456789abcdef", 1, "0011aabb");
  const entry = await seal(epoch, { type: "log", vaultId, name }, utf8("entry"), random);
  await putSealed(store, await sealedPack(), entry);
  const listed: unknown[] = [];
  for await (const object of store.list(LOG_PREFIX)) listed.push(object);
  assert.deepEqual(listed, [{ name, sizeBytes: 4096 }]);
  assert.equal(store.label, "the label");
});

Deno.test("VaultStore deletes entries in order, packs, and nothing else", async () => {
  const memory = new MemoryStore();
  const store = new VaultStore(memory);
  const tag = "0123456789abcdef";
  const entries = [1, 2, 3].map((seq) => logEntryName(tag, seq, "0".repeat(64)));
  const packs = [packName(random), packName(random)];
  for (const name of [...entries, ...packs]) await memory.put(name, utf8("x"));
  const done: string[] = [];
  const isDone = (name: string) => void done.push(name);
  await store.deleteAll(packs, { isDone });
  await store.deleteAll(entries, { isDone });
  assert.deepEqual(done.slice(2), entries);
  assert.deepEqual([...done].sort(), [...packs, ...entries].sort());
  assert.deepEqual(await namesIn(memory), []);
  await assert.rejects(() => store.deleteAll([HEADER_NAME], { isDone }), isBug);
});
