import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { fromUtf8 } from "../../src/base/bytes.ts";
import { nodeProcesses } from "../../src/platform/node_processes.ts";

const { run } = nodeProcesses();
const posix = { ignore: process.platform === "win32" };
const STDIO = pathToFileURL(join(import.meta.dirname!, "../../src/platform/node_stdio.ts"));

/** Asks a child whose standard input is what `redirected` makes it. */
async function isInputTerminal(redirected: (command: string) => string): Promise<string> {
  const code = `import { nodeStdio } from "${STDIO}";` +
    'console.log("told " + await nodeStdio().isTerminal("stdin"));';
  const command = `"${process.execPath}" eval "$CODE"`;
  const { stdout, stderr } = await run(["sh", "-c", redirected(command)], { env: { CODE: code } });
  return /told (\w+)/.exec(fromUtf8(stdout))?.[1] ?? fromUtf8(stderr);
}

Deno.test({
  name: "isTerminal tells a terminal from a pipe, a file, /dev/null and a closed stream",
  ...posix,
  async fn(t) {
    const cases: readonly [string, (command: string) => string, string][] = [
      ["pipe", (command) => `echo | ${command}`, "false"],
      ["file", (command) => `${command} </etc/passwd`, "false"],
      ["/dev/null", (command) => `${command} </dev/null`, "false"],
      ["closed", (command) => `${command} <&-`, "false"],
    ];
    for (const [name, redirected, expected] of cases) {
      await t.step(name, async () => assert.equal(await isInputTerminal(redirected), expected));
    }
  },
});

Deno.test({
  name: "isTerminal knows a terminal",
  // Only here does the system have a command that runs another one on a terminal of its own.
  ignore: process.platform !== "linux",
  async fn() {
    const onTerminal = (command: string) =>
      `script -qec '${command.replaceAll("'", `'\\''`)}' /dev/null`;
    assert.equal(await isInputTerminal(onTerminal), "true");
  },
});

Deno.test({
  name: "out keeps every byte, minds no reader who goes, and tells of a disk that is full",
  ignore: process.platform !== "linux",
  async fn(t) {
    const code = `import { nodeStdio } from "${STDIO}"; const { out, err } = nodeStdio();` +
      'try { for (let n = 0; n < 20_000; n++) out(`${n} is a line`); err("all said"); }' +
      "catch ({ code, message }) { err(`${code}: ${message}`); }";
    const cases: readonly [string, RegExp][] = [
      ["| wc -l", /^20000\nall said\n$/],
      ["| (sleep 0.2; tail -n 1)", /^19999 is a line\nall said\n$/],
      ["| head -n 1", /^0 is a line\nall said\n$/],
      [">&-", /^all said\n$/],
      [">/dev/full", /^no-space: Cannot write to "standard output" \(ENOSPC\)\n$/],
    ];
    for (const [redirected, expected] of cases) {
      await t.step(redirected, async () => {
        const command = `"${process.execPath}" eval "$CODE" ${redirected}`;
        const { stdout, stderr } = await run(["sh", "-c", command], { env: { CODE: code } });
        assert.match(fromUtf8(stdout) + fromUtf8(stderr), expected);
      });
    }
  },
});
