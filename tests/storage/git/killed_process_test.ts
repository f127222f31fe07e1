/** A machine that is switched off in the middle of a push, and connections that are cut. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { objectName } from "../../../src/storage/object_name.ts";
import type { Platform } from "../../../src/platform/types.ts";
import { listNames } from "../../conformance/store_cases.ts";
import { itemsOf, one, patterned } from "../../conformance/objects.ts";
import { withGitWorld } from "./git_world.ts";

const PUSHER = fileURLToPath(new URL("./pusher.ts", import.meta.url));

function startPusher(folder: string, first: number): ChildProcess {
  const args = ["run", "-A", "--no-check", PUSHER, folder, String(first)];
  return spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"], detached: true });
}

Deno.test({
  name: "kill -9 in the middle of pushes loses nothing that was said to be there",
  ignore: process.platform === "win32",
  fn: () =>
    withGitWorld(async (world) => {
      await world.open("admin", { create: true });
      const said: string[] = [];
      for (let round = 0; round < 6; round++) {
        const pusher = startPusher(world.folder, round * 1000);
        await new Promise<void>((resolve) => {
          let lines = 0;
          pusher.stdout!.on("data", (text) => {
            said.push(...String(text).trim().split("\n"));
            // Each time a little later in the push that follows.
            const pauseMs = round * 15;
            if (lines++ === 1) setTimeout(() => process.kill(-pusher.pid!, "SIGKILL"), pauseMs);
          });
          pusher.on("exit", () => resolve());
        });
      }
      assert.ok(said.length >= 12);
      // Both the machine itself and another one see whole objects, and the machine goes on.
      const again = await world.open("pusher");
      await again.putAll(itemsOf(["log/last", one]));
      for (const store of [again, await world.open("b")]) {
        const names = await listNames(store);
        for (const name of said) assert.ok(names.includes(name), name);
        assert.ok(names.includes("log/last"));
        for (const name of names.filter((name) => name.startsWith("packs/"))) {
          assert.equal((await store.get(objectName(name)))?.length, 500_000, name);
        }
      }
      world.git("fsck", "--strict");
    }),
});

/** Lets a command of Git run, and then behaves as if the connection had been lost. */
function losing(
  platform: Platform,
  isLost: (argv: readonly string[]) => "before" | "after" | null,
) {
  const run: Platform["processes"]["run"] = async (argv, options = {}) => {
    const when = isLost(argv);
    const cut = new TextEncoder().encode("fatal: the remote end hung up unexpectedly\n");
    const lost = { code: 128, signal: null, stdout: new Uint8Array(0), stderr: cut };
    if (when === "before") return lost;
    const result = await platform.processes.run(argv, options);
    return when === null ? result : lost;
  };
  return { processes: { ...platform.processes, run } };
}

Deno.test("a push whose answer is lost is found out about, and not repeated", () =>
  withGitWorld(async (world) => {
    let isOn = false;
    const platform = losing(
      world.platformOf("a"),
      (argv) => isOn && argv.includes("push") ? "after" : null,
    );
    const a = await world.open("a", { create: true, platform });
    isOn = true;
    assert.equal(await a.putAll(itemsOf(["log/1", one])), null);
    assert.equal(await a.put(objectName("claude-sync.json"), one), "created");
    isOn = false;
    assert.equal(await a.putAll(itemsOf(["log/1", one])), null);
    assert.deepEqual(await listNames(await world.open("b")), ["claude-sync.json", "log/1"]);
  }));

Deno.test("a push that never arrived is the same push when it is tried again", () =>
  withGitWorld(async (world) => {
    let isOn = false;
    const lost = (argv: readonly string[]) =>
      isOn && argv.includes("push") ? "before" as const : null;
    const a = await world.open("a", {
      create: true,
      platform: losing(world.platformOf("a"), lost),
    });
    isOn = true;
    const items = itemsOf(["packs/1", patterned(500_000)], ["log/1", one]);
    await assert.rejects(a.putAll(items), { code: "store-unreachable" });
    assert.deepEqual(await listNames(a), []);
    isOn = false;
    assert.equal(await a.putAll(items), null);
    assert.deepEqual(await listNames(await world.open("b")), ["log/1", "packs/1"]);
  }));

Deno.test("an abort ends Git, and the store goes on afterwards", () =>
  withGitWorld(async (world) => {
    const a = await world.open("a", { create: true });
    const reason = new RangeError("enough");
    const controller = new AbortController();
    const slow = {
      name: objectName("packs/1"),
      async read() {
        controller.abort(reason);
        await Promise.resolve();
        return patterned(3_000_000);
      },
    };
    await assert.rejects(
      a.putAll([slow, ...itemsOf(["log/1", one])], { signal: controller.signal }),
      (error) => error === reason,
    );
    assert.deepEqual(await listNames(a), []);
    await a.putAll(itemsOf(["log/2", one]));
    assert.deepEqual(await listNames(a), ["log/2"]);
    const rest = fs.readdirSync(world.cacheOf("a"), { recursive: true, encoding: "utf8" });
    assert.deepEqual(rest.filter((name) => name.endsWith(".lock")).map((name) => join(name)), []);
  }));
