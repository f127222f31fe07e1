/** Several machines on one repository, and what becomes of their copies of it. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { objectName } from "../../../src/storage/object_name.ts";
import type { PutOutcome } from "../../../src/storage/object_store.ts";
import { listNames } from "../../conformance/store_cases.ts";
import { itemsOf, nameA, one, patterned, two } from "../../conformance/objects.ts";
import { type GitWorld, withGitWorld } from "./git_world.ts";

function branches(world: GitWorld): string[] {
  const refs = world.git("for-each-ref", "--format=%(refname:short)", "refs/heads/claude-sync");
  return refs.split("\n").filter((ref) => ref !== "");
}

/** Folder of a machine's copy of the repository. */
function copyOf(world: GitWorld, machine: string): string {
  const [folder] = fs.readdirSync(world.cacheOf(machine));
  const inner = join(world.cacheOf(machine), folder!);
  return join(inner, fs.readdirSync(inner).find((name) => name.startsWith("r-"))!);
}

Deno.test("two machines see each other's objects, each on its own branch", () =>
  withGitWorld(async (world) => {
    const a = await world.open("a", { create: true });
    const b = await world.open("b");
    const large = patterned(600_000);
    await a.putAll(itemsOf(["packs/1", large], ["log/a/1", one]));
    await b.putAll(itemsOf(["log/b/1", two]));
    assert.deepEqual(await listNames(a), ["log/a/1", "log/b/1", "packs/1"]);
    assert.deepEqual(await listNames(b), ["log/a/1", "log/b/1", "packs/1"]);
    assert.deepEqual(await b.get(objectName("packs/1")), large);
    assert.deepEqual(await a.get(objectName("log/b/1")), two);
    assert.equal(branches(world).length, 2);
    const [branch, format, fetches] = b.facts().map(({ value }) => value);
    assert.ok(branches(world).includes(branch!));
    assert.deepEqual([format, fetches], ["SHA-1", "only what is asked for"]);
    for await (const { name, sizeBytes } of b.list("packs/")) {
      assert.deepEqual([name, sizeBytes], ["packs/1", 600_000]);
    }
  }));

Deno.test("nothing new costs one question, a push one trip, many gets one fetch", () =>
  withGitWorld(async (world) => {
    const a = await world.open("a", { create: true });
    const large = Array.from(
      { length: 5 },
      (_, i) => [`packs/${i}`, patterned(400_000 + i)] as const,
    );
    await a.putAll(itemsOf(...large, ["log/1", one]));
    await listNames(a);
    const before = a.traffic();
    await listNames(a, "log/");
    const { requests } = a.traffic();
    assert.deepEqual(requests, { ...before.requests, list: before.requests.list + 1 });
    await a.putAll(itemsOf(["log/2", two]));
    assert.equal(a.traffic().requests.put, before.requests.put + 1);
    assert.equal(a.traffic().sentBytes - before.sentBytes, two.length);
    // What was put here is known here.
    await listNames(a, "log/");
    await Promise.all(large.map(([name]) => a.get(objectName(name))));
    assert.equal(a.traffic().requests.get, 0);

    const b = await world.open("b");
    await listNames(b, "log/");
    assert.deepEqual(b.traffic().requests, { get: 1, put: 0, list: 1, delete: 0 });
    assert.deepEqual(await b.get(objectName("log/2")), two);
    assert.equal(b.traffic().requests.get, 1, "small objects come with the list");
    const bodies = await Promise.all(large.map(([name]) => b.get(objectName(name))));
    assert.deepEqual(bodies.map((body) => body?.length), large.map(([, body]) => body.length));
    assert.deepEqual(b.traffic().requests, { get: 2, put: 0, list: 1, delete: 0 });
    assert.equal(
      b.traffic().receivedBytes,
      two.length + large.reduce((n, [, b]) => n + b.length, 0),
    );
    // The next run of the program finds all of it in its copy.
    const again = await world.open("b");
    await listNames(again, "log/");
    await again.get(objectName("packs/3"));
    assert.deepEqual(again.traffic().requests, { get: 0, put: 0, list: 1, delete: 0 });
  }));

Deno.test("of two machines that claim one name at once, one is told that it differs", () =>
  withGitWorld(async (world) => {
    await world.open("admin", { create: true });
    const stores = await Promise.all(["a", "b", "c"].map((machine) => world.open(machine)));
    // Each has seen that the name is free.
    for (const store of stores) assert.equal(await store.get(nameA), null);
    const outcomes = await Promise.all(
      stores.map((store, index): Promise<PutOutcome> => store.put(nameA, patterned(10 + index))),
    );
    assert.deepEqual([...outcomes].sort(), ["created", "differs", "differs"]);
    const winner = patterned(10 + outcomes.indexOf("created"));
    for (const store of stores) assert.deepEqual(await store.get(nameA), winner);
    assert.deepEqual(branches(world), ["claude-sync/shared"]);
  }));

Deno.test("eight machines push side by side: no push is rejected, nothing is lost", () =>
  withGitWorld(async (world) => {
    await world.open("admin", { create: true });
    const rounds = 5;
    const machines = Array.from({ length: 8 }, (_, index) => `m${index}`);
    const stores = await Promise.all(machines.map(async (machine) => {
      const store = await world.open(machine);
      for (let round = 0; round < rounds; round++) {
        await listNames(store, "log/");
        await store.putAll(
          itemsOf([`log/${machine}/${round}`, one], [`p/${machine}/${round}`, two]),
        );
      }
      // A rejected push would have been tried again.
      assert.equal(store.traffic().requests.put, rounds);
      return store;
    }));
    for (const store of stores) assert.equal((await listNames(store)).length, 2 * 8 * rounds);
    assert.equal(branches(world).length, 8);
  }));

Deno.test("a machine whose cache is lost or restored goes on, and never rewrites a branch", () =>
  withGitWorld(async (world) => {
    let a = await world.open("a", { create: true });
    await a.putAll(itemsOf(["log/1", one]));
    const old = join(world.folder, "backup");
    fs.cpSync(world.cacheOf("a"), old, { recursive: true });
    await a.putAll(itemsOf(["log/2", one]));

    // An old cache from a backup: the same branch, forwards.
    fs.rmSync(world.cacheOf("a"), { recursive: true });
    fs.cpSync(old, world.cacheOf("a"), { recursive: true });
    a = await world.open("a");
    await a.putAll(itemsOf(["log/3", one]));
    assert.equal(branches(world).length, 1);

    // No cache at all: a branch of its own, the old one stays.
    fs.rmSync(world.cacheOf("a"), { recursive: true });
    a = await world.open("a");
    await a.putAll(itemsOf(["log/4", one]));
    assert.equal(branches(world).length, 2);
    assert.deepEqual(await listNames(a), ["log/1", "log/2", "log/3", "log/4"]);
  }));

Deno.test("two clones of one machine part when they meet", () =>
  withGitWorld(async (world) => {
    const a = await world.open("a", { create: true });
    await a.putAll(itemsOf(["log/1", one]));
    fs.cpSync(world.cacheOf("a"), world.cacheOf("clone"), { recursive: true });
    const clone = await world.open("clone");
    await listNames(clone);
    await a.putAll(itemsOf(["log/2", one]));
    // The clone does not know of it yet.
    await clone.putAll(itemsOf(["log/3", two]));
    await a.putAll(itemsOf(["log/4", one]));
    await clone.putAll(itemsOf(["log/5", two]));
    assert.equal(branches(world).length, 2);
    for (const store of [a, clone]) {
      assert.deepEqual(await listNames(store), ["log/1", "log/2", "log/3", "log/4", "log/5"]);
    }
  }));

Deno.test("whatever happens to the copy between two calls, the store goes on", () =>
  withGitWorld(async (world) => {
    const a = await world.open("a", { create: true });
    await a.putAll(itemsOf(["packs/1", patterned(500_000)], ["log/0", one]));
    const damages: Record<string, (copy: string) => void> = {
      "all is gone": () => fs.rmSync(world.cacheOf("a"), { recursive: true }),
      "the repository is gone": (copy) => fs.rmSync(copy, { recursive: true }),
      "packs are gone": (copy) => {
        for (const name of fs.readdirSync(join(copy, "objects/pack"))) {
          fs.rmSync(join(copy, "objects/pack", name));
        }
      },
      "packs are cut": (copy) => {
        for (const name of fs.readdirSync(join(copy, "objects/pack"))) {
          fs.chmodSync(join(copy, "objects/pack", name), 0o600);
          fs.truncateSync(join(copy, "objects/pack", name), 40);
        }
      },
      "the settings are nonsense": (copy) => fs.writeFileSync(join(copy, "config"), "[[["),
      "a tip is nonsense": (copy) => {
        const folder = join(copy, "refs/remotes/vault");
        for (const name of fs.existsSync(folder) ? fs.readdirSync(folder) : []) {
          fs.writeFileSync(join(folder, name), "0123\n");
        }
      },
      "the state is nonsense": (copy) => fs.writeFileSync(join(copy, "../state.json"), "{"),
      "a process was killed": (copy) => {
        fs.writeFileSync(join(copy, "objects/pack/tmp_pack_x"), "x");
        fs.writeFileSync(join(copy, "shallow.lock"), "");
      },
    };
    let count = 0;
    for (const [what, damage] of Object.entries(damages)) {
      for (const isSameRun of [true, false]) {
        const store = isSameRun ? a : await world.open("a");
        await store.putAll(itemsOf([`log/${++count}`, one]));
        damage(copyOf(world, "a"));
        const b = await world.open("b");
        await b.putAll(itemsOf([`log/${++count}`, two]));
        const names = await listNames(isSameRun ? a : await world.open("a"), "log/");
        assert.equal(names.length, count + 1, `${what}, ${isSameRun}`);
        await a.putAll(itemsOf([`log/${++count}`, one]));
        assert.deepEqual(await a.get(objectName(`log/${count - 1}`)), two, what);
        assert.equal((await a.get(objectName("packs/1")))?.length, 500_000, what);
      }
    }
  }));

Deno.test("delete hides another machine's object too, for everybody, until it is put again", () =>
  withGitWorld(async (world) => {
    const a = await world.open("a", { create: true });
    const b = await world.open("b");
    await a.putAll(itemsOf(["x/1", one], ["x/2", one]));
    await b.delete(objectName("x/1"));
    for (const store of [a, b, await world.open("c")]) {
      assert.deepEqual(await listNames(store), ["x/2"]);
      assert.equal(await store.get(objectName("x/1")), null);
    }
    await a.putAll(itemsOf(["x/1", two]));
    for (const store of [a, b]) {
      assert.deepEqual(await listNames(store), ["x/1", "x/2"]);
      assert.deepEqual(await store.get(objectName("x/1")), two);
    }
    await b.put(nameA, one);
    await a.delete(nameA);
    await listNames(b);
    assert.equal(await b.get(nameA), null);
  }));

Deno.test("deletes that are asked for side by side are one commit for each branch", () =>
  withGitWorld(async (world) => {
    const a = await world.open("a", { create: true });
    const b = await world.open("b");
    const names = Array.from({ length: 50 }, (_, n) => objectName(`x/${n}`));
    await a.putAll(itemsOf(...names.map((name) => [name, one] as [string, typeof one])));
    await b.putAll(itemsOf(["y/1", one], ["y/2", one]));
    await listNames(a);
    const before = a.traffic().requests.delete;
    const doomed = [...names.slice(1), objectName("y/1"), names[1]!, objectName("z/none")];
    await Promise.all(doomed.map((name) => a.delete(name)));
    assert.equal(a.traffic().requests.delete - before, 1, "a hidden name stands on the own branch");
    for (const store of [a, b]) assert.deepEqual(await listNames(store), ["x/0", "y/2"]);
  }));

Deno.test("any series of calls on two machines is what a map would say", () =>
  withGitWorld(async (world) => {
    const stores = [await world.open("a", { create: true }), await world.open("b")];
    const names = ["p/1", "p/2", "log/a/1", "log/b/1"].map(objectName);
    const call = fc.record({
      store: fc.nat(1),
      name: fc.constantFrom(...names),
      kind: fc.constantFrom("put", "putAll", "delete", "get", "list"),
      size: fc.constantFrom(0, 5, 7),
    });
    const seen = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(fc.array(call, { maxLength: 8 }), async (calls) => {
        for (const { store: index, name, kind, size } of calls) {
          const store = stores[index]!;
          const before = seen.get(name);
          // Both look first, as every run of the program does.
          await listNames(store);
          if (kind === "put") {
            const outcome = await store.put(name, patterned(size));
            const same = before === size ? "exists" : "differs";
            assert.equal(outcome, before === undefined ? "created" : same);
            if (outcome === "created") seen.set(name, size);
          } else if (kind === "putAll") {
            const differing = await store.putAll(itemsOf([name, patterned(size)]));
            assert.equal(differing, before === undefined || before === size ? null : name);
            if (differing === null) seen.set(name, size);
          } else if (kind === "delete") {
            await store.delete(name);
            seen.delete(name);
          } else if (kind === "get") {
            assert.equal((await store.get(name))?.length, before);
          }
          assert.deepEqual(await listNames(store), [...seen.keys()].sort());
        }
      }),
      { numRuns: 12 },
    );
  }));
