/** The folder store against real processes and real permissions. */
import assert from "node:assert/strict";
import * as nodeFs from "node:fs";
import * as os from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { fromUtf8, utf8 } from "../../../src/base/bytes.ts";
import { isClaudeSyncError } from "../../../src/errors.ts";
import { nodePlatform } from "../../../src/platform/node.ts";
import { openFolderStore } from "../../../src/storage/folder/store.ts";
import { objectName } from "../../../src/storage/object_name.ts";
import { listNames } from "../../conformance/store_cases.ts";

const platform = nodePlatform();
const WRITERS = ["first", "second", "third"];
const NAMES_COUNT = 150;

async function withFolder(run: (dir: string) => Promise<void>): Promise<void> {
  const dir = nodeFs.mkdtempSync(join(os.tmpdir(), "claude-sync-test-"));
  try {
    await run(dir);
  } finally {
    nodeFs.rmSync(dir, { recursive: true });
  }
}

Deno.test("of processes racing for the same names each name has one winner, told so", async () => {
  await withFolder(async (dir) => {
    const root = join(dir, "vault");
    const script = fileURLToPath(new URL("race_writer.ts", import.meta.url));
    const runtime = process.versions["bun"] === undefined
      ? [process.execPath, "run", "-A", "--no-check", script]
      : [process.execPath, "run", script];
    const results = await Promise.all(WRITERS.map(async (writer) => {
      const argv = [...runtime, root, writer, String(NAMES_COUNT)];
      const { code, stdout, stderr } = await platform.processes.run(argv);
      assert.equal(code, 0, fromUtf8(stderr));
      const outcomes: unknown = JSON.parse(fromUtf8(stdout));
      assert.ok(Array.isArray(outcomes));
      return outcomes;
    }));
    const store = openFolderStore(root, platform);
    for (let i = 0; i < NAMES_COUNT; i++) {
      const winners = WRITERS.filter((_, index) => results[index]?.[i] === "created");
      assert.equal(winners.length, 1, `name ${i}`);
      const stored = await store.get(objectName(`race/${i >> 3}/${i}`));
      assert.deepEqual(stored, utf8(`${winners[0]} wrote ${i}`));
    }
    assert.equal((await listNames(store)).length, NAMES_COUNT);
    const left = nodeFs.readdirSync(root, { recursive: true }).map(String);
    assert.deepEqual(left.filter((name) => name.endsWith(".tmp")), []);
  });
});

const powerless = process.platform === "win32"
  ? " (skipped: Windows has other permissions)"
  : process.getuid?.() === 0
  ? " (skipped: root may write everywhere)"
  : "";

Deno.test({
  name: `a read-only folder can be read, and refuses to be written${powerless}`,
  ignore: powerless !== "",
  async fn() {
    await withFolder(async (dir) => {
      const store = openFolderStore(dir, { ...platform, create: true });
      await store.put(objectName("a"), utf8("x"));
      nodeFs.chmodSync(dir, 0o500);
      try {
        assert.deepEqual(await store.get(objectName("a")), utf8("x"));
        assert.deepEqual(await listNames(store), ["a"]);
        const refused = (error: unknown) => isClaudeSyncError(error, "store-refused");
        await assert.rejects(store.put(objectName("b"), utf8("x")), refused);
        await assert.rejects(store.put(objectName("c/d"), utf8("x")), refused);
        await assert.rejects(store.delete(objectName("a")), refused);
      } finally {
        nodeFs.chmodSync(dir, 0o700);
      }
    });
  },
});
