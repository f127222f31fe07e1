/** A lock that a Git which was killed has left in the repository: nobody else may take it away. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { objectName } from "../../../src/storage/object_name.ts";
import { one, two } from "../../conformance/objects.ts";
import { withGitWorld } from "./git_world.ts";

Deno.test("a lock that was left in the repository is named, and no race is spoken of", () =>
  withGitWorld(async (world) => {
    const store = await world.open("a", { create: true });
    assert.equal(await store.put(objectName("claude-sync.json"), one), "created");
    const lock = join(world.repository, "refs", "heads", "claude-sync", "shared.lock");
    fs.writeFileSync(lock, "");
    await assert.rejects(
      store.put(objectName("keys/1"), two),
      (error: Error & { path: string }) => {
        assert.match(error.message, /lock/);
        assert.doesNotMatch(error.message, /faster/);
        assert.equal(fs.realpathSync(error.path), fs.realpathSync(lock));
        return true;
      },
    );
    assert.ok(fs.existsSync(lock), "somebody may be at work: it is not ours to remove");
    fs.rmSync(lock);
    assert.equal(await store.put(objectName("keys/1"), two), "created");
  }));
