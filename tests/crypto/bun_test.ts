/** The compiled program is Bun, so what Deno has shown of bytes and keys is shown again there. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const TESTS = dirname(dirname(fileURLToPath(import.meta.url)));

/** Bun itself, from its platform package: its own installer never runs here. */
function bunExecutables(): string[] {
  const bun = fs.realpathSync(createRequire(import.meta.url).resolve("bun/package.json"));
  const os = process.platform === "win32" ? "windows" : process.platform;
  const cpu = process.arch === "arm64" ? "aarch64" : "x64";
  const file = process.platform === "win32" ? "bun.exe" : "bun";
  return ["", "-musl"]
    .map((libc) => join(dirname(bun), "..", "@oven", `bun-${os}-${cpu}${libc}`, "bin", file))
    .filter((executable) => fs.existsSync(executable));
}

function testFiles(folder: string): string[] {
  return fs.readdirSync(join(TESTS, folder))
    .filter((name) => name.endsWith("_test.ts") && name !== "bun_test.ts")
    .map((name) => join(TESTS, folder, name));
}

/** Under Deno they have run at length; here it is about what the engines do differently. */
const ASKED = process.env["CLAUDE_SYNC_FUZZ_RUNS"] ?? "";
const FUZZ = { CLAUDE_SYNC_FUZZ_RUNS: /^\d+$/.test(ASKED) ? ASKED : "1%" };

Deno.test("crypto, codecs, decoders and child processes pass their tests under Bun", () => {
  // Detached programs are started by Bun's own means there.
  const processes = join(TESTS, "platform", "node_processes_test.ts");
  const files = [...["crypto", "vault", "fuzz"].flatMap(testFiles), processes];
  const script = join(TESTS, "crypto", "under_bun.ts");
  const answers = bunExecutables().map((executable) => {
    const env = { ...process.env, ...FUZZ };
    return spawnSync(executable, [script, ...files], { env, encoding: "utf8", timeout: 300_000 });
  });
  // Of two C libraries' builds, one starts.
  const ran = answers.find(({ error, stdout }) => error === undefined && stdout !== "");
  assert(ran !== undefined, "Bun is installed and starts");
  assert.equal(ran.status, 0, `${ran.stdout}\n${ran.stderr}`);
  assert.match(ran.stdout, /^bun \S+: \d+ passed, 0 failed$/m);
});
