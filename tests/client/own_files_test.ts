import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { says } from "./transcript.ts";
import { clientTest, type World } from "./world.ts";

clientTest("what a tool left beside the transcript is on B too", {}, async (world) => {
  const bash = `[[tool Bash {"command":"seq 1 20000"}]]`;
  await world.a.claude("--allowedTools", "Bash", "--", `count far ${bash}`);
  const { sessionId, path } = await world.a.onlySession();
  const onB = await world.arrives(sessionId, world.a, world.b);
  const sidecar = (transcript: string) => join(dirname(transcript), sessionId, "tool-results");
  const names = await readdir(sidecar(path));
  assert.equal(names.length, 1, "the client has put the long output into a file");
  const [name = ""] = names;
  const wanted = await readFile(join(sidecar(path), name));
  assert.deepEqual(await readFile(join(sidecar(onB.path), name)), wanted);
  await world.b.claude("-c", "how far?");
  assert.ok(world.b.shownBefore("how far?")[0]?.text.startsWith("count far"));
});

clientTest("a session of a worktree on A resumes in the repository on B", {}, async (world) => {
  await commit(world);
  await world.a.claude("--worktree", "side", "said in a worktree");
  const { sessionId, path } = await world.a.onlySession();
  assert.match(path, /--claude-worktrees-side/);
  await world.arrives(sessionId, world.a, world.b);
  await world.b.claude("-c", "and in the repository");
  assert.equal(world.b.shownBefore("and in the repository")[0]?.text, "said in a worktree");
});

clientTest("a transcript that the client moves stays one session", {}, async (world) => {
  const { a, b } = world;
  await commit(world);
  const terminal = await a.openClaude("--allowedTools", "EnterWorktree");
  await terminal.shows(/^❯/m);
  await terminal.type("before the move");
  await terminal.shows(/Heard: before the move/);
  const { sessionId, path: before } = await a.onlySession();
  await a.allPushed();
  await terminal.type(`move [[tool EnterWorktree {"name":"side"}]]`);
  await terminal.shows(/Heard: move/);
  await terminal.type("after the move");
  await terminal.shows(/Heard: after the move/);
  assert.notEqual((await a.transcript(sessionId)).path, before);
  await a.allPushed();
  await terminal.type("/exit");
  await terminal.ended();
  const arrived = await world.arrives(sessionId, a, b);
  assert.ok(says(arrived, "before the move") && says(arrived, "after the move"));
  assert.equal((await b.transcripts()).length, 1);
  assert.equal((await b.syncJson("verify", "--read-data"))["ok"], true);
});

clientTest("/branch's session and its original both arrive", {}, async (world) => {
  const { a, b } = world;
  const terminal = await a.openClaude();
  await terminal.shows(/^❯/m);
  await terminal.type("the trunk");
  await terminal.shows(/Heard: the trunk/);
  await terminal.type("/branch");
  await terminal.shows(/Branched session/);
  await terminal.type("the twig");
  await terminal.shows(/Heard: the twig/);
  await terminal.type("/exit");
  await terminal.ended();
  const sessions = await a.transcripts();
  assert.equal(sessions.length, 2);
  for (const { sessionId } of sessions) await world.arrives(sessionId, a, b);
  assert.equal((await b.transcripts()).length, 2);
  const twig = sessions.find((session) => says(session, "Heard: the twig"));
  assert.ok(twig);
  await b.claude("--resume", twig.sessionId, "on the twig");
  assert.equal(b.shownBefore("on the twig")[0]?.text, "the trunk");
});

/** Gives A's repository the first commit that worktrees need. */
async function commit(world: World): Promise<void> {
  const author = "-c user.name=Alice -c user.email=alice@example.com";
  await world.a.shell(`git ${author} commit -q --allow-empty -m start`);
}
