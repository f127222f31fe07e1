/** The whole way of a conversation from machine to machine, through stores on real servers. */
import assert from "node:assert/strict";
import { says } from "./transcript.ts";
import { clientTest } from "./world.ts";

for (const store of ["git-http", "rgw"] as const) {
  clientTest(
    `a conversation goes from A to B and back through ${store}`,
    { store },
    async (world) => {
      await world.a.claude("the cat is called Mia");
      const { sessionId } = await world.a.onlySession();
      // Nobody pushes: the hook's worker does, with the credentials that the user has.
      await world.a.allPushed();
      await world.arrives(sessionId, world.a, world.b);
      await world.b.claude("-c", "what is it called?");
      assert.deepEqual(world.b.shownBefore("what is it called?"), [
        { role: "user", text: "the cat is called Mia" },
        { role: "assistant", text: "Heard: the cat is called Mia" },
      ]);
      await world.b.allPushed();
      await world.arrives(sessionId, world.b, world.a);
      await world.a.claude("--resume", sessionId, "and whose is it?");
      const prompts = world.a.shownBefore("and whose is it?").filter(({ role }) => role === "user");
      assert.deepEqual(prompts.map(({ text }) => text), [
        "the cat is called Mia",
        "what is it called?",
      ]);
      assert.ok(says(await world.a.transcript(sessionId), "Heard: and whose is it?"));
      await world.a.sync("verify", "--read-data");
    },
  );
}
