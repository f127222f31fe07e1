import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { Bytes } from "../../src/base/bytes.ts";
import { changedStore } from "../support/changed_store.ts";
import { inTempDir, said, SyncMachine } from "../support/sync_machine.ts";

const SESSIONS = 6;
const SESSION_BYTES = 6 * 1024 * 1024;

function id(index: number): string {
  return `11111111-1111-4111-8111-${String(index).padStart(12, "0")}`;
}

/** A store that serves many calls at once, and answers a pack only when others wait for one too. */
function sideBySide(machine: SyncMachine, seen: { most: number; packs: string[] }) {
  let waiting: { name: string; answer: () => void }[] = [];
  return async (...opening: Parameters<SyncMachine["openStore"]>) => {
    const store = await machine.openStore(...opening);
    return changedStore(store, {
      concurrency: 16,
      get: async (name, options): Promise<Bytes | null> => {
        if (!name.startsWith("packs/")) return await store.get(name, options);
        seen.packs.push(name);
        const turn = new Promise<void>((answer) => waiting.push({ name, answer }));
        seen.most = Math.max(seen.most, waiting.length);
        // All that will be asked for without an answer has been asked for when the loop is idle.
        setTimeout(() => {
          const answered = waiting;
          waiting = [];
          for (const { answer } of answered) answer();
        });
        await turn;
        return await store.get(name, options);
      },
    });
  };
}

for (const action of ["pull", "verify"] as const) {
  Deno.test(`${action} fetches packs ahead, each of them once`, () =>
    inTempDir(async (dir) => {
      const a = new SyncMachine({ name: "anna", dir });
      await a.init();
      for (let index = 0; index < SESSIONS; index++) {
        const facts = { session: id(index), cwd: a.project, atMs: Date.now() };
        const text = randomBytes((SESSION_BYTES * 3) / 4).toString("base64");
        a.writeTranscript(id(index), said("user", text, facts) + said("assistant", "ok", facts));
      }
      await a.push();
      const seen = { most: 0, packs: [] as string[] };
      const b: SyncMachine = new SyncMachine({
        name: "bert",
        dir,
        store: (location, create) => sideBySide(b, seen)(location, create),
      });
      await b.join(a);
      if (action === "pull") {
        assert.equal((await b.pull({ all: true })).pulled, SESSIONS);
        assert.equal(b.readTranscript(id(3)), a.readTranscript(id(3)));
      } else {
        assert.deepEqual((await b.verify(true)).problems, []);
      }
      assert.ok(seen.packs.length >= 4, `${seen.packs.length} packs`);
      assert.equal(new Set(seen.packs).size, seen.packs.length);
      assert.ok(seen.most >= 4, `${seen.most} at once`);
    }));
}
