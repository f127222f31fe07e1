import * as nodeFs from "node:fs";
import * as os from "node:os";
import { join } from "node:path";
import { nodePlatform } from "../../../src/platform/node.ts";
import type { FileSystem } from "../../../src/platform/types.ts";
import { openFolderStore } from "../../../src/storage/folder/store.ts";
import { storeCases } from "../../conformance/store_cases.ts";
import { noteTested } from "../../servers/stores.ts";
import { MemoryFs } from "../../support/memory_fs.ts";

const { random, clock, fs: realFs } = nodePlatform();
const open = (root: string, fs: FileSystem) =>
  openFolderStore(root, { fs, random, clock, create: true });

for (const { name, run } of storeCases()) {
  Deno.test(`openFolderStore on the real disk: ${name}`, async () => {
    const root = nodeFs.mkdtempSync(join(os.tmpdir(), "claude-sync-test-"));
    try {
      await run(open(root, realFs));
      await noteTested("folder");
    } finally {
      nodeFs.rmSync(root, { recursive: true });
    }
  });
}

for (const { name, run } of storeCases({ skipLargest: true })) {
  Deno.test(`openFolderStore without hard links: ${name}`, async () => {
    await run(open("/vault", new MemoryFs({ hardLinks: false })));
  });
}
