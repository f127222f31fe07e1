import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { until } from "../client/until.ts";
import { missingProgram, serverFolder, startDaemon, untilReady } from "./daemon.ts";

// Shell and process groups: what the servers need anyway.
const ignore = process.platform !== "linux";

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    // No such process.
    return false;
  }
}

Deno.test({
  name: "startDaemon runs a program until it is stopped, with all that it has started",
  ignore,
  fn: async () => {
    const folder = await serverFolder();
    const script = join(folder, "server");
    await writeFile(script, "sleep 600 & echo $$ $! >pids; wait\n");
    const daemon = startDaemon(["sh", script], { folder });
    const pids = await until("the program has written its processes", async () => {
      const text = existsSync(join(folder, "pids"))
        ? await readFile(join(folder, "pids"), "utf8")
        : "";
      return /^\d+ \d+\n$/.test(text) ? text.trim().split(" ").map(Number) : null;
    });
    assert.deepEqual(pids.map(isAlive), [true, true]);
    assert.equal(daemon.hasEnded, false);
    await daemon.stop();
    await daemon.stop();
    assert.equal(existsSync(folder), false);
    await until("nothing of it is left", () => !isAlive(pids[0]!));
  },
});

Deno.test({
  name: "untilReady fails at once with the log of a program that has ended",
  ignore,
  fn: async () => {
    const folder = await serverFolder();
    const daemon = startDaemon(["sh", "-c", "echo the reason >&2; exit 7"], { folder });
    const ready = untilReady("it", [daemon], () => Promise.resolve(false));
    await assert.rejects(ready, /A process of it has ended:\nthe reason\nended with exit code 7/);
    await daemon.stop();
  },
});

Deno.test({
  name: "a server process ends with the process that started it, even when that is killed",
  ignore,
  fn: async () => {
    const parent = fileURLToPath(new URL("./daemon_parent.ts", import.meta.url));
    const runtime = process.versions["deno"] === undefined ? [] : ["run", "-A"];
    const child = spawn(process.execPath, [...runtime, parent], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [output] = await once(child.stdout, "data");
    const folder = String(output).trim();
    assert.ok(existsSync(folder));
    child.kill("SIGKILL");
    await once(child, "close");
    // The shell removes it when the server has ended.
    await until("the server has ended and its folder is gone", () => !existsSync(folder));
  },
});

Deno.test("missingProgram names the first program that is not there", () => {
  if (process.platform !== "linux") return;
  assert.equal(missingProgram(["sh", "sleep"]), null);
  assert.equal(missingProgram(["sh", "no-such-a", "no-such-b"]), "no-such-a is not installed");
});
