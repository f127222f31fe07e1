import assert from "node:assert/strict";
import { nodePlatform } from "../../src/platform/node.ts";
import { createSecretFile, readSecretFile } from "../../src/sync/key_file.ts";
import { faultyFs, MemoryFs, thrownCode } from "../support/memory_fs.ts";

const KEY = "/home/anna/.claude-sync/key";
const BYTES = new Uint8Array(32).fill(7);

function platformOn(fs: MemoryFs) {
  const platform = nodePlatform();
  return { ...platform, fs, host: { ...platform.host, os: "linux" as const, uid: 1000 } };
}

Deno.test("readSecretFile ends what a crash left: the temporary name of a finished file", () => {
  const fs = new MemoryFs();
  const platform = platformOn(fs);
  const dying = faultyFs(fs, { failNth: 1, from: "then-on", calls: ["removeFile"] });
  createSecretFile({ ...platform, fs: dying }, KEY, BYTES);
  assert.equal(fs.files().size, 2, "the crash left both names");
  assert.deepEqual(readSecretFile(platform, KEY), BYTES);
  assert.deepEqual([...fs.files().keys()], [KEY]);
});

Deno.test("readSecretFile refuses a second name that is not its own", () => {
  const fs = new MemoryFs();
  createSecretFile(platformOn(fs), KEY, BYTES);
  fs.link(KEY, "/home/anna/copy");
  assert.equal(thrownCode(() => readSecretFile(platformOn(fs), KEY)), "unsafe-file");
  assert.equal(fs.files().size, 2);
});
