/** Discovery on a real disk, with what only a real disk has. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as disk from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeFileSystem } from "../../src/platform/node_fs.ts";
import { discoverSessions } from "../../src/sessions/discover.ts";
import { prepareSessionFile } from "../../src/sessions/write_back.ts";
import { nodeRandom } from "../../src/platform/node.ts";
import { utf8 } from "../../src/base/bytes.ts";
import { idOf, textAt } from "./disk.ts";

async function inFolder(run: (dir: string) => Promise<void> | void): Promise<void> {
  const dir = disk.realpathSync(disk.mkdtempSync(join(tmpdir(), "discover-test-")));
  try {
    await run(dir);
  } finally {
    disk.rmSync(dir, { recursive: true, force: true });
  }
}

Deno.test({
  name: "discoverSessions neither opens nor waits for a pipe, and follows no link on disk",
  ignore: Deno.build.os === "windows",
  fn: () =>
    inFolder((dir) => {
      const slug = join(dir, "projects", "-a");
      disk.mkdirSync(join(slug, idOf(1)), { recursive: true });
      disk.writeFileSync(join(slug, `${idOf(1)}.jsonl`), "{}\n");
      disk.writeFileSync(join(dir, "secret"), "x");
      disk.symlinkSync(join(dir, "secret"), join(slug, idOf(1), "link.txt"));
      execFileSync("mkfifo", [join(slug, idOf(1), "pipe.txt"), join(slug, "agent-1.jsonl")]);
      const root = { os: "linux", configDir: dir, claudeJsonPath: "" } as const;
      const found = discoverSessions(nodeFileSystem(), root);
      assert.deepEqual(found.sessions.map(({ files }) => files.map(({ name }) => name)), [
        ["transcript"],
      ]);
      assert.deepEqual(found.skipped.map(({ kind }) => kind), ["link", "special", "special"]);
    }),
});

Deno.test("a file that discovery found is replaced on disk, and only while unchanged", () =>
  inFolder(async (dir) => {
    const fs = nodeFileSystem();
    const path = join(dir, "projects", "-a", `${idOf(1)}.jsonl`);
    disk.mkdirSync(join(dir, "projects", "-a"), { recursive: true });
    disk.writeFileSync(path, "{}\n");
    const os = Deno.build.os === "windows" ? "windows" : "linux";
    const root = { os, configDir: dir, claudeJsonPath: "" } as const;
    const seen = discoverSessions(fs, root).sessions[0]?.files[0]?.stat ?? null;
    const deps = { fs, root, random: nodeRandom() };
    const prepare = () => prepareSessionFile(deps, path, seen, (file) => file.write(utf8("new\n")));
    const [first, second] = [await prepare(), await prepare()];
    assert.equal(first.commit(1_700_000_000_000), "written");
    assert.equal(second.commit(1_700_000_000_000), "changed-meanwhile");
    assert.equal(textAt(fs, path), "new\n");
    assert.equal(fs.lstat(path)?.mtimeMs, 1_700_000_000_000);
    assert.equal(disk.readdirSync(join(dir, "projects", "-a")).length, 1);
  }));
