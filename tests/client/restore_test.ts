import assert from "node:assert/strict";
import { join } from "node:path";
import { cleanUp, dateBack, speakOn } from "./conversation.ts";
import { readTranscripts, says } from "./transcript.ts";
import { clientTest } from "./world.ts";

clientTest(
  "the client goes on with what restore brings back, and its clean-up leaves it alone",
  {},
  async (world) => {
    const { a } = world;
    await world.unplugVault();
    await a.claude("the cat is called Mia");
    const { sessionId } = await a.onlySession();
    await dateBack(a, sessionId);
    const { path, text } = await a.transcript(sessionId);
    await world.replugVault();
    await a.sync("push");
    await cleanUp(a, "something else");
    assert.ok(!(await a.transcripts()).some((one) => one.sessionId === sessionId));
    await a.sync("restore", sessionId.slice(0, 8));
    const back = await a.transcript(sessionId);
    assert.deepEqual([back.path, back.text], [path, text]);
    await cleanUp(a, "something third");
    await a.claude("--resume", sessionId, "what is it called?");
    assert.deepEqual(a.shownBefore("what is it called?"), [
      { role: "user", text: "the cat is called Mia" },
      { role: "assistant", text: "Heard: the cat is called Mia" },
    ]);
    const after = await a.transcript(sessionId);
    assert.ok(after.text.startsWith(text) && says(after, "Heard: what is it called?"));
    await a.allPushed();
  },
);

clientTest(
  "the client goes on with an earlier version, here, on the other machine and in a folder",
  {},
  async (world) => {
    const { a, b } = world;
    const sessionId = await speakOn(a, [], "the dog is called Rex");
    await a.allPushed();
    const [early] = await versionsOf();
    const turn = Date.now();
    await a.claude("--resume", sessionId, "no, Bello");
    const whole = await world.arrives(sessionId, a, b);
    const at = new Date(turn).toISOString();
    const first = await a.syncJson("restore", sessionId, "--at", at);
    const [copy] = first["sessions"] as { id: string; as: string; version: string }[];
    assert.deepEqual([copy?.as, copy?.version], ["copy", early]);
    const again = await a.syncJson("restore", sessionId, "--pick", early!.slice(0, 8));
    const [same] = again["sessions"] as { id: string; outcome: string }[];
    assert.deepEqual([same?.id, same?.outcome], [copy!.id, "unchanged"]);

    const terminal = await a.openClaude("--resume", copy!.id);
    await terminal.shows(/Heard: the dog is called Rex/);
    await terminal.shows(/^❯\s*$/m);
    await terminal.type("then Luna");
    assert.doesNotMatch(await terminal.shows(/Heard: then Luna/), /Bello/);
    await terminal.type("/exit");
    await terminal.ended();
    assert.equal(a.shownBefore("then Luna").length, 2);
    assert.equal((await a.transcript(sessionId)).text, whole.text);
    await world.arrives(copy!.id, a, b);
    await b.claude("--resume", copy!.id, "and on B?");
    assert.equal(b.shownBefore("and on B?").length, 4);

    const folder = join(world.root, "as it was");
    await b.sync("restore", sessionId, "--at", at, "--to", folder);
    const [file, ...more] = await readTranscripts(folder);
    assert.deepEqual(more, []);
    assert.ok(whole.text.startsWith(file!.text) && !says(file!, "Bello"));
    await b.shell(`CLAUDE_CONFIG_DIR='${folder}' claude -p --resume ${sessionId} 'in a folder'`);
    assert.equal(b.shownBefore("in a folder").length, 2);

    async function versionsOf(): Promise<string[]> {
      const { versions } = await a.syncJson("restore", sessionId, "--list");
      return (versions as { version: string }[]).map(({ version }) => version);
    }
  },
);
