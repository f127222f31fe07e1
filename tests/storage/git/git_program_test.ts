import assert from "node:assert/strict";
import { utf8 } from "../../../src/base/bytes.ts";
import { ClaudeSyncError, isClaudeSyncError } from "../../../src/errors.ts";
import { nodePlatform } from "../../../src/platform/node.ts";
import type { Host, Platform } from "../../../src/platform/types.ts";
import { requireGit } from "../../../src/storage/git/git_program.ts";
import { MemoryFs } from "../../support/memory_fs.ts";

/** A machine on which programs print something, or are not there (null). */
function machine(
  os: Host["os"],
  programs: Readonly<Record<string, string | null>>,
  path = "/usr/bin",
): { platform: Platform; ran: string[] } {
  const real = nodePlatform();
  const ran: string[] = [];
  const fs = new MemoryFs();
  for (const folder of ["/usr/bin", "/opt/bin"]) fs.makeDir(folder);
  for (const file of ["/usr/bin/git", ...(path.includes("/opt/bin") ? ["/opt/bin/git"] : [])]) {
    fs.createFile(file).close();
  }
  const host = { ...real.host, os, env: (name: string) => name === "PATH" ? path : undefined };
  const processes: Platform["processes"] = {
    ...real.processes,
    run(argv) {
      ran.push(argv.join(" "));
      const output = programs[argv[0]!] ?? null;
      if (output === null) {
        return Promise.reject(new ClaudeSyncError("not-found", `There is no "${argv[0]}"`));
      }
      const code = output === "fails" ? 1 : 0;
      const stdout = utf8(output);
      return Promise.resolve({ code, signal: null, stdout, stderr: utf8("") });
    },
  };
  return { platform: { ...real, fs, host, processes }, ran };
}

Deno.test("requireGit takes Git 2.30 and newer", async () => {
  for (
    const version of [
      "git version 2.30.0\n",
      "git version 2.39.5 (Apple Git-154)\n",
      "git version 2.51.0.windows.1\n",
      "git version 3.0.0-rc1\n",
    ]
  ) await requireGit(machine("linux", { git: version }).platform);
  for (const version of ["git version 2.29.9\n", "git version 1.8.3.1\n"]) {
    await assert.rejects(
      requireGit(machine("linux", { git: version }).platform),
      (error) =>
        isClaudeSyncError(error, "local-io") && /too old/.test(error.message) &&
        /2\.30/.test(error.hint ?? ""),
    );
  }
  await assert.rejects(
    requireGit(machine("linux", { git: "fails" }).platform),
    (error) => isClaudeSyncError(error, "local-io") && /does not run/.test(error.message),
  );
});

Deno.test("requireGit says how to get Git where there is none", async () => {
  const hints = { linux: /apt install/, darwin: /xcode-select --install/, windows: /winget/ };
  for (const [os, hint] of Object.entries(hints)) {
    await assert.rejects(
      requireGit(machine(os as Host["os"], { git: null, "xcode-select": "/x" }).platform),
      (error) => isClaudeSyncError(error, "local-io") && hint.test(error.hint ?? ""),
    );
  }
});

Deno.test("requireGit never starts the Mac's stand-in, which opens an installer", async () => {
  const git = "git version 2.39.5\n";
  const without = machine("darwin", { git, "xcode-select": "fails" });
  await assert.rejects(
    requireGit(without.platform),
    (error) => isClaudeSyncError(error, "local-io") && /xcode-select/.test(error.hint ?? ""),
  );
  assert.deepEqual(without.ran, ["xcode-select -p"]);
  const withTools = machine("darwin", { git, "xcode-select": "/Library/Developer" });
  await requireGit(withTools.platform);
  assert.deepEqual(withTools.ran, ["xcode-select -p", "git version"]);
  // Another Git in front of it is not asked about.
  const brewed = machine("darwin", { git, "xcode-select": "fails" }, "/opt/bin:/usr/bin");
  await requireGit(brewed.platform);
  assert.deepEqual(brewed.ran, ["git version"]);
});
