import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { withGitClient } from "./git_client.ts";
import { makeRepository } from "./git_repository.ts";
import { serverTest } from "./servers.ts";
import { scpLikeUrl, sshClient, sshUrl } from "./sshd.ts";

serverTest("sshd", "git clones and pushes over SSH with the user's key", async (server) => {
  const name = `r${randomBytes(6).toString("hex")}`;
  await makeRepository(server.folder, name);
  await withGitClient(async (git) => {
    git.binFolder = await sshClient(server, join(git.home, "known"));
    await git.pushFile(sshUrl(server, name), "machine-a", "a.txt", "hello");
    const listed = await git.run("-c", "protocol.version=2", "ls-remote", scpLikeUrl(server, name));
    assert.match(listed.stdout, /refs\/heads\/machine-a\n$/);
    assert.match(listed.stderr, /version 2/, "GIT_PROTOCOL reached the server");
  });
});

serverTest("sshd", "ssh refuses hosts and keys as it does for a user", async (server) => {
  const name = `r${randomBytes(6).toString("hex")}`;
  await makeRepository(server.folder, name);
  const cases = [
    [{ hostKey: "unknown" }, /Host key verification failed/],
    [{ hostKey: "changed" }, /REMOTE HOST IDENTIFICATION HAS CHANGED/],
    [{ userKey: "refused" }, /Permission denied \(publickey\)/],
    [{ userKey: "none" }, /Permission denied \(publickey\)/],
  ] as const;
  await withGitClient(async (git) => {
    for (const [options, expected] of cases) {
      const folder = join(git.home, JSON.stringify(options).replaceAll(/\W/g, ""));
      git.binFolder = await sshClient(server, folder, options);
      const batch = ["-c", "core.sshCommand=ssh -o BatchMode=yes"];
      const { code, stderr } = await git.run(...batch, "ls-remote", sshUrl(server, name));
      assert.notEqual(code, 0);
      assert.match(stderr, expected);
    }
  });
});
