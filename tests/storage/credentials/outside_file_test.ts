import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodePlatform } from "../../../src/platform/node.ts";
import {
  outsidePath,
  parseOutsideJson,
  readOutsideText,
} from "../../../src/storage/credentials/outside_file.ts";

const real = nodePlatform();

Deno.test("readOutsideText reads real files and links, and waits for no pipe", () => {
  const folder = fs.mkdtempSync(join(tmpdir(), "css-outside-"));
  try {
    const read = (name: string, bytesMax = 8) =>
      readOutsideText(real, join(folder, name), bytesMax);
    assert.equal(read("absent"), null);
    fs.writeFileSync(join(folder, "file"), "\uFEFFtext");
    assert.equal(read("file"), "text");
    assert.throws(() => read("file", 6), { code: "too-large" });
    fs.symlinkSync("file", join(folder, "link"));
    assert.equal(read("link"), "text");
    fs.symlinkSync("nowhere", join(folder, "dangling"));
    assert.equal(read("dangling"), null);
    assert.throws(() => read("."), { code: "malformed-file" });
    if (real.host.os === "windows") return;
    assert.equal(spawnSync("mkfifo", [join(folder, "pipe")]).status, 0);
    assert.throws(() => read("pipe"), { code: "malformed-file" });
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

Deno.test("outsidePath knows the home folder and the current one", () => {
  const host = { home: "/home/ada", cwd: () => "/work" };
  assert.equal(outsidePath(host, "~"), "/home/ada");
  assert.equal(outsidePath(host, "~/.aws/config"), "/home/ada/.aws/config");
  assert.equal(outsidePath(host, "~eve/x"), "/work/~eve/x");
  assert.equal(outsidePath(host, "x/y"), "/work/x/y");
  assert.equal(outsidePath(host, "/x"), "/x");
});

Deno.test("parseOutsideJson quotes nothing of what it cannot read", () => {
  assert.deepEqual(parseOutsideJson("/f", `{"a":1}`), { a: 1 });
  assert.throws(() => parseOutsideJson("/f", "s3cr3t"), (error: Error) => {
    assert.doesNotMatch(`${error.message} ${error.stack} ${error.cause}`, /s3cr3t/);
    return true;
  });
});
