import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { ClaudeSyncError } from "../../src/errors.ts";
import { syncService } from "../../src/sync/service.ts";
import { inTempDir, said, SyncMachine } from "../support/sync_machine.ts";

const ID = "11111111-1111-4111-8111-111111111111";
const T0 = Date.now() - 86_400_000;

Deno.test("a hook's sync that cannot receive a session leaves a notice until it can", () =>
  inTempDir(async (dir) => {
    const a = new SyncMachine({ name: "anna", dir });
    let isBroken = true;
    const b = new SyncMachine({
      name: "bert",
      dir,
      fs: (fs) => ({
        ...fs,
        createFile: (path) => {
          if (!isBroken || !path.includes("projects")) return fs.createFile(path);
          throw new ClaudeSyncError("local-io", "The disk does not answer", { path });
        },
      }),
    });
    await a.init();
    await b.join(a);
    a.writeTranscript(ID, said("user", "hello", { session: ID, cwd: a.project, atMs: T0 }));
    await a.push();
    const notice = `${b.home}/.claude-sync/notice.json`;
    await syncService.hookWorker(b.context(), "sync");
    assert.match(readFileSync(notice, "utf8"), /1 session not received/);
    isBroken = false;
    await syncService.hookWorker(b.context(), "sync");
    assert.equal(existsSync(notice), false);
    assert.equal(b.readTranscript(ID), a.readTranscript(ID));
  }));
