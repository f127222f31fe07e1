import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as nodeFs from "node:fs";
import * as os from "node:os";
import { join } from "node:path";
import process from "node:process";
import { NodeWriteHandle } from "../../src/platform/node_file.ts";
import { nodeFileSystem } from "../../src/platform/node_fs.ts";
import { nodeProcesses } from "../../src/platform/node_processes.ts";
import { MemoryFs, thrownCode } from "../support/memory_fs.ts";
import { fsCases } from "./fs_cases.ts";

function withFolder<T>(run: (dir: string) => T): T {
  const dir = nodeFs.mkdtempSync(join(os.tmpdir(), "claude-sync-test-"));
  try {
    return run(dir.replaceAll("\\", "/"));
  } finally {
    nodeFs.rmSync(dir, { recursive: true, force: true });
  }
}

for (const { name, run } of fsCases()) {
  Deno.test(`nodeFileSystem: ${name}`, () => {
    withFolder((dir) => run({ fs: nodeFileSystem(), dir, symlink: nodeFs.symlinkSync }));
  });
  Deno.test(`MemoryFs: ${name}`, () => {
    const fs = new MemoryFs();
    fs.makeDir("/work");
    run({ fs, dir: "/work", symlink: (target, path) => fs.symlink(target, path) });
    assert.equal(fs.openHandles, 0, "every handle is closed");
  });
}

Deno.test("createFile and makeDir are private under any umask", () => {
  if (process.platform === "win32") return;
  withFolder((dir) => {
    const before = process.umask(0o777);
    try {
      nodeFileSystem().createFile(`${dir}/file`).close();
      nodeFileSystem().makeDir(`${dir}/folder`);
    } finally {
      process.umask(before);
    }
    assert.equal(nodeFileSystem().lstat(`${dir}/file`)?.mode, 0o600);
    assert.equal(nodeFileSystem().lstat(`${dir}/folder`)?.mode, 0o700);
  });
});

Deno.test("readFile reads files that do not tell their size, within its limit", () => {
  if (process.platform !== "linux") return;
  const fs = nodeFileSystem();
  assert.ok((fs.readFile("/proc/self/status", 100_000)?.length ?? 0) > 100);
  assert.equal(thrownCode(() => fs.readFile("/proc/self/status", 100)), "too-large");
});

Deno.test("readFile neither hangs on a pipe nor reads a device", async () => {
  if (process.platform === "win32") return;
  const dir = nodeFs.mkdtempSync(join(os.tmpdir(), "claude-sync-test-"));
  try {
    await nodeProcesses().run(["mkfifo", `${dir}/pipe`]);
    assert.equal(thrownCode(() => nodeFileSystem().readFile(`${dir}/pipe`, 10)), "local-io");
    assert.deepEqual(nodeFileSystem().readDir(dir), [{ name: "pipe", kind: "other" }]);
    assert.equal(thrownCode(() => nodeFileSystem().readFile("/dev/zero", 10)), "local-io");
  } finally {
    nodeFs.rmSync(dir, { recursive: true });
  }
});

Deno.test("write reports a full disk as no-space", () => {
  if (!nodeFs.existsSync("/dev/full")) return;
  const full = new NodeWriteHandle(
    nodeFs.openSync("/dev/full", nodeFs.constants.O_WRONLY),
    "/dev/full",
  );
  assert.equal(thrownCode(() => full.write(new Uint8Array(10))), "no-space");
  full.close();
});

Deno.test("sync asks the system to flush the file, and says when it cannot", () => {
  withFolder((dir) => {
    const fd = nodeFs.openSync(`${dir}/file`, "w");
    const handle = new NodeWriteHandle(fd, `${dir}/file`);
    nodeFs.closeSync(fd);
    assert.equal(thrownCode(() => handle.sync()), "local-io");
  });
});

Deno.test({
  name: "writeFileAtomic makes the system flush the file, then its folder",
  ignore: spawnSync("strace", ["-qq", "-o", "/dev/null", "-e", "trace=none", "true"]).status !== 0,
  fn: () =>
    withFolder((dir) => {
      const script = join(import.meta.dirname!, "flushed_write.ts");
      const args = ["-f", "-y", "-qq", "-o", `${dir}/calls`, "-e", "trace=fsync,rename"];
      const run = ["run", "-A", "--no-check", script, `${dir}/written`];
      const { status, stderr } = spawnSync("strace", [...args, Deno.execPath(), ...run]);
      assert.equal(status, 0, String(stderr));
      const real = nodeFs.realpathSync(dir);
      const calls = nodeFs.readFileSync(`${dir}/calls`, "utf8").split("\n").flatMap((line) => {
        const flushed = /fsync\(\d+<([^>]*)>/.exec(line)?.[1];
        if (flushed === real) return ["flush folder"];
        if (flushed?.startsWith(`${real}/.claude-sync-`)) return ["flush file"];
        return line.includes("rename(") && line.includes("/written") ? ["rename"] : [];
      });
      assert.deepEqual(calls, ["flush file", "rename", "flush folder"]);
    }),
});

Deno.test("setMtime keeps every millisecond", () => {
  withFolder((dir) => {
    const fs = nodeFileSystem();
    fs.createFile(`${dir}/file`).close();
    for (let i = 0; i < 500; i++) {
      const mtimeMs = 1_700_000_000_000 + i * 86_400_137;
      fs.setMtime(`${dir}/file`, mtimeMs);
      assert.equal(fs.lstat(`${dir}/file`)?.mtimeMs, mtimeMs);
    }
  });
});
