/**
 * The frozen vault was made by another program from FORMAT.md alone: ours must read it for ever.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { chmodSync, cpSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { inTempDir, SyncMachine } from "../support/sync_machine.ts";

const FROZEN = join(import.meta.dirname!, "..", "testdata", "vaults", "v1-python");

async function joined(dir: string): Promise<SyncMachine> {
  const machine = new SyncMachine({ name: "reader", dir });
  cpSync(join(FROZEN, "vault"), machine.vaultDir, { recursive: true });
  const { keyFile } = machine.context();
  mkdirSync(dirname(keyFile), { recursive: true, mode: 0o700 });
  cpSync(join(FROZEN, "key"), keyFile);
  chmodSync(keyFile, 0o600);
  assert.equal((await machine.init()).outcome, "joined");
  return machine;
}

Deno.test("verify finds the vault of another program whole", () =>
  inTempDir(async (dir) => {
    const report = await (await joined(dir)).verify();
    assert.deepEqual(report.problems, []);
    assert.equal(report.machines, 2);
  }));

Deno.test("pull --all gives the files of a vault that another program made", () =>
  inTempDir(async (dir) => {
    const machine = await joined(dir);
    const result = await machine.pull({ all: true });
    assert.deepEqual(result.failures, []);
    const texts = new Set(Object.values(machine.files()));
    const expected: Record<string, string> = JSON.parse(
      readFileSync(join(FROZEN, "expected.json"), "utf8"),
    );
    // recover.py writes every leaf; which one stands under the session's id is decided elsewhere.
    const leavesOf = new Map<string, string[]>();
    for (const [path, text] of Object.entries(expected)) {
      if (/\.gen-[0-9a-f]{8}$/.test(path)) continue;
      const file = path.replace(/\.leaf-[0-9a-f]{8}$/, "");
      leavesOf.set(file, [...leavesOf.get(file) ?? [], Buffer.from(text).toString("latin1")]);
    }
    for (const [file, leaves] of leavesOf) {
      assert.ok(leaves.some((leaf) => texts.has(leaf)), file);
    }
  }));
