/** Servers that cannot do what makes fetches small. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { objectName } from "../../../src/storage/object_name.ts";
import { gitHttpUrl, startGitHttp } from "../../servers/git_http.ts";
import { makeRepository } from "../../servers/git_repository.ts";
import { whySkipped } from "../../servers/servers.ts";
import { listNames } from "../../conformance/store_cases.ts";
import { itemsOf, one, patterned } from "../../conformance/objects.ts";
import { withGitWorld } from "./git_world.ts";

for (const protocol of ["v0", "v2"] as const) {
  for (const filter of ["allowed", "refused", "only filters"] as const) {
    Deno.test({
      name: `a server with protocol ${protocol}, partial fetches ${filter}, works`,
      ignore: whySkipped("git-http") !== null,
      fn: () =>
        withGitWorld(async (world) => {
          await using server = await startGitHttp({ protocol, auth: "none" });
          const isRefused = filter === "refused";
          const path = await makeRepository(server.folder, "x", {
            filter: isRefused ? "refused" : "allowed",
          });
          if (filter === "only filters") {
            world.gitIn(path, "config", "uploadpack.allowAnySHA1InWant", "false");
          }
          const url = gitHttpUrl(server, "x", "left out");
          const a = await world.open("a", { url, create: true });
          const b = await world.open("b", { url });
          for (let round = 0; round < 3; round++) {
            const large = patterned(700_000 + round);
            await a.putAll(itemsOf([`packs/${round}`, large], [`log/${round}`, one]));
            assert.equal((await listNames(b)).length, 2 * (round + 1));
            assert.deepEqual(await b.get(objectName(`packs/${round}`)), large);
            await b.putAll(itemsOf([`log/b/${round}`, one]));
            await a.delete(objectName(`log/b/${round}`));
            await listNames(b);
          }
          // The next run knows what it learnt about the server.
          const again = await world.open("b", { url });
          await listNames(again);
          assert.equal((await again.get(objectName("packs/0")))?.length, 700_000);
          assert.equal(again.traffic().requests.get, 0);
        }),
    });
  }
}

Deno.test("a repository that names its objects by SHA-256 works, empty or not", () =>
  withGitWorld(async (world) => {
    world.gitIn(world.repository, "init", "-q", "--bare", "--object-format=sha256");
    const a = await world.open("a", { create: true });
    await a.put(objectName("claude-sync.json"), one);
    await a.putAll(itemsOf(["packs/1", patterned(500_000)], ["log/1", one]));
    assert.equal(await a.putAll(itemsOf(["log/1", one])), null);
    assert.equal(await a.putAll(itemsOf(["log/1", patterned(3)])), "log/1");
    const b = await world.open("b");
    assert.deepEqual(await listNames(b), ["claude-sync.json", "log/1", "packs/1"]);
    assert.equal((await b.get(objectName("packs/1")))?.length, 500_000);
  }));

Deno.test("a repository works whatever its default branch, or the user's, is called", () =>
  withGitWorld(async (world) => {
    for (const [at, head] of ["master", "trunk"].entries()) {
      const url = join(world.folder, `${head}.git`);
      const names = ["a", "b", "c"].map((name) => `${name}${at}`);
      for (const name of names) {
        const config = "[init]\n\tdefaultBranch = master\n";
        writeFileSync(join(world.homeOf(name), ".gitconfig"), config);
      }
      world.gitIn(url, "init", "-q", "--bare", `--initial-branch=${head}`);
      const a = await world.open(names[0]!, { url, create: true });
      const b = await world.open(names[1]!, { url });
      for (const round of ["1", "2"]) {
        await a.putAll(itemsOf([`packs/a${round}`, patterned(500_000)], [`log/a/${round}`, one]));
        await b.putAll(itemsOf([`log/b/${round}`, one]));
      }
      const objects = ["log/a/1", "log/a/2", "log/b/1", "log/b/2", "packs/a1", "packs/a2"];
      for (const store of [a, b, await world.open(names[2]!, { url })]) {
        assert.deepEqual(await listNames(store), objects, head);
        assert.equal((await store.get(objectName("packs/a2")))?.length, 500_000);
      }
    }
  }));
