import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { ClaudeSyncError } from "../../src/errors.ts";
import { SAY_AGAIN_MS } from "../../src/sync/run_log.ts";
import { syncService } from "../../src/sync/service.ts";
import { inTempDir, said, SyncMachine, TestClock } from "../support/sync_machine.ts";

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

Deno.test("a failure that stays is said once, again after a day, and anew once it was gone", () =>
  inTempDir(async (dir) => {
    const clock = new TestClock(T0);
    let failure: ClaudeSyncError | null = null;
    const a: SyncMachine = new SyncMachine({
      name: "anna",
      dir,
      clock,
      store: async (location, create) => {
        if (failure !== null) throw failure;
        return await a.openStore(location, create);
      },
    });
    await a.init();
    const path = `${a.home}/.claude-sync/notice.json`;
    const said = async () => {
      await syncService.hookWorker(a.context(), "push");
      if (!existsSync(path)) return null;
      const { message } = JSON.parse(readFileSync(path, "utf8"));
      rmSync(path);
      return message as string;
    };
    failure = new ClaudeSyncError("store-unreachable", "Cannot reach s3.example", { hint: "x" });
    assert.equal(
      await said(),
      "claude-sync is offline: Cannot reach s3.example. " +
        "What is new waits here and goes out by itself",
    );
    assert.equal(await said(), null);
    failure = new ClaudeSyncError("store-refused", "The login has expired", {
      hint: "Log in again: aws sso login --profile work",
    });
    assert.match(await said() ?? "", /expired\. Log in again: aws sso login --profile work\. What/);
    clock.advance(SAY_AGAIN_MS - 1);
    assert.equal(await said(), null);
    clock.advance(1);
    assert.match(await said() ?? "", /expired/);
    const again = failure;
    failure = null;
    assert.equal(await said(), null);
    failure = again;
    assert.match(await said() ?? "", /expired/);
    assert.equal((await syncService.status(a.context())).lastPush?.code, "store-refused");
  }));
