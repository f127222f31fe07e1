import assert from "node:assert/strict";
import { dirname } from "node:path";
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

Deno.test("readSecretFile closes a file in its own closed folder, and no other", () => {
  const fs = new MemoryFs();
  const platform = platformOn(fs);
  createSecretFile(platform, KEY, BYTES);
  const modeOf = () => fs.lstat(KEY)!.mode & 0o777;
  const home = dirname(KEY);
  fs.setMode(KEY, 0o644);
  fs.setMode(home, 0o755);
  assert.equal(thrownCode(() => readSecretFile(platform, KEY)), "unsafe-file");
  assert.equal(modeOf(), 0o644);
  fs.setMode(home, 0o700);
  assert.deepEqual(readSecretFile(platform, KEY), BYTES);
  assert.equal(modeOf(), 0o600);
});
