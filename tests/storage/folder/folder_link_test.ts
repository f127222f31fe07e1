/** Links that strangers put into a vault's folder, also while it is looked at. */
import assert from "node:assert/strict";
import { utf8 } from "../../../src/base/bytes.ts";
import { nodeRandom } from "../../../src/platform/node.ts";
import { openFolderStore, STALE_TEMPORARY_MS } from "../../../src/storage/folder/store.ts";
import { objectName } from "../../../src/storage/object_name.ts";
import { listNames } from "../../conformance/store_cases.ts";
import { MemoryFs } from "../../support/memory_fs.ts";

const one = utf8("one");
const NOW_MS = 1_700_000_000_000;

async function vault() {
  const fs = new MemoryFs({ nowMs: () => NOW_MS });
  const clock = { nowMs: () => NOW_MS, monotonicMs: () => 0, sleep: () => Promise.resolve() };
  const open = () => openFolderStore("/vault", { fs, random: nodeRandom(), clock, create: true });
  for (const name of ["log/m/1", "log/m/2"]) await open().put(objectName(name), one);
  return { fs, open };
}

Deno.test("put leaves a link alone that has the name of an old temporary file", async () => {
  const { fs, open } = await vault();
  const path = "/vault/log/m/.claude-sync-0123456789abcdef.tmp";
  fs.symlink("1", path);
  fs.setMtime(path, NOW_MS - 2 * STALE_TEMPORARY_MS);
  await open().put(objectName("log/m/3"), one);
  assert.equal(fs.lstat(path)?.kind, "symlink");
});

Deno.test("list gives nothing that has become a link since its folder was read", async () => {
  const { fs, open } = await vault();
  const readDir = fs.readDir.bind(fs);
  fs.readDir = (path) => {
    const entries = readDir(path);
    if (path === "/vault/log/m" && fs.removeFile("/vault/log/m/2")) fs.symlink("1", `${path}/2`);
    return entries;
  };
  assert.deepEqual(await listNames(open()), ["log/m/1"]);
});
