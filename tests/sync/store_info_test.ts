import assert from "node:assert/strict";
import { mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ClaudeSyncError } from "../../src/errors.ts";
import { syncService } from "../../src/sync/service.ts";
import { changedStore } from "../support/changed_store.ts";
import { codeOf } from "../support/outcome.ts";
import { filesBelow, inTempDir, said, SyncMachine } from "../support/sync_machine.ts";

const ID = "11111111-1111-4111-8111-111111111111";

function speak(machine: SyncMachine): void {
  const facts = { session: ID, cwd: machine.project, atMs: Date.now() - 86_400_000 };
  machine.writeTranscript(ID, said("user", "hello", facts) + said("assistant", "yes", facts));
}

Deno.test("store info counts what is there, and what is not the vault's", () =>
  inTempDir(async (dir) => {
    const a = new SyncMachine({ name: "anna", dir });
    assert.equal(await codeOf(syncService.storeInfo(a.context())), "not-set-up");
    await a.init();
    speak(a);
    await a.push();
    writeFileSync(join(a.vaultDir, "stranger"), "12345");
    const info = await syncService.storeInfo(a.context());
    assert.equal(info.store, a.vaultDir);
    assert.equal(info.machines, 1);
    assert.equal(info.entries.objects, 1);
    assert.deepEqual([info.others.objects, info.strangers], [1, { objects: 1, bytes: 5 }]);
    const sizes = Object.values(filesBelow(a.vaultDir)).reduce((sum, text) => sum + text.length, 0);
    assert.equal(info.entries.bytes + info.packs.bytes + info.others.bytes + 5, sizes);
    assert.deepEqual([info.cost, info.facts, info.batching], [null, [], false]);
  }));

Deno.test("store info does not take another vault, or none, for this one", () =>
  inTempDir(async (dir) => {
    const a = new SyncMachine({ name: "anna", dir });
    const other = new SyncMachine({ name: "olga", dir, vaultDir: join(dir, "other") });
    await a.init();
    await other.init();
    renameSync(a.vaultDir, `${a.vaultDir}.ours`);
    assert.equal(await codeOf(syncService.storeInfo(a.context())), "store-unreachable");
    mkdirSync(a.vaultDir);
    writeFileSync(join(a.vaultDir, "x"), "");
    assert.equal(await codeOf(syncService.storeInfo(a.context())), "no-vault");
    renameSync(a.vaultDir, `${a.vaultDir}.empty`);
    renameSync(other.vaultDir, a.vaultDir);
    assert.equal(await codeOf(syncService.storeInfo(a.context())), "no-vault");
  }));

Deno.test("store test says what works and what does not, and leaves the vault as it was", () =>
  inTempDir(async (dir) => {
    const a = new SyncMachine({ name: "anna", dir });
    await a.init();
    const before = filesBelow(a.vaultDir);
    const { steps } = await syncService.storeTest(a.context());
    assert.deepEqual(steps.map(({ operation, outcome }) => `${operation} ${outcome}`), [
      "list ok",
      "put ok",
      "get ok",
      "list again ok",
      "put again ok",
      "delete ok",
    ]);
    assert.deepEqual(filesBelow(a.vaultDir), before);
    assert.deepEqual(readdirSync(a.vaultDir), Object.keys(before));
    const guarded = new SyncMachine({
      name: "anna",
      dir,
      store: async (location, create) =>
        changedStore(await a.openStore(location, create), {
          delete: () => {
            const hint = "Allow s3:DeleteObject";
            return Promise.reject(new ClaudeSyncError("store-refused", "No", { hint }));
          },
        }),
    });
    const test = await syncService.storeTest(guarded.context());
    const last = test.steps.at(-1)!;
    assert.deepEqual([last.outcome, last.code, last.message, last.hint], [
      "failed",
      "store-refused",
      "No",
      "Allow s3:DeleteObject",
    ]);
  }));
