/** Ways in which syncing of sessions has gone wrong elsewhere (`tests/checks/known_bugs.ts`). */
import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../src/platform/types.ts";
import { slugOf } from "../../src/sessions/slug.ts";
import { syncService } from "../../src/sync/service.ts";
import { changedStore } from "../support/changed_store.ts";
import { ID, pair, T0 } from "../support/pair.ts";
import { filesBelow, inTempDir, said, SyncMachine } from "../support/sync_machine.ts";

const OTHER = "22222222-2222-4222-8222-222222222222";

function turn(machine: SyncMachine, text: string, atMs: number, more = {}): string {
  const facts = { session: ID, cwd: machine.project, atMs, ...more };
  return said("user", text, facts) + said("assistant", `to ${text}`, { ...facts, atMs: atMs + 1 });
}

Deno.test("init where there is a key keeps it, and the vault opens as before", () =>
  inTempDir(async (dir) => {
    const [a] = await pair(dir);
    a.writeTranscript(ID, turn(a, "hello", T0));
    await a.push();
    const key = readFileSync(a.context().keyFile);
    await a.init().then(() => {}, () => {});
    assert.deepEqual(readFileSync(a.context().keyFile), key);
    assert.deepEqual((await a.verify()).problems, []);
  }));

Deno.test("one id in two folders makes one whole session in the vault, push after push", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    const text = turn(a, "hello", T0);
    a.writeTranscript(ID, text + turn(a, "more", T0 + 1000));
    a.write(`projects/-elsewhere/${ID}.jsonl`, text);
    for (let round = 0; round < 3; round++) {
      await a.push();
      assert.deepEqual((await a.verify()).problems, []);
    }
    await b.pull();
    assert.equal(b.readTranscript(ID), a.readTranscript(ID));
  }));

Deno.test("a pull writes nothing to the store, so that nobody's push is in its way", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    a.writeTranscript(ID, turn(a, "hello", T0));
    await a.push();
    const before = filesBelow(a.vaultDir);
    await b.pull();
    await b.pull();
    assert.deepEqual(filesBelow(a.vaultDir), before);
    appendFileSync(a.transcriptPath(ID), turn(a, "more", T0 + 1000));
    assert.equal((await a.push()).pushed, 1);
  }));

Deno.test("what is written while a push is on its way goes with the next one", () =>
  inTempDir(async (dir) => {
    let more = "";
    const a: SyncMachine = new SyncMachine({
      name: "anna",
      dir,
      store: async (location, create) => {
        const store = await a.openStore(location, create);
        return changedStore(store, {
          put: async (name, body, options) => {
            if (more !== "") appendFileSync(a.transcriptPath(ID), more);
            more = "";
            return await store.put(name, body, options);
          },
        });
      },
    });
    const b = new SyncMachine({ name: "bert", dir });
    await a.init();
    await b.join(a);
    a.writeTranscript(ID, turn(a, "first", T0));
    more = turn(a, "meanwhile", T0 + 1000);
    await a.push();
    assert(a.readTranscript(ID).includes("meanwhile"), "it was written meanwhile");
    await a.push();
    await b.pull();
    assert.equal(b.readTranscript(ID), a.readTranscript(ID));
  }));

Deno.test("clocks that are years apart hide nobody's turns", () =>
  inTempDir(async (dir) => {
    const shifted = (ms: number): Clock => {
      const real = new SyncMachine({ name: "clock", dir }).platform.clock;
      return { ...real, nowMs: () => real.nowMs() + ms, monotonicMs: () => real.monotonicMs() };
    };
    const year = 365 * 86_400_000;
    const a = new SyncMachine({ name: "anna", dir, clock: shifted(10 * year) });
    const b = new SyncMachine({ name: "bert", dir, clock: shifted(-10 * year) });
    await a.init();
    await b.join(a);
    a.writeTranscript(ID, turn(a, "one", T0));
    await a.push();
    await b.pull({ all: true });
    appendFileSync(b.transcriptPath(ID), turn(b, "two", T0 + 1000));
    await b.push();
    await a.pull({ all: true });
    assert.equal(a.readTranscript(ID), b.readTranscript(ID));
    assert(a.readTranscript(ID).includes("to two"));
  }));

Deno.test("an older time never makes the longer of two files the worse one", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    a.writeTranscript(ID, turn(a, "one", T0));
    await a.push();
    await b.pull();
    const longer = b.readTranscript(ID) + turn(b, "two", T0 + 1000);
    b.writeTranscript(ID, longer, T0 - 30 * 86_400_000);
    await b.pull();
    assert.equal(b.readTranscript(ID), longer);
    await b.push();
    await a.pull();
    assert.equal(a.readTranscript(ID), longer);
  }));

Deno.test("records below a parent that nobody has, glued and odd lines all arrive", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    const base = turn(a, "one", T0, { parent: "no-such-parent" });
    a.writeTranscript(ID, base);
    await a.push();
    await b.pull();
    const odd = '{"a":1}{"b":2}\n\n{"noType":true}\n{"type":"custom-title","customTitle":"t"}\n';
    const ours = turn(a, "ours", T0 + 1000, { parent: "phantom" }) + odd;
    const theirs = turn(b, "theirs", T0 + 2000, { parent: "another" }) + odd;
    appendFileSync(a.transcriptPath(ID), ours);
    appendFileSync(b.transcriptPath(ID), theirs);
    for (const machine of [a, b, a, b]) await machine.sync();
    for (const machine of [a, b]) {
      const all = Object.entries(machine.files()).filter(([path]) => path.endsWith(".jsonl"));
      const text = all.map(([, content]) => content).join("");
      for (const words of ["to one", "to ours", "to theirs"]) assert(text.includes(words), words);
      assert.equal(text.split('{"a":1}{"b":2}\n\n{"noType":true}').length - 1, 2);
    }
  }));

Deno.test("words that look like a home folder, a slug or a variable stay as they were said", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    const words = `\${HOME} ${a.home} /mnt${a.home}/x ${slugOf(a.project)} C:\\Users\\anna "q"`;
    a.writeTranscript(ID, turn(a, words, T0));
    await a.push();
    await b.pull();
    assert.equal(b.readTranscript(ID), a.readTranscript(ID));
  }));

Deno.test("a file beside a transcript goes when it alone has changed", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    const beside = `projects/${slugOf(a.project)}/${ID}/tool-results/x.txt`;
    a.writeTranscript(ID, turn(a, "one", T0));
    await a.push();
    a.write(beside, "result");
    assert.equal((await a.push()).pushed, 1);
    await b.pull();
    const there = join(b.configDir, beside.replace(slugOf(a.project), slugOf(b.project)));
    assert.equal(readFileSync(there, "utf8"), "result");
  }));

Deno.test("subagents of one name in two sessions stay each other's strangers", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    for (const session of [ID, OTHER]) {
      a.writeTranscript(session, turn(a, session, T0, { session }));
      const path = `projects/${slugOf(a.project)}/${session}/subagents/agent-0a.jsonl`;
      a.write(path, turn(a, `agent of ${session}`, T0, { session }));
    }
    await a.push();
    await b.pull();
    for (const session of [ID, OTHER]) {
      const path = join(b.transcriptPath(session).slice(0, -6), "subagents", "agent-0a.jsonl");
      assert(readFileSync(path, "utf8").includes(`agent of ${session}`));
    }
  }));

Deno.test("folders whose names differ by a sign each get their own sessions", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    const names = ["my-app", "my_app.v2", "my.app"];
    const idAt = (at: number) => ID.replace(/^1{8}/, `0000000${at}`);
    for (const [at, name] of names.entries()) {
      for (const machine of [a, b]) mkdirSync(join(machine.home, name), { recursive: true });
      const cwd = join(a.home, name);
      const content = turn(a, `in ${name}`, T0, { session: idAt(at), cwd });
      a.write(`projects/${slugOf(cwd)}/${idAt(at)}.jsonl`, content);
    }
    await a.push();
    await b.pull({ all: true });
    for (const [at, name] of names.entries()) {
      const path = b.transcriptPath(idAt(at), join(b.home, name));
      assert(readFileSync(path, "utf8").includes(`in ${name}`));
    }
  }));

Deno.test("a project that is excluded later stays in the vault and on the other machine", () =>
  inTempDir(async (dir) => {
    const [a, b] = await pair(dir);
    a.writeTranscript(ID, turn(a, "hello", T0));
    await a.push();
    await b.pull();
    const before = filesBelow(a.vaultDir);
    const [row] = await syncService.projectList(a.context());
    await syncService.projectExclude(a.context(), row!.key, true);
    await a.sync();
    await b.sync();
    assert.deepEqual(filesBelow(a.vaultDir), before);
    assert(existsSync(b.transcriptPath(ID)) && existsSync(a.transcriptPath(ID)));
  }));
