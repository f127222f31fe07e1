import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { SHELLS } from "../../src/cli/command_line.ts";
import { shellScript } from "../../src/cli/shell_init.ts";
import { fishQuote, posixQuote, powershellQuote, shellWord } from "../../src/cli/shell_quote.ts";
import { run } from "./stand_in.ts";

const INSTALLED = SHELLS.filter((shell) => spawnSync(shell, ["-c", "exit 0"]).error === undefined);
const SHELL_TIMEOUT_MS = 60_000;
const POSIX_LIKE = ["bash", "zsh", "fish"] as const;

Deno.test("every word survives every shell", async (t) => {
  const words = [
    "plain",
    "it's",
    `a "b" $c \`d\` \\ e`,
    "",
    "~",
    "*",
    "a\nb",
    "\\'",
    "-n",
    "é日本",
  ];
  const quotes = { bash: posixQuote, zsh: posixQuote, fish: fishQuote } as const;
  for (const shell of POSIX_LIKE) {
    await t.step({
      name: shell,
      ignore: !INSTALLED.includes(shell),
      fn: () => {
        const quoted = words.map(quotes[shell]).join(" ");
        const printed = spawnSync(shell, ["-c", `printf '%s|' ${quoted}`], { encoding: "utf8" });
        assert.equal(printed.stdout, words.map((word) => `${word}|`).join(""));
      },
    });
  }
  assert.equal(powershellQuote("it's \u{2019}"), "'it''s \u{2019}\u{2019}'");
  assert.equal(shellWord("linux", "/a/b-c"), "/a/b-c");
  assert.equal(shellWord("linux", "~/x"), "'~/x'");
  assert.equal(shellWord("windows", "C:\\a b"), "'C:\\a b'");
});

Deno.test("shell functions are correct syntax", async (t) => {
  const flags = { bash: ["-n"], zsh: ["-n"], fish: ["-n"] } as const;
  for (const shell of POSIX_LIKE) {
    await t.step({
      name: shell,
      ignore: !INSTALLED.includes(shell),
      fn: () => {
        const folder = Deno.makeTempDirSync();
        const file = join(folder, "init");
        fs.writeFileSync(file, shellScript(shell, ["/opt/it's/claude-sync"]));
        const checked = spawnSync(shell, [...flags[shell], file], { encoding: "utf8" });
        assert.deepEqual([checked.status, checked.stderr], [0, ""]);
      },
    });
  }
});

/** What the stand-ins for claude-sync and claude wrote down. */
function callsOf(shell: string, before: string, command: string, pullExit = 0): string[] {
  const folder = fs.mkdtempSync(join(Deno.makeTempDirSync(), "it's "));
  const log = join(folder, "log");
  const program = (name: string, exit: number) => {
    const path = join(folder, name);
    const body = `#!/bin/sh\necho ${name} "$@" >> ${posixQuote(log)}\nexit ${exit}\n`;
    fs.writeFileSync(path, body, { mode: 0o755 });
    return path;
  };
  program("claude", 5);
  const sync = program("claude-sync", pullExit);
  const script = shellScript(shell as "bash", [sync]);
  const file = join(folder, "rc");
  fs.writeFileSync(file, `${before}\n${script}\n${command}\n`);
  const ended = spawnSync(shell, [file], {
    env: { HOME: folder, PATH: `${folder}:/usr/bin:/bin` },
    encoding: "utf8",
    timeout: SHELL_TIMEOUT_MS,
    killSignal: "SIGKILL",
  });
  assert.equal(ended.status, 5, `claude's own exit code, not ${ended.status}: ${ended.stderr}`);
  assert.equal(ended.stderr, "");
  return fs.readFileSync(log, "utf8").trimEnd().split("\n");
}

Deno.test("the shell function pulls, then starts claude with the same words", async (t) => {
  const pull = "claude-sync pull --quiet --no-input --within=10";
  for (const shell of POSIX_LIKE) {
    await t.step({
      name: shell,
      ignore: !INSTALLED.includes(shell),
      fn: () => {
        assert.deepEqual(callsOf(shell, "", "claude"), [pull, "claude"]);
        assert.deepEqual(callsOf(shell, "", "claude -c 'a  b'"), [pull, "claude -c a  b"]);
        assert.deepEqual(callsOf(shell, "", "claude", 13), [pull, "claude"]);
        assert.deepEqual(callsOf(shell, "", "claude mcp list"), ["claude mcp list"]);
        assert.deepEqual(callsOf(shell, "", "claude --version"), ["claude --version"]);
        const off = shell === "fish"
          ? "set -gx CLAUDE_SYNC_DISABLE 1"
          : "export CLAUDE_SYNC_DISABLE=1";
        assert.deepEqual(callsOf(shell, off, "claude"), ["claude"]);
      },
    });
  }
});

Deno.test("the shell function keeps an alias that was there", async (t) => {
  for (const shell of ["bash", "zsh"] as const) {
    await t.step({
      name: shell,
      ignore: !INSTALLED.includes(shell),
      fn: () => {
        const before = `${shell === "bash" ? "shopt -s expand_aliases\n" : ""}` +
          `alias claude="claude --model 'my opus'"`;
        const calls = callsOf(shell, before, `claude "a b"`);
        assert.equal(calls[1], "claude --model my opus a b");
        assert.equal(calls.length, 2);
      },
    });
  }
});

Deno.test("completions are correct syntax and offer words", async (t) => {
  for (const shell of POSIX_LIKE) {
    await t.step({
      name: shell,
      ignore: !INSTALLED.includes(shell),
      fn: async () => {
        const { out } = await run(["completions", shell]);
        const file = join(Deno.makeTempDirSync(), "completion");
        fs.writeFileSync(file, out);
        const checked = spawnSync(shell, ["-n", file], { encoding: "utf8" });
        assert.deepEqual([checked.status, checked.stderr], [0, ""]);
        const words = await run(["completions", shell, "--", "pu"]);
        assert.match(words.out, /^push/);
      },
    });
  }
  const rows = () =>
    Promise.resolve([{
      id: "3f2a0000-0000-4000-8000-000000000001",
      title: "Fix\nit",
      project: null,
      dir: null,
      lastActivityMs: null,
      sizeBytes: 1,
      where: "vault" as const,
      live: false,
      archived: false,
      forgotten: false,
    }]);
  const typed = ["completions", "bash", "--", "push", "--session", "3"];
  assert.match((await run(typed, { list: rows })).out, /^3f2a0000-/);
  assert.equal((await run(typed, { list: () => Promise.reject(new Error("x")) })).exit, 0);
});
