/** The demo is the first thing that a newcomer runs: it must work, and prove what it says. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { DemoMachine } from "./machine.ts";

const DEMO = join(dirname(fileURLToPath(import.meta.url)), "main.ts");

function inTempFolder(work: (folder: string) => void): void {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "claude-sync-demo-test-")));
  try {
    work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function runDemo(folder: string, ...args: string[]): { exit: number | null; text: string } {
  const run = spawnSync(process.execPath, ["run", "-A", "--no-check", DEMO, ...args], {
    encoding: "utf8",
    // The user's folders are where nothing is allowed to appear.
    env: { ...process.env, TMPDIR: folder, TEMP: folder, TMP: folder, NO_COLOR: "1" },
  });
  return { exit: run.status, text: `${run.stdout}${run.stderr}` };
}

Deno.test("the demo ends well, with equal files on both machines after every step", () => {
  inTempFolder((folder) => {
    const { exit, text } = runDemo(folder);
    assert.equal(exit, 0, text);
    const proofs = [...text.matchAll(/^Byte for byte equal: (\d+) of (\d+) files$/gm)];
    assert.equal(proofs.length, 3, text);
    for (const [line, equal, all] of proofs) assert.equal(equal, all, line);
    assert.ok(Number(proofs[0]![2]) >= 5, "there are real sessions to show");
    assert.equal(Number(proofs[2]![2]), Number(proofs[1]![2]) + 1, "a branch became a session");
    assert.doesNotMatch(text, /DIFFER/);
    assert.match(text, /^Files that hold ".+": laptop [1-9]\d*, vault 0$/m);
    assert.match(text, /base one \(from desktop\)/, "the older continuation keeps the id");
    assert.match(text, /^No damage\.$/m);
    assert.doesNotMatch(text, /[A-Za-z0-9+/]{43}=/, "the key is not shown");
    const [kept = "", ...others] = readdirSync(folder).filter((name) => name.includes("-demo-"));
    assert.deepEqual(others, []);
    assert.ok(text.includes(join(folder, kept)), "it says where everything is");
    const launcher = join(
      folder,
      kept,
      process.platform === "win32" ? "on-desktop.cmd" : "on-desktop",
    );
    const isWindows = process.platform === "win32";
    const later = spawnSync(launcher, ["list", "--json"], { encoding: "utf8", shell: isWindows });
    assert.equal(later.status, 0, later.stderr);
    assert.equal(JSON.parse(later.stdout).ok, true);
  });
});

Deno.test("the demo with --remove leaves nothing, also when it fails", () => {
  inTempFolder((folder) => {
    const samples = join(folder, "no-samples");
    const { exit, text } = runDemo(
      folder,
      "--remove",
      "--program",
      join(folder, "absent"),
      "--samples",
      samples,
    );
    assert.notEqual(exit, 0, text);
    assert.deepEqual(readdirSync(folder), []);
  });
});

Deno.test("DemoMachine runs a command with nothing of the user's environment", async () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "claude-sync-demo-test-")));
  try {
    const script = join(folder, "print.ts");
    writeFileSync(script, "console.log(JSON.stringify(Deno.env.toObject()), Deno.cwd());\n");
    const home = join(folder, "home");
    const project = join(home, "code", "my app");
    const program = process.execPath;
    const machine = new DemoMachine({ name: "m", home, project, program });
    process.env.CLAUDE_SYNC_HOME = join(folder, "the user's");
    const { exit, stdout, stderr } = await machine.run(["run", "-A", "--no-check", script]);
    assert.equal(exit, 0, stderr);
    assert.ok(stdout.includes(home) && stdout.includes("my app"));
    assert.ok(!stdout.includes("the user's"));
    for (const name of ["CLAUDE_SYNC_HOME", "LANG", "USER", "XDG_CONFIG_HOME"]) {
      assert.ok(!stdout.includes(`"${name}"`), `${name} was passed on`);
    }
    assert.ok(existsSync(join(project, ".git", "config")));
    assert.match(readFileSync(join(machine.configDir, ".claude.json"), "utf8"), /my app/);
  } finally {
    delete process.env.CLAUDE_SYNC_HOME;
    rmSync(folder, { recursive: true, force: true });
  }
});
