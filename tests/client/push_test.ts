import assert from "node:assert/strict";
import { describe, isRunning } from "./program.ts";
import { says } from "./transcript.ts";
import { until } from "./until.ts";
import { clientTest } from "./world.ts";

clientTest("SessionEnd pushes the session when `claude -p` ends", {}, async (world) => {
  await world.a.claude("the parcel is PURPLE");
  const { sessionId } = await world.a.onlySession();
  const arrived = await world.arrives(sessionId, world.a, world.b);
  assert.ok(says(arrived, "the parcel is PURPLE"));
  assert.ok(says(arrived, "Heard: the parcel is PURPLE"));
});

clientTest("install without --global serves the project it is run in", {}, async (world) => {
  await world.a.sync("uninstall", "--global");
  await world.a.sync("install");
  await world.a.claude("only in this project");
  const { sessionId } = await world.a.onlySession();
  await world.arrives(sessionId, world.a, world.b);
});

clientTest("hooks print nothing and add nothing to the model's context", {}, async (world) => {
  const first = await world.a.claude("quiet please");
  const { sessionId } = await world.a.onlySession();
  await world.arrives(sessionId, world.a, world.b);
  const second = await world.a.claude("--resume", sessionId, "still quiet");
  assert.equal(first.stdout, "Heard: quiet please\n");
  assert.equal(second.stdout, "Heard: still quiet\n");
  assert.equal(first.stderr + second.stderr, "");
  assert.ok(world.a.requests.length >= 2);
  for (const { text } of world.a.requests) {
    assert.ok(!/claude-sync|hook success|SessionStart/i.test(text), "the model was shown of ours");
  }
  const { records } = await world.a.transcript(sessionId);
  const hookRecords = records.filter((record) => {
    return record.type === "attachment" && JSON.stringify(record["attachment"]).includes("hook_");
  });
  assert.deepEqual(hookRecords, [], "the client noted output of a hook in the transcript");
});

clientTest("SessionEnd pushes at /exit and leaves the screen alone", {}, async (world) => {
  const terminal = await world.a.openClaude();
  await terminal.shows(/^❯/m);
  await terminal.type("spoken at the terminal");
  await terminal.shows(/Heard: spoken at the terminal/);
  await terminal.type("/exit");
  const { screen, status } = await terminal.ended();
  assert.equal(status, 0, screen);
  assert.ok(!/claude-sync|hook/i.test(screen), screen);
  const { sessionId } = await world.a.onlySession();
  const arrived = await world.arrives(sessionId, world.a, world.b);
  assert.ok(says(arrived, "Heard: spoken at the terminal"));
});

clientTest("SessionEnd pushes when the terminal is closed", {}, async (world) => {
  const terminal = await world.a.openClaude();
  await terminal.shows(/^❯/m);
  await terminal.type("before the window closes");
  await terminal.shows(/Heard: before the window closes/);
  const pid = await terminal.pid();
  await terminal.close();
  await until("the client is gone", () => !isRunning(pid));
  const { sessionId } = await world.a.onlySession();
  const arrived = await world.arrives(sessionId, world.a, world.b);
  assert.ok(says(arrived, "Heard: before the window closes"));
});

clientTest("SessionEnd pushes at /clear, to the last byte", {}, async (world) => {
  const terminal = await world.a.openClaude();
  await terminal.shows(/^❯/m);
  await terminal.type("soon cleared away");
  await terminal.shows(/Heard: soon cleared away/);
  await terminal.type("/clear");
  const { sessionId } = await world.a.onlySession();
  const arrived = await world.arrives(sessionId, world.a, world.b);
  assert.ok(says(arrived, "Heard: soon cleared away"));
  await terminal.type("/exit");
  await terminal.ended();
});

clientTest("clients that end at the same time all push", {}, async (world) => {
  const prompts = ["one of three", "two of three", "three of three"];
  await Promise.all(prompts.map((prompt) => world.a.claude(prompt)));
  const sessions = await world.a.transcripts();
  assert.equal(sessions.length, prompts.length);
  for (const { sessionId } of sessions) await world.arrives(sessionId, world.a, world.b);
});

clientTest("SessionEnd pushes when SIGTERM ends the client in a turn", {}, async (world) => {
  await world.a.claude("a finished turn");
  const { sessionId } = await world.a.onlySession();
  const client = world.a.startClaude("--resume", sessionId, "unanswered [[hold]]");
  await world.a.asked("unanswered");
  client.kill("SIGTERM");
  const outcome = await client.outcome;
  assert.notEqual(outcome.code, 0, describe(outcome));
  const arrived = await world.arrives(sessionId, world.a, world.b);
  assert.ok(says(arrived, "unanswered"));
});

clientTest("SessionStart pushes what a killed client left behind", {}, async (world) => {
  const killed = world.a.startClaude("said before the kill [[hold]]");
  await world.a.asked("said before the kill");
  await until("the prompt is on disk", async () => {
    return (await world.a.transcripts()).some((one) => says(one, "said before the kill"));
  });
  killed.kill("SIGKILL");
  assert.equal((await killed.outcome).signal, "SIGKILL");
  const { sessionId } = await world.a.onlySession();
  // Held, so that no SessionEnd of the second client can have done it.
  const next = world.a.startClaude("the next start [[hold]]");
  await world.a.asked("the next start");
  const arrived = await world.arrives(sessionId, world.a, world.b);
  assert.ok(says(arrived, "said before the kill"));
  next.kill("SIGTERM");
  await next.outcome;
});

clientTest("a push that failed is said at the next start and in status", {}, async (world) => {
  await world.unplugVault();
  const outcome = await world.a.claude("said while the share is away");
  assert.equal(outcome.stdout, "Heard: said while the share is away\n");
  assert.equal(outcome.stderr, "");
  const { sessionId } = await world.a.onlySession();
  await until("the failure is in status", async () => {
    return (await world.a.status())["verdict"] === "failing";
  }, { seen: async () => JSON.stringify(await world.a.status()) });

  const terminal = await world.a.openClaude();
  const screen = await terminal.shows(/SessionStart.* says: .*/);
  assert.match(screen, /claude-sync/i);
  await terminal.type("/exit");
  await terminal.ended();

  await world.replugVault();
  await world.a.sync("push");
  const arrived = await world.arrives(sessionId, world.a, world.b);
  assert.ok(says(arrived, "said while the share is away"));
  await world.a.claude("all well again");
  for (const { text } of world.a.requests) assert.ok(!/claude-sync/i.test(text), "told the model");
});
