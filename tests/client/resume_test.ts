import assert from "node:assert/strict";
import { speakOn } from "./conversation.ts";
import { says } from "./transcript.ts";
import { until } from "./until.ts";
import { clientTest, type World } from "./world.ts";

clientTest("claude -c on another machine goes on where A stopped", {}, async (world) => {
  const sessionId = await talkOnA(world, "the cat is called Mia");
  await world.b.claude("-c", "what is it called?");
  assert.deepEqual(world.b.shownBefore("what is it called?"), [
    { role: "user", text: "the cat is called Mia" },
    { role: "assistant", text: "Heard: the cat is called Mia" },
  ]);
  const onB = await world.b.transcript(sessionId);
  assert.ok(says(onB, "Heard: what is it called?"));
});

clientTest("claude --resume takes the same id on both machines, both ways", {}, async (world) => {
  const sessionId = await talkOnA(world, "first, on A");
  await world.b.claude("--resume", sessionId, "second, on B");
  await world.arrives(sessionId, world.b, world.a);
  await world.a.claude("--resume", sessionId, "third, on A");
  await world.arrives(sessionId, world.a, world.b);
  await world.b.claude("-c", "fourth, on B");
  const prompts = world.b.shownBefore("fourth, on B").filter(({ role }) => role === "user");
  assert.deepEqual(prompts.map(({ text }) => text), ["first, on A", "second, on B", "third, on A"]);
});

clientTest("the picker lists and opens A's session on B", {}, async (world) => {
  const sessionId = await speakOn(world.a, [], "the dog is called Rex");
  await world.arrives(sessionId, world.a, world.b);

  const onB = await world.b.openClaude("--resume");
  await onB.shows(/the dog is called Rex/);
  await onB.press("Enter");
  await onB.shows(/Heard: the dog is called Rex/);
  await onB.shows(/^❯\s*$/m);
  await onB.type("go on from here");
  await onB.shows(/Heard: go on from here/);
  await onB.type("/exit");
  await onB.ended();
  assert.equal(world.b.shownBefore("go on from here").length, 2);

  const back = await world.arrives(sessionId, world.b, world.a);
  assert.ok(says(back, "Heard: go on from here"));
  const again = await world.a.openClaude("-c");
  await again.shows(/Heard: go on from here/);
  await again.close();
});

clientTest("the shell function pulls before the client starts", {}, async (world) => {
  await world.a.claude("pulled by the shell");
  const { sessionId } = await world.a.onlySession();
  await world.a.allPushed();
  assert.deepEqual(await world.b.transcripts(), []);
  const load = 'eval "$(claude-sync shell-init bash)"';
  const { stdout, stderr } = await world.b.shell(`${load}; claude -p -c "and here?" </dev/null`);
  assert.equal(stdout, "Heard: and here?\n");
  assert.equal(stderr, "");
  assert.equal(world.b.shownBefore("and here?")[0]?.text, "pulled by the shell");
  await world.b.transcript(sessionId);
});

clientTest("the shell function works in an interactive shell", {}, async (world) => {
  await speakOn(world.a, [], "typed on A");
  await world.a.allPushed();
  const shell = await world.b.openTerminal("bash", "--norc");
  await shell.shows(/[#$]$/m);
  await shell.type('eval "$(claude-sync shell-init bash)"; echo loaded');
  await shell.shows(/^loaded/m);
  await shell.type("claude -c");
  await shell.shows(/Heard: typed on A/);
  await shell.type("/exit");
  await shell.shows(/claude --resume \S+\n.*[#$]$/);
  await shell.type("exit");
  const { screen } = await shell.ended();
  assert.ok(!/pull/i.test(screen.replace(/^.*eval.*$/m, "")), screen);
});

clientTest("the shell function hands arguments and exit codes through", {}, async (world) => {
  const load = 'eval "$(claude-sync shell-init bash)"';
  const words = `a "quoted"  word, a $HOME and a *`;
  await world.b.shell(`${load}; claude -p '${words}' </dev/null`);
  assert.deepEqual(world.b.shownBefore(words), []);
  const { stdout } = await world.b.shell(`${load}; claude -p --resume nonsense hi </dev/null
    echo "exit $?"`);
  assert.match(stdout, /exit 1$/m);
  const away = await world.b.shell(`${load}; cd /; PATH=/usr/bin:/bin; claude 2>/dev/null
    echo "exit $?"`);
  assert.match(away.stdout, /exit 127$/m);
});

clientTest(
  "SessionStart pulls, so that /resume in an open client finds A's session",
  {},
  async (world) => {
    await world.a.claude("waiting in the vault");
    const { sessionId } = await world.a.onlySession();
    await world.a.allPushed();
    const terminal = await world.b.openClaude();
    await terminal.shows(/^❯/m);
    await until("the hook has pulled A's session", async () => {
      return (await world.b.transcripts()).some((one) => one.sessionId === sessionId);
    });
    await terminal.type(`/resume ${sessionId}`);
    await terminal.shows(/Heard: waiting in the vault/);
    await terminal.type("/exit");
    await terminal.ended();
  },
);

clientTest("claude-sync resume opens A's session in the client on B", {}, async (world) => {
  await world.a.claude("found by resume");
  const { sessionId } = await world.a.onlySession();
  await world.a.allPushed();
  const terminal = await world.b.openTerminal("claude-sync", "resume", sessionId);
  await terminal.shows(/Heard: found by resume/);
  await terminal.type("resumed by one command");
  await terminal.shows(/Heard: resumed by one command/);
  await terminal.type("/exit");
  await terminal.ended();
  assert.equal(world.b.shownBefore("resumed by one command").length, 2);
});

clientTest("project map places a project that no remote identifies", {
  remote: "none",
}, async (world) => {
  await world.a.claude("no remote here");
  const { sessionId } = await world.a.onlySession();
  await world.a.allPushed();
  const answer = await world.b.syncJson("pull");
  assert.equal(answer["unplaced"], 1, JSON.stringify(answer));
  assert.deepEqual(await world.b.transcripts(), []);
  const [project] = answer["unplacedProjects"] as { key: string }[];
  await world.b.sync("project", "map", project?.key ?? "", world.b.project);
  await world.arrives(sessionId, world.a, world.b);
  await world.b.claude("-c", "mapped now");
  assert.equal(world.b.shownBefore("mapped now")[0]?.text, "no remote here");
});

clientTest("CLAUDE_CONFIG_DIR is honoured by install, hooks and pull", {
  configDirOnA: "elsewhere",
}, async (world) => {
  await world.a.claude("kept elsewhere");
  const { sessionId, path } = await world.a.onlySession();
  assert.ok(path.startsWith(world.a.configDir), path);
  await world.arrives(sessionId, world.a, world.b);
  await world.b.claude("--resume", sessionId, "answered on B");
  const back = await world.arrives(sessionId, world.b, world.a);
  assert.equal(back.path, path);
  await world.a.claude("-c", "and on A again");
  assert.equal(world.a.shownBefore("and on A again").length, 4);
});

/** Says something on A, waits for SessionEnd's push to reach B, and returns the session's id. */
async function talkOnA(world: World, prompt: string): Promise<string> {
  await world.a.claude(prompt);
  const { sessionId } = await world.a.onlySession();
  await world.arrives(sessionId, world.a, world.b);
  return sessionId;
}
