import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { objectName } from "../../../src/storage/object_name.ts";
import { GROWTH_BYTES_MAX, PACKS_MAX } from "../../../src/storage/git/compaction.ts";
import { listNames } from "../../conformance/store_cases.ts";
import { itemsOf, one } from "../../conformance/objects.ts";
import { type GitWorld, withGitWorld } from "./git_world.ts";

function packFolder(world: GitWorld, machine: string): string {
  const [cache] = fs.readdirSync(world.cacheOf(machine));
  const folder = join(world.cacheOf(machine), cache!);
  const repository = fs.readdirSync(folder).find((name) => name.startsWith("r-"))!;
  return join(folder, repository, "objects/pack");
}

function packs(world: GitWorld, machine: string): { count: number; sizeBytes: number } {
  const folder = packFolder(world, machine);
  const files = fs.readdirSync(folder);
  const sizes = files.map((name) => fs.statSync(join(folder, name)).size);
  const count = files.filter((name) => name.endsWith(".pack")).length;
  return { count, sizeBytes: sizes.reduce((sum, size) => sum + size, 0) };
}

/** Bytes that no compression makes smaller. */
function noise(sizeBytes: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(sizeBytes);
  for (let at = 0; at < sizeBytes; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, Math.min(sizeBytes, at + 65_536)));
  }
  return bytes;
}

Deno.test("many small pushes leave few packs, and nothing is fetched again", () =>
  withGitWorld(async (world) => {
    const a = await world.open("a", { create: true });
    const b = await world.open("b");
    await a.putAll(itemsOf(["log/1000", noise(50)]));
    await b.putAll(itemsOf(["log/b/0", one]));
    // What another process is writing, and what one left that was killed.
    const [young, old] = ["tmp_pack_young", "tmp_pack_old"]
      .map((name) => join(packFolder(world, "a"), name)) as [string, string];
    for (const path of [young, old]) fs.writeFileSync(path, "x");
    const twoHoursAgo = Date.now() / 1000 - 7200;
    fs.utimesSync(old, twoHoursAgo, twoHoursAgo);
    for (let push = 1; push < PACKS_MAX + 5; push++) {
      await a.putAll(itemsOf([`log/${1000 + push}`, noise(50)]));
      if (push % 10 === 0) await b.putAll(itemsOf([`log/b/${push}`, one]));
      if (push % 5 === 0) await listNames(a);
      assert.ok(packs(world, "a").count <= PACKS_MAX + 1);
    }
    assert.deepEqual([young, old].map((path) => fs.existsSync(path)), [true, false]);
    const gets = a.traffic().requests.get;
    const names = await listNames(a);
    await Promise.all(names.map((name) => a.get(objectName(name))));
    assert.equal(a.traffic().requests.get, gets, "small objects are kept");
    assert.equal(names.length, PACKS_MAX + 5 + 6);
    // Both go on from there, in this run and in the next one.
    for (const store of [a, await world.open("a")]) {
      await store.putAll(itemsOf([`log/${names.length}`, one]));
      await b.putAll(itemsOf([`log/b/${names.length}`, one]));
      await listNames(store);
      names.push("");
    }
    assert.equal((await listNames(await world.open("c"))).length, PACKS_MAX + 5 + 6 + 4);
  }));

Deno.test("what was pushed does not stay on the disk twice, and comes back when asked for", () =>
  withGitWorld(async (world) => {
    const a = await world.open("a", { create: true });
    const body = noise(8 * 1024 * 1024);
    const perPush = 4;
    const pushes = Math.ceil(GROWTH_BYTES_MAX / body.length / perPush) + 1;
    for (let push = 0; push < pushes; push++) {
      const items = Array.from({ length: perPush }, (_, i) => {
        const own = body.slice();
        own[0] = push;
        own[1] = i;
        return [`packs/${push}/${i}`, own] as const;
      });
      await a.putAll(itemsOf(...items));
    }
    assert.ok(packs(world, "a").sizeBytes < GROWTH_BYTES_MAX);
    const again = await a.get(objectName("packs/0/3"));
    assert.deepEqual([again?.length, again?.[0], again?.[1]], [body.length, 0, 3]);
    await a.putAll(itemsOf(["log/1", one]));
    assert.equal((await listNames(a)).length, pushes * perPush + 1);
  }));
