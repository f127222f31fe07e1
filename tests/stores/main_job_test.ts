/** The main job, end to end, on every server: one conversation, two machines, one vault. */
import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { serverTest, type StepContext } from "../servers/servers.ts";
import { ID, T0, turn } from "../support/pair.ts";
import { type PlaceName, PLACES, storePlace } from "../support/store_place.ts";
import { inTempDir, SyncMachine } from "../support/sync_machine.ts";

const OTHER = "22222222-2222-4222-8222-222222222222";

async function mainJob(name: PlaceName, t: StepContext): Promise<void> {
  await inTempDir(async (dir) => {
    await using place = await storePlace(name);
    const machine = async (who: string) =>
      new SyncMachine({ name: who, dir, ...await place.access(join(dir, who)) });
    const a = await machine("anna");
    const b = await machine("bert");

    await t.step("init makes the vault, and the other machine joins it", async () => {
      assert.equal((await a.init()).outcome, "created");
      assert.equal((await a.init()).outcome, "unchanged");
      await b.join(a);
      assert.equal((await b.init()).outcome, "unchanged");
    });

    await t.step("what one says is on the other, byte for byte", async () => {
      a.writeTranscript(ID, turn(a, "hello", T0));
      a.writeTranscript(OTHER, turn(a, "x".repeat(3_000_000), T0 + 10, OTHER));
      const pushed = await a.push();
      assert.deepEqual([pushed.pushed, pushed.failed], [2, 0]);
      assert.equal((await b.pull()).pulled, 2);
      for (const id of [ID, OTHER]) assert.equal(b.readTranscript(id), a.readTranscript(id));
    });

    await t.step("a small push is one put and one list, a no-op one list", async () => {
      appendFileSync(b.transcriptPath(ID), turn(b, "from bert", T0 + 5000));
      const pushed = await b.push();
      assert.deepEqual([pushed.pushed, pushed.requests], [1, 2]);
      assert.equal((await b.push()).requests, 1);
      const pulled = await a.pull();
      assert.deepEqual([pulled.pulled, pulled.requests], [1, 2]);
      assert.equal((await a.pull()).requests, 1);
      assert.equal(a.readTranscript(ID), b.readTranscript(ID));
    });

    await t.step("both continue one session, and both have both", async () => {
      appendFileSync(a.transcriptPath(ID), turn(a, "anna goes on", T0 + 9000));
      appendFileSync(b.transcriptPath(ID), turn(b, "bert goes on", T0 + 9500));
      await Promise.all([a.push(), b.push()]);
      await Promise.all([a.pull(), b.pull()]);
      await a.pull();
      assert.deepEqual(Object.values(b.files()).sort(), Object.values(a.files()).sort());
      assert.equal(Object.keys(a.files()).length, 3);
    });

    await t.step(
      "a machine that lost its state and its cache has everything again",
      async () => {
        const c = await machine("carl");
        await c.join(a);
        await c.pull({ all: true });
        assert.equal(c.readTranscript(ID), a.readTranscript(ID));
        for (const each of [a, b, c]) assert.deepEqual((await each.verify()).problems, []);
      },
    );
  });
}

for (const name of PLACES) {
  serverTest(name, `two machines share a conversation through ${name}`, (_, t) => mainJob(name, t));
}

Deno.test("two machines share a conversation through an imitation of Google's", async (t) => {
  await mainJob("gcs", t);
});
