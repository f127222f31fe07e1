/** What a user is told when a real server does not let a push or a pull through. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { type ErrorCode, isClaudeSyncError } from "../../../src/errors.ts";
import { startGitHttp } from "../../servers/git_http.ts";
import { gitHttpUrl } from "../../servers/git_http.ts";
import { makeRepository } from "../../servers/git_repository.ts";
import { serverTest, whySkipped } from "../../servers/servers.ts";
import { sshClient, sshUrl } from "../../servers/sshd.ts";
import { listNames } from "../../conformance/store_cases.ts";
import { itemsOf, one, patterned } from "../../conformance/objects.ts";
import { withGitWorld } from "./git_world.ts";

function fails(code: ErrorCode, message: RegExp, hint?: RegExp) {
  return (error: unknown) => {
    assert.ok(isClaudeSyncError(error), String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    if (hint !== undefined) assert.match(error.hint ?? "", hint);
    return true;
  };
}

serverTest("git-http", "a store over http tells what is wrong", async (server, t) => {
  const name = `failing-${Date.now()}`;
  await makeRepository(server.folder, name);
  const url = gitHttpUrl(server, name, "left out");
  await t.step("no credentials: no question, a hint", () =>
    withGitWorld(async (world) => {
      const a = await world.open("a", { url });
      await assert.rejects(listNames(a), fails("store-refused", /credentials/, /git ls-remote/));
    }));
  await t.step("wrong credentials, which are not repeated", () =>
    withGitWorld(async (world) => {
      const wrong = new URL(gitHttpUrl(server, name));
      wrong.password = "hunter2";
      const file = join(world.homeOf("a"), "passwords");
      fs.writeFileSync(file, `${wrong.href}\n`);
      const config = `[credential]\n\thelper = store --file=${file}\n`;
      fs.writeFileSync(join(world.homeOf("a"), ".gitconfig"), config);
      const a = await world.open("a", { url });
      await assert.rejects(listNames(a), (error: Error) => {
        assert.doesNotMatch(`${error.message} ${Deno.inspect(error)}`, /hunter2/);
        return fails("store-refused", /credentials/)(error);
      });
    }));
  await t.step(
    "credentials in the user's own insteadOf, which are not repeated",
    () =>
      withGitWorld(async (world) => {
        const base = `${new URL(url).origin}/`;
        const secret = base.replace("//", "//tester:hunter2@");
        const config = `[url "${secret}"]\n\tinsteadOf = ${base}\n`;
        fs.writeFileSync(join(world.homeOf("a"), ".gitconfig"), config);
        const a = await world.open("a", { url });
        await assert.rejects(listNames(a), (error: Error) => {
          assert.doesNotMatch(`${error.message} ${Deno.inspect(error)}`, /hunter2/);
          return fails("store-refused", /credentials/)(error);
        });
      }),
  );
});

Deno.test({
  name: "a store over http tells limits, protection, absence and foreign certificates",
  ignore: whySkipped("git-http") !== null,
  async fn() {
    await using small = await startGitHttp({ bodyBytesMax: 100_000, auth: "none" });
    await using tls = await startGitHttp({ tls: "own authority", auth: "none" });
    await makeRepository(tls.folder, "x");
    const refusals = {
      protected: "GH006: Protected branch update failed for refs/heads/claude-sync/x.",
      quota: "Your push has been rejected, because this repository is over its limit",
    };
    for (const name of ["x"]) await makeRepository(small.folder, name);
    for (const [name, message] of Object.entries(refusals)) {
      await makeRepository(small.folder, name, { refuse: { branch: "claude-sync/*", message } });
      await makeRepository(small.folder, `${name}-all`, { refuse: { message } });
    }
    await withGitWorld(async (world) => {
      const at = (name: string) => gitHttpUrl(small, name, "left out");
      const a = await world.open("a", { url: at("x"), create: true });
      await assert.rejects(
        a.putAll(itemsOf(["p/1", patterned(3_000_000)])),
        fails("too-large", /takes no push of that size/, /raise the limit/),
      );
      await a.putAll(itemsOf(["log/1", one]));
      const b = await world.open("b", { url: at("protected-all"), create: true });
      await assert.rejects(
        b.putAll(itemsOf(["log/1", one])),
        fails("store-refused", /refused the push: GH006: Protected branch/, /claude-sync\/…/),
      );
      const c = world.open("c", { url: at("quota-all"), create: true });
      await assert.rejects(c, fails("no-space", /over its limit/));
      const d = world.open("d", { url: at("absent"), create: true });
      await assert.rejects(d, fails("no-vault", /no repository/, /empty repository/));
      const e = await world.open("e", { url: gitHttpUrl(tls, "x", "left out") });
      await assert.rejects(listNames(e), fails("store-refused", /certificate/, /sslCAInfo/));
      const trusting = `[http]\n\tsslCAInfo = ${tls.authorityFile}\n`;
      fs.writeFileSync(join(world.homeOf("f"), ".gitconfig"), trusting);
      const f = await world.open("f", { url: gitHttpUrl(tls, "x", "left out"), create: true });
      await f.putAll(itemsOf(["log/1", one]));
    });
  },
});

serverTest("sshd", "a store over ssh tells what is wrong, and asks nobody", async (server, t) => {
  const name = `failing-${Date.now()}`;
  await makeRepository(server.folder, name);
  const cases = [
    ["an unknown host", { hostKey: "unknown" }, /does not know the SSH key/, /git ls-remote/],
    ["another host", { hostKey: "changed" }, /not the one/, /known_hosts/],
    ["a key that is not taken", { userKey: "refused" }, /none of this machine's/, /ssh-agent/],
    ["no key", { userKey: "none" }, /none of this machine's/, /ssh-agent/],
  ] as const;
  for (const [what, options, message, hint] of cases) {
    await t.step(what, () =>
      withGitWorld(async (world) => {
        const bin = await sshClient(server, world.homeOf("a"), options);
        const a = await world.open("a", { url: sshUrl(server, name), bin });
        await assert.rejects(listNames(a), fails("store-refused", message, hint));
      }));
  }
  await t.step("no repository", () =>
    withGitWorld(async (world) => {
      const bin = await sshClient(server, world.homeOf("a"));
      const a = await world.open("a", { url: sshUrl(server, "absent"), bin });
      await assert.rejects(listNames(a), fails("no-vault", /no repository/));
    }));
  await t.step(
    "the user's own SSH command is kept, and asked not to ask",
    () =>
      withGitWorld(async (world) => {
        const bin = await sshClient(server, world.homeOf("a"), { hostKey: "unknown" });
        const command = `'${join(bin, "ssh")}' -o StrictHostKeyChecking=accept-new`;
        const config = `[core]\n\tsshCommand = ${command}\n`;
        fs.writeFileSync(join(world.homeOf("a"), ".gitconfig"), config);
        const a = await world.open("a", { url: sshUrl(server, name) });
        assert.deepEqual(await listNames(a), []);
      }),
  );
});

Deno.test("a store that cannot be reached says so", () =>
  withGitWorld(async (world) => {
    const unreachable = fails("store-unreachable", /./);
    const closed = await world.open("a", { url: "http://127.0.0.1:9/x.git" });
    await assert.rejects(listNames(closed), unreachable);
    await assert.rejects(closed.putAll(itemsOf(["log/1", one])), unreachable);
    const nobody = await world.open("a", { url: "ssh://u@127.0.0.1:9/x.git" });
    await assert.rejects(listNames(nobody), unreachable);
    const unplugged = await world.open("a", { url: join(world.folder, "stick/vault.git") });
    await assert.rejects(listNames(unplugged), fails("store-unreachable", /not there/, /connect/));
    fs.mkdirSync(join(world.folder, "plain/x"), { recursive: true });
    const plain = await world.open("a", { url: join(world.folder, "plain"), create: false });
    await assert.rejects(listNames(plain), fails("no-vault", /no repository/));
    await assert.rejects(
      world.open("a", { url: join(world.folder, "plain"), create: true }),
      fails("no-vault", /no repository/),
    );
  }));

Deno.test("settings of the user that lead elsewhere are refused or overruled", () =>
  withGitWorld(async (world) => {
    const gitconfig = join(world.homeOf("a"), ".gitconfig");
    fs.writeFileSync(gitconfig, '[url "ext::sh -c id"]\n\tinsteadOf = https://x.invalid/\n');
    const a = await world.open("a", { url: "https://x.invalid/a" });
    await assert.rejects(listNames(a), fails("store-refused", /not allowed/, /insteadof/));

    const proof = join(world.folder, "ran");
    const hooks = join(world.folder, "hooks");
    fs.mkdirSync(hooks);
    for (const hook of ["pre-push", "reference-transaction", "post-index-change", "pre-auto-gc"]) {
      fs.writeFileSync(join(hooks, hook), `#!/bin/sh\ntouch '${proof}'\n`, { mode: 0o755 });
    }
    fs.writeFileSync(
      gitconfig,
      `[core]\n\thooksPath = ${hooks}\n\tfsmonitor = touch ${proof}\n[commit]\n\tgpgSign = true\n` +
        `[push]\n\tfollowTags = true\n\tgpgSign = if-asked\n[fetch]\n\tprune = true\n` +
        `[safe]\n\tbareRepository = explicit\n[init]\n\ttemplateDir = ${hooks}\n` +
        `[transfer]\n\tfsckObjects = false\n[gc]\n\tauto = 1\n`,
    );
    const b = await world.open("a", { create: true });
    await b.putAll(itemsOf(["packs/1", patterned(400_000)], ["log/1", one]));
    await b.delete((await listNames(b))[0] as never);
    assert.ok(!fs.existsSync(proof), "a hook of the user's ran");
  }));
