import assert from "node:assert/strict";
import type { ReadHandle } from "../../src/platform/types.ts";
import { discoverSessions } from "../../src/sessions/discover.ts";
import { foldersKnownHere } from "../../src/sync/known_folders.ts";
import { LocalFiles } from "../../src/sync/local_files.ts";
import { openStateDb } from "../../src/sync/state_db.ts";
import { fakeHost, idOf, put } from "../sessions/disk.ts";
import { systemError } from "../support/faulty_fs.ts";
import { MemoryFs } from "../support/memory_fs.ts";

const ROOT = { os: "linux", configDir: "/h/.claude", claudeJsonPath: "/h/.claude.json" } as const;
const SLUG = "/h/.claude/projects/-home-bob-app";
const PATH = `${SLUG}/${idOf(1)}.jsonl`;

const record = (cwd: string) => `${JSON.stringify({ type: "user", cwd, version: "2.1.330" })}\n`;

class WatchedFs extends MemoryFs {
  opened = 0;
  isLocked = false;

  override openRead(path: string): ReadHandle | null {
    this.opened++;
    if (this.isLocked) throw systemError("EACCES", "open", path);
    return super.openRead(path);
  }
}

function world() {
  const disk = new WatchedFs();
  for (const dir of ["/home/bob/app", "/home/bob/one", "/home/bob/two"]) disk.makeDir(dir);
  const database = openStateDb(disk, ":memory:", "writer");
  const locals = new LocalFiles(database);
  const context = { platform: { fs: disk, host: fakeHost() } };
  return {
    disk,
    database,
    /** What is known, and how often a transcript was opened for it. */
    look(): [string[], number] {
      disk.opened = 0;
      const { sessions } = discoverSessions(disk, ROOT);
      const known = foldersKnownHere({ context, root: ROOT, locals }, sessions);
      return [known.map(({ dir }) => dir), disk.opened];
    },
  };
}

Deno.test("foldersKnownHere reads no transcript again that has stayed as it was", () => {
  const { disk, look } = world();
  put(disk, PATH, record("/home/bob/one") + record("/home/bob/two"), 5_000);
  assert.deepEqual(look(), [["/home/bob/one", "/home/bob/two"], 2]);
  assert.deepEqual(look(), [["/home/bob/one", "/home/bob/two"], 0]);
});

Deno.test("foldersKnownHere sees a transcript that grew, was rewritten or was replaced", () => {
  const { disk, look } = world();
  const [one, two] = [record("/home/bob/one"), record("/home/bob/two")];
  assert.equal(one.length, two.length);
  put(disk, PATH, one, 5_000);
  assert.deepEqual(look(), [["/home/bob/one"], 2]);
  put(disk, PATH, one + two, 5_000);
  assert.deepEqual(look()[0], ["/home/bob/one", "/home/bob/two"], "grown, at the same time");
  put(disk, PATH, two + one, 5_000);
  assert.deepEqual(look()[0], ["/home/bob/two", "/home/bob/one"], "another file of the same size");
  disk.setMtime(PATH, 6_000);
  assert.deepEqual(look(), [["/home/bob/two", "/home/bob/one"], 2], "another time");
});

Deno.test("foldersKnownHere asks the disk each time whether a folder is there", () => {
  const { disk, look } = world();
  put(disk, PATH, record("/home/bob/later") + record("/home/bob/one"), 5_000);
  assert.deepEqual(look(), [["/home/bob/one"], 2]);
  disk.makeDir("/home/bob/later");
  assert.deepEqual(look(), [["/home/bob/later", "/home/bob/one"], 0]);
});

Deno.test("foldersKnownHere does not remember what it could not read", () => {
  const { disk, look } = world();
  put(disk, PATH, record("/home/bob/one"), 5_000);
  disk.isLocked = true;
  assert.deepEqual(look()[0], []);
  disk.isLocked = false;
  assert.deepEqual(look()[0], ["/home/bob/one"]);
});

Deno.test("foldersKnownHere takes any text for a folder's name", () => {
  const { disk, look } = world();
  put(disk, PATH, record("/x\0/home/bob/one") + record("\ud800"), 5_000);
  assert.deepEqual(look()[0], []);
  assert.deepEqual(look(), [[], 0]);
});

Deno.test("foldersKnownHere reads a transcript again when what it remembered is damaged", () => {
  const { database, disk, look } = world();
  put(disk, PATH, record("/home/bob/one"), 5_000);
  for (const damaged of ["/home/bob/two", "[7]", "{}", ""]) {
    look();
    database.prepare("UPDATE working_folders SET folders = ?").run(damaged);
    assert.deepEqual(look(), [["/home/bob/one"], 2], damaged);
  }
});
