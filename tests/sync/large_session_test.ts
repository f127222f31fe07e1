import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { SessionCorpus } from "../support/session_corpus.ts";
import { inTempDir, SyncMachine } from "../support/sync_machine.ts";

const ID = "50000000-0000-4000-8000-000000000050";
const MB = 1_000_000;
const SESSION_BYTES = 50 * MB;
const GROWTH_BYTES = 100_000;

/** The promise to users: 100 kB more cost less than this, however long the session is. */
const SENT_BYTES_MAX = 80_000;
const REQUESTS_MAX = 2;

Deno.test("a 50 MB session grown by 100 kB sends under 80 kB, and no change sends nothing", () =>
  inTempDir(async (dir) => {
    const [a, b] = ["anna", "bert"].map((name) => new SyncMachine({ name, dir })) as [
      SyncMachine,
      SyncMachine,
    ];
    await a.init();
    await b.join(a);
    const startMs = Date.now() - 7 * 86_400_000;
    const corpus = new SessionCorpus({ session: ID, cwd: a.project, seed: 50, startMs });
    a.writeTranscript(ID, corpus.next(SESSION_BYTES));
    const first = await a.push();
    assert.deepEqual([first.pushed, first.failed], [1, 0]);
    assert.ok(first.bytes.plain >= SESSION_BYTES);
    assert.ok(first.bytes.sent < SESSION_BYTES / 2, `${first.bytes.sent} bytes of a first push`);
    assert.equal((await b.pull()).pulled, 1);

    appendFileSync(a.transcriptPath(ID), corpus.next(GROWTH_BYTES));
    const grown = await a.push();
    assert.equal(grown.pushed, 1);
    assert.ok(grown.bytes.plain >= GROWTH_BYTES && grown.bytes.plain < 2 * GROWTH_BYTES);
    assert.ok(grown.bytes.sent < SENT_BYTES_MAX, `${grown.bytes.sent} bytes sent`);
    assert.ok(grown.requests <= REQUESTS_MAX, `${grown.requests} requests to push`);
    const pulled = await b.pull();
    assert.equal(pulled.pulled, 1);
    assert.ok(pulled.bytes.received < SENT_BYTES_MAX, `${pulled.bytes.received} bytes received`);
    assert.ok(a.readTranscript(ID) === b.readTranscript(ID), "both machines have the same bytes");

    for (const machine of [a, b]) {
      const push = await machine.push();
      assert.deepEqual([push.pushed, push.requests, push.bytes.sent], [0, 1, 0]);
      const pull = await machine.pull();
      assert.deepEqual([pull.pulled, pull.requests, pull.bytes.received], [0, 1, 0]);
    }
    console.log(`100 kB more: ${grown.bytes.sent} bytes in ${grown.requests} requests`);
  }));
