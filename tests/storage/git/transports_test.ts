/** The conformance suite over every way to reach a repository, on real servers. */
import * as fs from "node:fs";
import { join } from "node:path";
import assert from "node:assert/strict";
import { storeCases } from "../../conformance/store_cases.ts";
import { itemsOf, one } from "../../conformance/objects.ts";
import { objectName } from "../../../src/storage/object_name.ts";
import { gitHttpUrl } from "../../servers/git_http.ts";
import { makeRepository } from "../../servers/git_repository.ts";
import { serverTest } from "../../servers/servers.ts";
import { scpLikeUrl, sshClient, sshUrl } from "../../servers/sshd.ts";
import { noteTested } from "../../servers/stores.ts";
import { type GitWorld, withGitWorld } from "./git_world.ts";

/** Gives a machine a credential helper, as users have one; the address holds no password. */
function rememberPassword(world: GitWorld, machine: string, url: string): void {
  const home = world.homeOf(machine);
  const file = join(home, "passwords");
  fs.writeFileSync(file, `${url}\n`, { mode: 0o600 });
  fs.writeFileSync(join(home, ".gitconfig"), `[credential]\n\thelper = store --file=${file}\n`);
}

let count = 0;
const freshName = () => `vault-${Date.now()}-${count++}`;

serverTest("git-http", "openGitStore over http keeps every promise", async (server, t) => {
  for (const { name, run } of storeCases({ skipLargest: true })) {
    await t.step(name, () =>
      withGitWorld(async (world) => {
        const vault = freshName();
        await makeRepository(server.folder, vault);
        rememberPassword(world, "a", gitHttpUrl(server, vault));
        const url = gitHttpUrl(server, vault, "left out");
        await run(await world.open("a", { url, create: true }));
      }));
  }
  await noteTested("git over http");
});

serverTest("sshd", "openGitStore over ssh keeps every promise", async (server, t) => {
  for (const { name, run } of storeCases({ skipLargest: true })) {
    await t.step(name, () =>
      withGitWorld(async (world) => {
        const vault = freshName();
        await makeRepository(server.folder, vault);
        const bin = await sshClient(server, world.homeOf("a"));
        await run(await world.open("a", { url: sshUrl(server, vault), bin, create: true }));
      }));
  }
  await noteTested("git over ssh");
});

serverTest("sshd", "openGitStore takes the short form of an SSH address", async (server) => {
  await withGitWorld(async (world) => {
    const vault = freshName();
    await makeRepository(server.folder, vault);
    const bin = await sshClient(server, world.homeOf("a"));
    const a = await world.open("a", { url: scpLikeUrl(server, vault), bin, create: true });
    await a.putAll(itemsOf(["log/1", one]));
    const b = await world.open("b", { url: sshUrl(server, vault), bin });
    assert.deepEqual(await b.get(objectName("log/1")), one);
  });
});
