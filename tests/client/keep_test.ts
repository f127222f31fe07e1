import assert from "node:assert/strict";
import { rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import { until } from "./until.ts";
import { clientTest } from "./world.ts";

/** Older than the 30 days after which the client deletes sessions. */
const OLD_SECONDS = 40 * 24 * 60 * 60;

clientTest("what the client's clean-up deletes stays in the vault", {}, async (world) => {
  const { a, b } = world;
  await a.claude("a memory from long ago");
  const { sessionId, path, text } = await a.onlySession();
  await a.allPushed();
  const longAgo = Date.now() / 1000 - OLD_SECONDS;
  await utimes(path, longAgo, longAgo);
  const cleaner = a.startClaude("something else [[hold]]");
  await until("the client has deleted its old session", async () => {
    return !(await a.transcripts()).some((transcript) => transcript.sessionId === sessionId);
  });
  cleaner.kill("SIGTERM");
  await cleaner.outcome;
  await a.allPushed();

  await a.sync("sync");
  const back = (await a.transcripts()).some((transcript) => transcript.sessionId === sessionId);
  assert.ok(!back, "a plain pull brought back what the client would delete again");
  await b.sync("pull");
  assert.equal((await b.transcript(sessionId)).text, text);
  const terminal = await a.openTerminal("claude-sync", "resume", sessionId);
  await terminal.shows(/Heard: a memory from long ago/);
  await terminal.type("/exit");
  await terminal.ended();
});

clientTest(
  "a machine that lost its projects folder gets it back by a pull of all",
  {},
  async (world) => {
    const { a } = world;
    await a.claude("soon lost");
    const { sessionId, text } = await a.onlySession();
    await a.allPushed();
    await rm(join(a.configDir, "projects"), { recursive: true });
    await a.sync("sync");
    await a.sync("pull", "--all");
    assert.equal((await a.transcript(sessionId)).text, text);
    await a.claude("-c", "found again");
    assert.equal(a.shownBefore("found again")[0]?.text, "soon lost");
  },
);
