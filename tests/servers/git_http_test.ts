import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { startFaultProxy } from "./fault_proxy.ts";
import { type GitClient, withGitClient } from "./git_client.ts";
import { gitHttpUrl, startGitHttp } from "./git_http.ts";
import { makeRepository } from "./git_repository.ts";
import { serverTest } from "./servers.ts";

const uniqueName = () => `r${randomBytes(6).toString("hex")}`;

serverTest("git-http", "git clones and pushes over HTTP with a password", async (server) => {
  const name = uniqueName();
  await makeRepository(server.folder, name);
  const url = gitHttpUrl(server, name);
  await withGitClient(async (git) => {
    await git.pushFile(url, "machine-a", "a.txt", "hello");
    assert.match((await git.run("ls-remote", url)).stdout, /refs\/heads\/machine-a\n$/);
    const blobless = await git.run("clone", "-q", "--bare", "--filter=blob:none", url, "copy");
    assert.equal(blobless.code, 0, blobless.stderr);
    const missing = await git.run(
      "-C",
      "copy",
      "rev-list",
      "--objects",
      "--missing=print",
      "--all",
    );
    assert.match(missing.stdout, /^\?/m, "the filter was honoured");

    const open = gitHttpUrl(server, name, "left out");
    const refused = await git.run("ls-remote", open);
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /could not read Username/);
    const wrong = await git.run("ls-remote", gitHttpUrl({ ...server, password: "no" }, name));
    assert.match(wrong.stderr, /Authentication failed/);
    const absent = await git.run("ls-remote", gitHttpUrl(server, "absent"));
    assert.match(absent.stderr, /not found/);
  });
});

serverTest("git-http", "a repository refuses what it is told to refuse", async (server) => {
  const [closed, half, plain] = [uniqueName(), uniqueName(), uniqueName()];
  await makeRepository(server.folder, closed, { refuse: { message: "over the user's quota" } });
  const refuse = { branch: "main", message: "GH006: Protected branch update failed" };
  await makeRepository(server.folder, half, { refuse });
  await makeRepository(server.folder, plain, { filter: "refused" });
  await withGitClient(async (git) => {
    const push = async (name: string, branch: string) =>
      await git.tryPushFile(gitHttpUrl(server, name), branch, "a.txt", "hello");
    assert.match((await push(closed, "any")).stderr, /remote: over the user's quota/);
    assert.match((await push(half, "main")).stderr, /remote: GH006/);
    assert.equal((await push(half, "other")).code, 0);
    assert.equal((await push(plain, "main")).code, 0);
    const url = gitHttpUrl(server, plain);
    const cloned = await git.run("clone", "-q", "--bare", "--filter=blob:none", url, "copy");
    assert.match(cloned.stderr, /filtering not recognized by server/);
  });
});

serverTest(
  "git-http",
  "the server can be small, old, open, or known to its own authority",
  async () => {
    const cases: [
      Parameters<typeof startGitHttp>[0],
      (git: GitClient, url: string) => Promise<void>,
    ][] = [
      [{ bodyBytesMax: 1000 }, async (git, url) => {
        const noise = randomBytes(5000).toString("hex");
        assert.match((await git.tryPushFile(url, "main", "a", noise)).stderr, /413/);
      }],
      [{ protocol: "v0", auth: "none" }, async (git, url) => {
        const traced = await git.run("-c", "protocol.version=2", "ls-remote", url);
        assert.equal(traced.code, 0, traced.stderr);
        assert.doesNotMatch(traced.stderr, /version 2/);
      }],
      [{ tls: "own authority" }, async (git, url) => {
        const refused = await git.run("ls-remote", url);
        assert.match(refused.stderr, /certificate/);
      }],
    ];
    for (const [options, check] of cases) {
      await using server = await startGitHttp(options);
      const name = uniqueName();
      await makeRepository(server.folder, name);
      await withGitClient(async (git) => {
        await check(git, gitHttpUrl(server, name));
        if (server.authorityFile === null) return;
        const trust = ["-c", `http.sslCAInfo=${server.authorityFile}`];
        const accepted = await git.run(...trust, "ls-remote", gitHttpUrl(server, name));
        assert.equal(accepted.code, 0, accepted.stderr);
      });
    }
  },
);

serverTest(
  "git-http",
  "git works behind the fault proxy, and breaks as it is told",
  async (server) => {
    const name = uniqueName();
    await makeRepository(server.folder, name);
    await using proxy = await startFaultProxy({ upstream: server.origin });
    const url = gitHttpUrl({ ...server, origin: proxy.origin }, name);
    await withGitClient(async (git) => {
      // Larger than http.postBuffer, so that it travels in chunks.
      await git.pushFile(url, "main", "a.txt", randomBytes(2_000_000).toString("base64"));
      assert.equal((await git.run("clone", "-q", "--bare", url, "copy")).code, 0);
      const target = /git-receive-pack$/;
      proxy.inject({ fault: { kind: "reset-response", afterBytes: 5 }, method: "POST", target });
      const broken = await git.tryPushFile(url, "other", "a.txt", "hello");
      assert.notEqual(broken.code, 0);
      const listed = await git.run("ls-remote", url);
      assert.match(listed.stdout, /refs\/heads\/other/, "the server had done its work");

      const stale = proxy.inject({ fault: { kind: "stale-answer" } });
      await git.pushFile(gitHttpUrl(server, name), "third", "a.txt", "hello");
      assert.equal((await git.run("ls-remote", url)).stdout, listed.stdout);
      stale.remove();
      assert.match((await git.run("ls-remote", url)).stdout, /refs\/heads\/third/);
    });
  },
);
