import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fromUtf8, utf8 } from "../../src/base/bytes.ts";
import { type ErrorCode, isClaudeSyncError } from "../../src/errors.ts";
import { nodeProcesses, resolveWindowsProgram } from "../../src/platform/node_processes.ts";

const processes = nodeProcesses();
const posix = { ignore: process.platform === "win32" };

function fails(code: ErrorCode, text?: RegExp) {
  return (error: unknown) =>
    isClaudeSyncError(error, code) && (text === undefined || text.test(error.message));
}

Deno.test({
  name: "run gives output, exit code and signal",
  ...posix,
  async fn() {
    const script = "cat; echo oops >&2; exit 3";
    const result = await processes.run(["sh", "-c", script], { stdin: utf8("in\0put") });
    assert.equal(result.code, 3);
    assert.equal(result.signal, null);
    assert.equal(fromUtf8(result.stdout), "in\0put");
    assert.equal(fromUtf8(result.stderr), "oops\n");
    const killed = await processes.run(["sh", "-c", "kill -9 $$"]);
    assert.deepEqual([killed.code, killed.signal], [null, "SIGKILL"]);
  },
});

Deno.test({
  name: "run passes arguments as they are, never through a shell",
  ...posix,
  async fn() {
    const args = ["$HOME", "a b", "'", '"', ";exit 9", "*", "", "ünï", "a\nb", "`id`"];
    const { stdout } = await processes.run(["printf", "%s|", ...args]);
    assert.equal(fromUtf8(stdout), args.map((arg) => `${arg}|`).join(""));
  },
});

Deno.test({
  name: "run survives a child that does not read its input",
  ...posix,
  async fn() {
    const result = await processes.run(["true"], { stdin: new Uint8Array(4_000_000) });
    assert.equal(result.code, 0);
  },
});

Deno.test({
  name: "run feeds what comes piece by piece, one piece at a time",
  ...posix,
  async fn() {
    async function* pieces() {
      for (let piece = 0; piece < 20; piece++) {
        yield await Promise.resolve(new Uint8Array(1_000_000).fill(97 + piece));
      }
    }
    const { code, stdout } = await processes.run(["wc", "-c"], { stdin: pieces() });
    assert.equal(code, 0);
    assert.equal(Number(fromUtf8(stdout)), 20_000_000);
  },
});

Deno.test({
  name: "run asks for no more pieces than the child takes",
  ...posix,
  async fn() {
    let asked = 0;
    let isClosed = false;
    async function* endless() {
      try {
        for (;;) {
          asked++;
          yield await Promise.resolve(new Uint8Array(1_000_000));
        }
      } finally {
        isClosed = true;
      }
    }
    assert.equal((await processes.run(["true"], { stdin: endless() })).code, 0);
    const run = processes.run(["sleep", "30"], { stdin: endless(), timeoutMs: 100 });
    await assert.rejects(run, fails("local-io", /did not end/));
    assert.ok(isClosed);
    assert.ok(asked < 20, `${asked} pieces`);
  },
});

Deno.test({
  name: "run ends the child and fails with the error of what feeds it",
  ...posix,
  async fn() {
    const failure = new RangeError("unreadable");
    async function* failing() {
      yield await Promise.resolve(utf8("first"));
      throw failure;
    }
    await assert.rejects(
      processes.run(["sleep", "30"], { stdin: failing() }),
      (error) => error === failure,
    );
  },
});

Deno.test({
  name: "run changes the environment and the folder",
  ...posix,
  async fn() {
    const { stdout } = await processes.run(["sh", "-c", 'echo "$CLAUDE_SYNC_A-$HOME-$(pwd)"'], {
      env: { CLAUDE_SYNC_A: "1", HOME: null },
      cwd: "/",
    });
    assert.equal(fromUtf8(stdout), "1--/\n");
  },
});

Deno.test({
  name: "run ends what is late, talks too much or is aborted",
  ...posix,
  async fn() {
    await assert.rejects(
      processes.run(["sleep", "30"], { timeoutMs: 30 }),
      fails("local-io", /did not end within 30 ms/),
    );
    await assert.rejects(
      processes.run(["yes"], { outputBytesMax: 50_000 }),
      fails("too-large"),
    );
    const atLimit = await processes.run(["printf", "12345"], { outputBytesMax: 5 });
    assert.equal(atLimit.stdout.length, 5);
    await assert.rejects(
      processes.run(["printf", "12345"], { outputBytesMax: 4 }),
      fails("too-large"),
    );
    const reason = new RangeError("enough");
    const controller = new AbortController();
    const running = processes.run(["sleep", "30"], { signal: controller.signal });
    queueMicrotask(() => controller.abort(reason));
    await assert.rejects(running, (error) => error === reason);
  },
});

Deno.test("run and spawnDetached tell a missing program from a missing folder", async () => {
  for (const start of [processes.run, processes.exec, processes.spawnDetached]) {
    await assert.rejects(start(["claude-sync-no-such-program"]), fails("not-found"));
  }
  for (const program of ["claude-sync-no-such-program", "/none/claude-sync-no-such-program"]) {
    await assert.rejects(processes.spawnDetached([program], { afterMs: 1 }), fails("not-found"));
  }
  const cwd = process.platform === "win32" ? "C:\\none" : "/none";
  await assert.rejects(
    processes.run([process.execPath, "--version"], { cwd }),
    fails("local-io", /none/),
  );
});

Deno.test({
  name: "exec gives the exit code, or 128 and the signal's number",
  ...posix,
  async fn() {
    assert.equal(await processes.exec(["sh", "-c", "exit 7"]), 7);
    assert.equal(await processes.exec(["sh", "-c", "kill -15 $$"]), 128 + 15);
  },
});

Deno.test({
  name: "spawnDetached starts a session of its own",
  ignore: process.platform !== "linux",
  async fn() {
    // The detached shell tells its session id through a pipe made by another child.
    const probe = await processes.run(["mktemp", "-d"]);
    const dir = fromUtf8(probe.stdout).trim();
    await processes.run(["mkfifo", `${dir}/pipe`]);
    await processes.spawnDetached([
      "sh",
      "-c",
      'read -r pid comm state ppid pgrp session rest </proc/$$/stat; echo "$$ $session" > "$0"',
      `${dir}/pipe`,
    ], { cwd: "/" });
    const told = await processes.run(["cat", `${dir}/pipe`]);
    const [pid, session] = fromUtf8(told.stdout).trim().split(" ");
    assert.equal(session, pid);
    await processes.run(["rm", "-r", dir]);
  },
});

Deno.test({
  name: "spawnDetached with a delay starts the same program in a session of its own, later",
  ...posix,
  async fn() {
    const dir = mkdtempSync(join(tmpdir(), "claude-sync-test-"));
    const told = join(dir, "told");
    const argument = `a  "b" 'c' $HOME $(id) \\ *\n`;
    const startedMs = Date.now();
    await processes.spawnDetached(
      [
        "/bin/sh",
        "-c",
        'ps -o sess= -p $$ >"$0.part"; printf %s "$$" "|" "$PWD" "|" "$1" "|" ' +
        '"$KEPT" "|" "$DROPPED" >>"$0.part"; mv "$0.part" "$0"',
        told,
        argument,
      ],
      { cwd: "/", env: { KEPT: "kept", DROPPED: null }, afterMs: 300 },
    );
    assert.ok(Date.now() - startedMs < 300, "it waited for the program");
    while (!existsSync(told)) await processes.run(["sleep", "0.02"]);
    assert.ok(Date.now() - startedMs >= 300, "the program did not wait");
    const [session, rest = ""] = readFileSync(told, "utf8").split(/\n(.*)/s);
    const pid = rest.slice(0, rest.indexOf("|"));
    assert.equal(rest, `${pid}|/|${argument}|kept|`);
    if (process.platform === "linux") assert.equal(session?.trim(), pid);
    rmSync(dir, { recursive: true });
  },
});

Deno.test("resolveWindowsProgram never takes what lies in the current folder", () => {
  const there = new Set(["C:\\git\\git.exe", "C:\\npm\\claude.cmd", ".\\git.exe", "D:git.exe"]);
  const exists = (path: string) => there.has(path);
  const cases: [string, string, string | null][] = [
    ["git", "C:\\npm;C:\\git", "C:\\git\\git.exe"],
    ["git", '"C:\\git"', "C:\\git\\git.exe"],
    ["git.exe", "C:\\git", "C:\\git\\git.exe"],
    ["git", ".;;D:;git;\\git", null],
    ["claude", "C:\\git;C:\\npm", "C:\\npm\\claude.cmd"],
    ["none", "C:\\git", null],
    ["C:\\x\\y.exe", "", "C:\\x\\y.exe"],
  ];
  for (const [name, path, expected] of cases) {
    assert.equal(resolveWindowsProgram(name, path, exists), expected, `${name} in ${path}`);
  }
});
