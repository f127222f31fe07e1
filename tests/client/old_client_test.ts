import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CURRENT, EARLIER, OLDEST } from "./install.ts";
import { says } from "./transcript.ts";
import { until } from "./until.ts";
import { clientTest } from "./world.ts";

for (const version of [EARLIER, OLDEST]) {
  clientTest(`hooks of Claude Code ${version} push what it wrote`, { version }, async (world) => {
    const outcome = await world.a.claude(`said to ${version}`);
    assert.equal(outcome.stdout, `Heard: said to ${version}\n`);
    assert.equal(outcome.stderr, "");
    const session = (await world.a.transcripts()).find((one) => says(one, `said to ${version}`));
    assert.ok(session);
    const arrived = await world.arrives(session.sessionId, world.a, world.b);
    assert.ok(says(arrived, `Heard: said to ${version}`));
    for (const { text } of world.a.requests) assert.ok(!/claude-sync/i.test(text));
  });

  clientTest(`Claude Code ${version} resumes what ${CURRENT} said`, {}, async (world) => {
    await world.b.useClient(await world.clientOf(version));
    await world.a.claude("from the newest client");
    const { sessionId } = await world.a.onlySession();
    await world.arrives(sessionId, world.a, world.b);
    await world.b.claude("--resume", sessionId, "by id, long after");
    assert.equal(world.b.shownBefore("by id, long after")[0]?.text, "from the newest client");
    await world.b.claude("-c", "and the last one");
    const shown = world.b.shownBefore("and the last one").map(({ text }) => text);
    assert.ok(shown.includes("Heard: by id, long after"), shown.join(" | "));
  });

  clientTest(`status knows when all of ${version} is in the vault`, { version }, async (world) => {
    await world.a.claude("nothing left to send");
    // At a resume the oldest client also leaves an empty transcript of its own warm-up.
    await world.a.claude("-c", "and still nothing left");
    await world.a.allPushed();
  });

  clientTest(
    `a session goes back and forth between ${version} and ${CURRENT}`,
    {},
    async (world) => {
      await world.b.useClient(await world.clientOf(version));
      await world.a.claude("first, new");
      const { sessionId } = await world.a.onlySession();
      await world.arrives(sessionId, world.a, world.b);
      await world.b.claude("--resume", sessionId, "second, old");
      await world.arrives(sessionId, world.b, world.a);
      await world.a.claude("--resume", sessionId, "third, new");
      const prompts = world.a.shownBefore("third, new").filter(({ role }) => role === "user");
      assert.deepEqual(prompts.map(({ text }) => text), ["first, new", "second, old"]);
    },
  );

  clientTest(`install keeps the user's own hooks alive in ${version}`, {
    version,
  }, async (world) => {
    const settings = join(world.a.configDir, "settings.json");
    const mark = join(world.a.home, "my-own-hook-ran");
    await world.a.sync("uninstall", "--global");
    const own = { hooks: [{ type: "command", command: `touch '${mark}'` }] };
    const before = { hooks: { SessionEnd: [own] }, cleanupPeriodDays: 99 };
    await writeFile(settings, JSON.stringify(before, null, 2));
    await world.a.sync("install", "--global");
    await world.a.sync("uninstall", "--global");
    assert.deepEqual(JSON.parse(await readFile(settings, "utf8")), before);
    await world.a.sync("install", "--global");
    await world.a.sync("install", "--global");
    await world.a.claude("both hooks, please");
    await until("the user's own hook has run", async () => {
      return await readFile(mark).then(() => true, () => false);
    });
    const session = (await world.a.transcripts()).find((one) => says(one, "both hooks, please"));
    assert.ok(session);
    await world.arrives(session.sessionId, world.a, world.b);
    // The client has written to its settings meanwhile, so only our part can be compared.
    await world.a.sync("uninstall", "--global");
    const after = JSON.parse(await readFile(settings, "utf8"));
    assert.deepEqual(after.hooks, before.hooks);
    assert.equal(after.cleanupPeriodDays, before.cleanupPeriodDays);
  });
}
