/** The vault's header, the one object that nothing authenticates. */
import assert from "node:assert/strict";
import { cpSync, existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { codeOf } from "../support/outcome.ts";
import { SyncMachine } from "../support/sync_machine.ts";
import { attack, changed, HEADER, withWorld } from "./tamper_world.ts";

Deno.test("verify reports a header that is gone, broken, newer or another vault's", () =>
  withWorld(async (world) => {
    const text = new TextDecoder().decode(world.whole.get(HEADER)!);
    const header = JSON.parse(text);
    const json = (value: unknown) => JSON.stringify(value) + "\n";
    const otherId = "00112233445566778899aabbccddeeff";
    const changes: [string, string | null][] = [
      ["gone", null],
      ["empty", ""],
      ["garbage", "not a header\n"],
      ["half", text.slice(0, 40)],
      ["more behind it", text + "x"],
      ["zeroes", "\0".repeat(text.length)],
      ["too long", text + " ".repeat(4096)],
      ["another vault", json({ ...header, vaultId: otherId })],
      ["another key", json({ ...header, kid: otherId })],
      ["newer format", json({ ...header, format: 2 })],
      ["older format", json({ ...header, format: 0 })],
    ];
    for (const [what, changedText] of changes) {
      const bytes = changedText === null ? null : new TextEncoder().encode(changedText);
      // The header is only for whoever joins. A machine that knows the vault believes the logs.
      await attack(world, `header: ${what}`, changed(world.whole, HEADER, bytes), {
        names: HEADER,
        byListing: true,
        veteran: false,
        newcomer: false,
      });
      const emil = new SyncMachine({
        name: "emil",
        dir: world.dir,
        store: () => world.store.open(),
      });
      const home = join(emil.home, ".claude-sync");
      cpSync(join(world.anna.home, ".claude-sync", "key"), join(home, "key"), { recursive: true });
      const code = await codeOf(emil.init());
      assert.ok(code !== null && code !== "bug", `header: ${what}: join`);
      assert.equal(existsSync(join(home, "config.json")), false, `header: ${what}`);
      assert.deepEqual(world.store.puts, [], `header: ${what}`);
      rmSync(emil.home, { recursive: true });
    }
  }));
