/** `restore` takes a wish to forget back. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { ClaudeSyncError } from "../../src/errors.ts";
import { namedAmong } from "../../src/sync/restore_recall.ts";
import { forget, listed, speak } from "../support/forget_world.ts";
import { restore } from "../support/restore_world.ts";
import { inTempDir, type SyncMachine } from "../support/sync_machine.ts";
import { newWorld } from "../support/sync_world.ts";

const FIRST = "11111111-1111-4111-8111-111111111111";
const OTHER = "22222222-2222-4222-8222-222222222222";

Deno.test("restore brings a forgotten session back, for every machine", () =>
  inTempDir(async (dir) => {
    const world = await newWorld(dir, { names: ["anna", "bert"] });
    const [anna, bert] = world.machines as unknown as [SyncMachine, SyncMachine];
    speak(anna, FIRST, "one");
    speak(anna, OTHER, "another");
    await anna.push();
    await bert.pull();
    const text = anna.readTranscript(FIRST);
    await forget(anna, [FIRST]);
    rmSync(anna.transcriptPath(FIRST));
    await bert.sync();
    assert.equal((await listed(bert))[FIRST], "here, forgotten");
    for (const request of [{ dryRun: true }, { to: `${dir}/out` }]) {
      await assert.rejects(
        restore(anna, { queries: ["11111111"], ...request }),
        (error) => error instanceof ClaudeSyncError && error.code === "not-found",
      );
    }
    const result = await restore(anna, { queries: ["11111111"] });
    assert.deepEqual(result.recalled, [FIRST]);
    assert.equal(result.restored, 1);
    assert.equal(anna.readTranscript(FIRST), text);
    rmSync(bert.transcriptPath(FIRST));
    await bert.pull({ sessions: [FIRST] });
    assert.equal(bert.readTranscript(FIRST), text);
    const again = await restore(bert, { queries: [FIRST] });
    assert.deepEqual([again.recalled, again.restored], [[], 0]);
    assert.deepEqual((await anna.verify()).problems, []);
  }));

Deno.test("what may mean another session takes no forget back", () =>
  inTempDir(async (dir) => {
    const world = await newWorld(dir, { names: ["anna"] });
    const [anna] = world.machines as unknown as [SyncMachine];
    const third = "11112222-1111-4111-8111-111111111111";
    const texts = [[FIRST, "fix the login"], [OTHER, "fix the cache"], [
      third,
      "fix the login page",
    ]];
    for (const [id, text] of texts) speak(anna, id!, text!);
    await anna.push();
    await forget(anna, [FIRST, OTHER]);
    const cases = [
      { queries: ["1111"] },
      { queries: ["fix", "the"] },
      { queries: ["login"] },
      { queries: ["22222222", "nothing"] },
      { queries: ["login"], dryRun: true },
    ];
    for (const request of cases) {
      await assert.rejects(
        restore(anna, request),
        (error) =>
          error instanceof ClaudeSyncError && ["ambiguous", "not-found"].includes(error.code),
        request.queries.join(" "),
      );
      const { [FIRST]: first, [OTHER]: other } = await listed(anna);
      assert.deepEqual([first, other], ["here, forgotten", "here, forgotten"]);
    }
    const named = await restore(anna, { queries: ["login", "page"], dryRun: true });
    assert.deepEqual(named.sessions.map(({ id }) => id), [third]);
    const words = await restore(anna, { queries: ["cache"] });
    assert.deepEqual(words.recalled, [OTHER]);
    const both = await restore(anna, { queries: ["11111111", "11112222"] });
    assert.deepEqual([both.recalled, both.sessions.length], [[FIRST], 2]);
  }));

Deno.test("namedAmong takes ids before words, and all of the words", () => {
  const session = (id: string, title: string | null) => ({
    ...{ id, title, project: null, sizeBytes: 1, forgottenMs: 1, by: "desk" },
    ...{ daysLeft: 30, isHere: true },
  });
  const sessions = [
    session(FIRST, "Fix the cache"),
    session(OTHER, "Fix 1111"),
    session("x", null),
  ];
  const named = (...queries: string[]) => namedAmong(sessions, queries).map(({ id }) => id);
  assert.deepEqual(named("1111"), [FIRST]);
  assert.deepEqual(named("fix"), [FIRST, OTHER]);
  assert.deepEqual(named("the", "CACHE"), [FIRST]);
  assert.deepEqual(named("the cache", "dog"), []);
  assert.deepEqual(named("111"), [OTHER], "too short for an id");
});
