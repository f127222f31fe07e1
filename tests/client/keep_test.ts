import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { cleanUp, makeOld } from "./conversation.ts";
import { clientTest } from "./world.ts";

clientTest("what the client's clean-up deletes stays in the vault", {}, async (world) => {
  const { a, b } = world;
  await a.claude("a memory from long ago");
  const { sessionId, text } = await a.onlySession();
  const isHere = async () => (await a.transcripts()).some((one) => one.sessionId === sessionId);
  await a.allPushed();
  await makeOld(a, sessionId);
  await cleanUp(a, "something else");
  assert.ok(!await isHere(), "the client has deleted its old session");
  await a.allPushed();

  await a.sync("sync");
  assert.ok(!await isHere(), "a plain pull brought back what the client would delete again");
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
