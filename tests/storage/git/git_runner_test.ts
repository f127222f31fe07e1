import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { utf8 } from "../../../src/base/bytes.ts";
import type { Platform, RunOptions } from "../../../src/platform/types.ts";
import { GitRunner, quietSsh } from "../../../src/storage/git/git_runner.ts";
import { parseGitUrl } from "../../../src/storage/git/git_url.ts";
import { listNames } from "../../conformance/store_cases.ts";
import { itemsOf, one } from "../../conformance/objects.ts";
import { withGitWorld } from "./git_world.ts";

Deno.test("quietSsh adds to the user's command and replaces nothing of it", () => {
  const options = "-o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=15";
  assert.equal(quietSsh("ssh"), `ssh ${options}`);
  assert.equal(quietSsh("ssh -i ~/.ssh/work -F none"), `ssh -i ~/.ssh/work -F none ${options}`);
  assert.equal(quietSsh('"C:/Putty/plink.exe" -P 22'), '"C:/Putty/plink.exe" -P 22 -batch');
});

/** Records what Git is started with. */
function recorder(platform: Platform) {
  const runs: { argv: readonly string[]; options: RunOptions }[] = [];
  const run: Platform["processes"]["run"] = (argv, options = {}) => {
    runs.push({ argv, options });
    return platform.processes.run(argv, options);
  };
  return { runs, platform: { ...platform, processes: { ...platform.processes, run } } };
}

Deno.test("every command is kept from asking, from hooks, and from other repositories", () =>
  withGitWorld(async (world) => {
    const { runs, platform } = recorder(world.platformOf("a"));
    const a = await world.open("a", { create: true, platform });
    await a.putAll(itemsOf(["log/1", one]));
    await listNames(a);
    const commands = runs.filter(({ argv }) => argv[0] === "git" && argv[1] !== "version");
    assert.ok(commands.length > 8);
    for (const { argv, options } of commands) {
      const env = options.env!;
      const isInit = argv.includes("init");
      assert.ok(isInit || argv[1]!.startsWith("--git-dir="), argv.join(" "));
      for (const setting of ["core.hooksPath=/dev/null", "protocol.ext.allow=never", "gc.auto=0"]) {
        assert.equal(argv[argv.indexOf(setting) - 1], "-c", setting);
      }
      assert.equal(env["GIT_TERMINAL_PROMPT"], "0");
      assert.equal(env["GIT_ASKPASS"], "");
      assert.equal(env["SSH_ASKPASS_REQUIRE"], "never");
      assert.equal(env["LC_ALL"], "C");
      for (const name of ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_CONFIG_COUNT"]) {
        assert.equal(env[name], null, name);
      }
      assert.notEqual(options.stdin, "inherit");
    }
    const remote = commands.filter(({ argv }) =>
      argv.some((arg) => /^(ls-remote|push|fetch)$/.test(arg))
    );
    for (const { options } of remote) assert.equal(options.env!["GIT_ALLOW_PROTOCOL"], "file");
  }));

Deno.test("a run inside another Git's hook keeps to its own repository", () =>
  withGitWorld(async (world) => {
    const other = join(world.folder, "other.git");
    world.gitIn(other, "init", "-q", "--bare");
    const platform = world.platformOf("a");
    const hostile = {
      GIT_DIR: other,
      GIT_INDEX_FILE: join(other, "index"),
      GIT_WORK_TREE: world.folder,
      GIT_OBJECT_DIRECTORY: join(other, "objects"),
      GIT_COMMON_DIR: other,
      GIT_NAMESPACE: "elsewhere",
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: "remote.claude-sync-vault.url",
      GIT_CONFIG_VALUE_0: other,
      GIT_CONFIG_PARAMETERS: "'remote.claude-sync-vault.pushurl'='x'",
    };
    const run: Platform["processes"]["run"] = (argv, options = {}) =>
      platform.processes.run(argv, { ...options, env: { ...hostile, ...options.env } });
    const processes = { ...platform.processes, run };
    const a = await world.open("a", { create: true, platform: { processes } });
    await a.putAll(itemsOf(["log/1", one]));
    assert.deepEqual(await listNames(await world.open("b")), ["log/1"]);
    assert.equal(world.gitIn(other, "for-each-ref"), "");
    assert.deepEqual(fs.readdirSync(join(other, "objects")).sort(), ["info", "pack"]);
  }));

Deno.test("the user's SSH command comes from the environment, then the settings", () =>
  withGitWorld(async (world) => {
    const commandOf = async (env: Readonly<Record<string, string>>) => {
      const { runs, platform } = recorder(world.platformOf("a"));
      const host = { ...platform.host, env: (name: string) => env[name] };
      const url = parseGitUrl("ssh://u@127.0.0.1:9/x", "linux");
      const runner = new GitRunner({ ...platform, host }, url);
      await runner.remote(world.folder, ["ls-remote", "claude-sync-vault"]);
      return runs.at(-1)!.options.env!["GIT_SSH_COMMAND"];
    };
    assert.match(await commandOf({}) ?? "", /^ssh -o BatchMode=yes/);
    assert.equal(await commandOf({ GIT_SSH: "/usr/bin/ssh" }), undefined);
    fs.writeFileSync(join(world.homeOf("a"), ".gitconfig"), "[core]\n\tsshCommand = ssh -4\n");
    assert.match(await commandOf({}) ?? "", /^ssh -4 -o BatchMode=yes/);
    assert.match(await commandOf({ GIT_SSH: "/usr/bin/ssh" }) ?? "", /^ssh -4 -o BatchMode=yes/);
    assert.match(await commandOf({ GIT_SSH_COMMAND: "ssh -6" }) ?? "", /^ssh -6 -o BatchMode=yes/);
    assert.equal(process.env["GIT_SSH_COMMAND"], undefined);
  }));

Deno.test("a full disk below the copy is said to be one", () =>
  withGitWorld(async (world) => {
    const real = world.platformOf("a");
    const run: Platform["processes"]["run"] = (argv, options = {}) => {
      if (!argv.includes("fast-import")) return real.processes.run(argv, options);
      // What Git 2.39 says there: recorded.
      const stderr = "fatal: sha1 file '/c/r-x/objects/pack/tmp_pack_De81v6' write error. " +
        "Out of diskspace\nfast-import: dumping crash report to /c/r-x/fast_import_crash_25191\n";
      return Promise.resolve({
        code: 128,
        signal: null,
        stdout: utf8(""),
        stderr: utf8(stderr),
      });
    };
    await world.open("admin", { create: true });
    const a = await world.open("a", { platform: { processes: { ...real.processes, run } } });
    await assert.rejects(a.putAll(itemsOf(["log/1", one])), { code: "no-space" });
  }));
