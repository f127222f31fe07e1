/** The copy of the repository may be deleted at any time, also while a store works with it. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import type { Platform } from "../../../src/platform/types.ts";
import { utf8 } from "../../../src/base/bytes.ts";
import { objectName } from "../../../src/storage/object_name.ts";
import { listNames } from "../../conformance/store_cases.ts";
import { itemsOf, one, patterned } from "../../conformance/objects.ts";
import { withGitWorld } from "./git_world.ts";

/** Deletes a folder before the nth command. */
function deletingAt(platform: Platform, nth: number, folder: string) {
  const counted = { commands: 0 };
  const remove = () => fs.rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  const run: Platform["processes"]["run"] = (argv, options = {}) => {
    if (counted.commands++ === nth) remove();
    return platform.processes.run(argv, options);
  };
  return { counted, platform: { ...platform, processes: { ...platform.processes, run } } };
}

Deno.test("a copy that is deleted before any command costs nothing but time", () =>
  withGitWorld(async (world) => {
    const big = patterned(400_000);
    const first = await world.open("a", { create: true });
    await first.putAll(itemsOf(["packs/0", big]));
    for (let nth = 0, commands = Infinity; nth < commands; nth++) {
      const name = `log/${nth}`;
      const { counted, platform } = deletingAt(world.platformOf("a"), nth, world.cacheOf("a"));
      const a = await world.open("a", { platform });
      await a.putAll(itemsOf([`packs/a${nth}`, big], [name, one]));
      assert.ok((await listNames(a)).includes(name), `deleted before command ${nth}`);
      assert.deepEqual(await a.get(objectName("packs/0")), big, `deleted before command ${nth}`);
      commands = counted.commands;
    }
  }));

/** What Git 2.39 says when the copy is deleted while it fetches: recorded. */
function lostInFetch(folder: string): string {
  const pack =
    `${folder}/r-f2zex6za02pq8rky/objects/pack/pack-4f5e80cceb196f5831f991a2ff67ee7b.pack`;
  return `error: unable to write file ${pack}: No such file or directory\n` +
    `fatal: unable to rename temporary '*.pack' file to '${pack}'\n` +
    "fatal: fetch-pack: invalid index-pack output\n";
}

Deno.test("a copy that is deleted during a fetch is not taken for a missing repository", () =>
  withGitWorld(async (world) => {
    const first = await world.open("a", { create: true });
    await first.putAll(itemsOf(["log/1", one]));
    const cache = world.cacheOf("b");
    const real = world.platformOf("b");
    let fetches = 0;
    const run: Platform["processes"]["run"] = async (argv, options = {}) => {
      const result = await real.processes.run(argv, options);
      if (!argv.includes("fetch") || fetches++ > 0) return result;
      fs.rmSync(cache, { recursive: true });
      const stderr = utf8(lostInFetch(cache));
      return { code: 128, signal: null, stdout: new Uint8Array(0), stderr };
    };
    const platform = { ...real, processes: { ...real.processes, run } };
    assert.deepEqual(await listNames(await world.open("b", { platform })), ["log/1"]);
    assert.equal(fetches, 2);
  }));
